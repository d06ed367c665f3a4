//! Drivers in C: what they take they give back, also where memory ends.
//!
//! Machine: MEM=32M
//! Machine: MEM=40M CPU=max APPEND="highmem=8M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::conserves;
use common::modules::{content, load_with_ever_more_memory, write};
use kapi::Param;
use kernel::fs::{self, Make, Place};
use kernel::modules::{insmod, rmmod};

kernel::test_kernel!(test_main);

const DRIVERS: [(&str, &str); 4] = [
    ("cscull", "cscull_major"),
    ("cscullc", "cscullc_major"),
    ("cscullp", "cscullp_major"),
    ("cscullv", "cscullv_major"),
];

/// Loads the driver, has its device hold a file, and unloads it with all that is in it.
fn use_and_drop(name: &str, major: &str) {
    assert_eq!(insmod(name, &[Param { name: major, value: "42" }]), Ok(()));
    write("/dev/held", &[0x5a; 50_000]);
    assert_eq!(content("/dev/held")[..], [0x5a; 50_000]);
    assert_eq!(rmmod(name), Ok(()));
}

#[test_case]
fn what_a_driver_in_c_holds_comes_back_when_it_goes() {
    // Shows: S31, S47, S63
    fs::mknod(&Place::root(), "/dev/held", 0o666, Make::Device { major: 42, minor: 0 }).unwrap();
    for (name, major) in DRIVERS {
        use_and_drop(name, major);
        conserves(|| use_and_drop(name, major));
    }
}

#[test_case]
fn the_chapters_examples_leave_nothing_behind() {
    for name in ["chapter", "cnames"] {
        assert_eq!((insmod(name, &[]), rmmod(name)), (Ok(()), Ok(())), "{name}");
        conserves(|| assert_eq!((insmod(name, &[]), rmmod(name)), (Ok(()), Ok(())), "{name}"));
    }
}

#[test_case]
fn a_driver_in_c_without_memory_leaves_nothing_behind() {
    // Shows: D1
    // Its file is read once, so that it is in the page cache.
    assert_eq!((insmod("cscull", &[]), rmmod("cscull")), (Ok(()), Ok(())));
    load_with_ever_more_memory("cscull", 3);
}
