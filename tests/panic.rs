//! A panic ends the run, with its message and the names of its callers.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, reason = "a test's name says what it shows")]

use kernel::testing;

kernel::test_kernel!(test_main);

#[test_case]
fn a_panic_ends_the_run() {
    testing::expect_panic("on purpose");
    panic!("this one comes on purpose");
}
