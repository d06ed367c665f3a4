//! The kernel boots and reads what the host hands in.
//!
//! Machine:
//! Machine: CPU=max MEM=24M
//! Machine: FIRMWARE=uefi CPU=max MEM=2G APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, reason = "a test's name says what it shows")]

use kernel::board::fw_cfg;
use kernel::board::qemu::ExitCode;
use kernel::debug::symbols;
use kernel::{modules, proc, startup};
use x86_64::VirtAddr;

kernel::test_kernel!(test_main);

#[test_case]
fn missing_fw_cfg_file_is_not_found() {
    assert_eq!(fw_cfg::file("opt/scullery/nosuch"), None);
}

#[test_case]
fn every_function_has_a_name() {
    let address = VirtAddr::from_ptr(symbols::lookup as *const ());
    let place = symbols::lookup(address + 1).expect("its own name");
    assert_eq!((place.name(), place.offset, place.module()), ("kernel::debug::symbols::lookup", 1, None));
}

#[test_case]
fn each_service_that_fails_counts_and_the_next_is_tried() {
    assert_eq!((startup::failures(), startup::verdict()), (0, ExitCode::Success));
    // All of them are there already, so each fails.
    modules::attach_all();
    assert_eq!(startup::failures(), modules::FAMILY.len() + 1);
    proc::init();
    assert!(startup::failures() > modules::FAMILY.len() + 10);
    assert_eq!(startup::verdict(), ExitCode::Failure);
}
