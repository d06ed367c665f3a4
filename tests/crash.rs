//! A fault that nobody expected ends the machine with a report.
//!
//! It says what, where and in which context.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

use core::time::Duration;

use kernel::sched;
use kernel::timer::Timer;

kernel::test_kernel!(test_main);

#[inline(never)]
fn read_from_null_page(_: usize) {
    let almost_null = core::hint::black_box(core::ptr::without_provenance::<u64>(8));
    // SAFETY: none: the address is not mapped, and that is the point.
    let value = unsafe { almost_null.read_volatile() };
    core::hint::black_box(value);
}

#[test_case]
fn null_dereference_in_a_timer_names_the_null_page() {
    kernel::testing::expect_panic("page fault: read of 0000000000000008 (null page)");
    static TIMER: Timer = Timer::new(read_from_null_page);
    TIMER.add(Duration::from_millis(10), 0);
    sched::sleep(Duration::from_secs(1)).unwrap();
}
