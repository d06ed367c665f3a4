//! Swap on a memory disk.
//!
//! Programs that do not fit, what fails, and what swapoff brings back.
//!
//! Machine: PROGRAMS=busybox CPU=max APPEND="mem=24M ramdisk=64M,1M,1M ramdisk_latency=0 nullb=1M"
//! Machine: PROGRAMS=busybox APPEND="mem=32M highmem=6M bigphysarea=2048 ramdisk=64M,1M,1M ramdisk_latency=0 nullb=1M"
#![no_std]
#![no_main]
#![feature(allocator_api, custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;
#[path = "common/names.rs"]
mod names;
#[path = "common/programs.rs"]
mod programs;

use common::{Log, nap};
use kapi::Errno;
use kernel::fs::Place;
use kernel::mm::swap::swap;
use kernel::process::{Exit, deliver};
use kernel::swap;
use names::{put, text_of};
use programs::{begin, null, run};
use signals::{Info, Signal};

kernel::test_kernel!(test_main);

const ROOT: Place = Place::root();
/// The disk that most tests swap to.
const DISK: &str = "/dev/ram0";
/// One that is too small for them.
const SMALL: &str = "/dev/ram1";
/// One that nobody prepares.
const BLANK: &str = "/dev/ram2";
/// One that keeps nothing.
const NULL: &str = "/dev/nullb0";

/// Has mkswap prepare a disk.
fn mkswap(disk: &str) {
    assert_eq!(run(&["/bin/busybox", "mkswap", disk]), Ok(Exit::Code(0)));
}

/// Runs `f` while the disk is swap, which it is no more afterwards, with nothing left there.
fn with_swap<R>(disk: &str, f: impl FnOnce() -> R) -> R {
    mkswap(disk);
    assert_eq!(swap::on(&ROOT, disk, None), Ok(()));
    let result = f();
    assert_eq!(swap::off(&ROOT, disk), Ok(()));
    assert_eq!(swap().totals().slots, 0);
    result
}

/// Pages that are in swap.
fn used() -> usize {
    let totals = swap().totals();
    totals.slots - totals.free
}

/// What is behind a name in a file of lines such as `Writeback: 12 kB`, as a number.
fn figure(path: &str, name: &str) -> usize {
    let text = text_of(&ROOT, path).unwrap();
    let is_it = |line: &&str| line.split_ascii_whitespace().next() == Some(name);
    let line = text.as_str().lines().find(is_it).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Whether pages are on their way to a disk.
fn is_writing() -> bool {
    figure("/proc/meminfo", "Writeback:") > 0
}

/// Has the memory disk do something to requests.
fn order(words: &str) {
    put("/proc/sys/dev/disks", words);
}

#[test_case]
fn what_is_no_swap_area_is_refused() {
    put("/tmp/file", "no disk");
    for (path, error) in [
        ("/nosuch", Errno::ENOENT),
        ("/tmp/file", Errno::EINVAL),
        ("/dev/null", Errno::EINVAL),
        ("/tmp", Errno::EINVAL),
        (BLANK, Errno::EINVAL),
    ] {
        assert_eq!(swap::on(&ROOT, path, None), Err(error), "{path}");
    }
    assert_eq!(swap::off(&ROOT, DISK), Err(Errno::EINVAL));
    order("ram2 readonly 1");
    assert_eq!(swap::on(&ROOT, BLANK, None), Err(Errno::EROFS));
}

#[test_case]
fn a_disk_that_keeps_nothing_is_no_swap() {
    mkswap(NULL);
    assert_eq!(swap::on(&ROOT, NULL, None), Err(Errno::EIO));
    assert!(text_of(&ROOT, "/proc/swaps").unwrap().as_str().lines().count() == 1);
}

#[test_case]
fn an_area_is_told_of_and_is_one_but_once() {
    mkswap(SMALL);
    with_swap(DISK, || {
        assert_eq!(swap::on(&ROOT, DISK, None), Err(Errno::EBUSY));
        assert_eq!(swap::on(&ROOT, SMALL, Some(5)), Ok(()));
        let expected = "Filename\t\t\tType\t\tSize\tUsed\tPriority\n\
            /dev/ram0                       partition\t65532\t0\t-1\n\
            /dev/ram1                       partition\t1020\t0\t5\n";
        assert_eq!(text_of(&ROOT, "/proc/swaps").unwrap().as_str(), expected);
        let meminfo = text_of(&ROOT, "/proc/meminfo").unwrap();
        assert!(meminfo.as_str().contains("SwapTotal:       66552 kB\nSwapFree:        66552 kB\n"), "{meminfo:?}");
        assert_eq!(swap::off(&ROOT, SMALL), Ok(()));
        assert_eq!(swap::off(&ROOT, SMALL), Err(Errno::EINVAL));
    });
}

#[test_case]
fn what_does_not_fit_into_memory_is_right_all_the_same() {
    // Shows: S3
    with_swap(DISK, || {
        assert_eq!(run(&["/bin/pattern", "24"]), Ok(Exit::Code(0)));
    });
}

#[test_case]
fn shared_pages_are_right_in_swap_too() {
    with_swap(DISK, || {
        assert_eq!(run(&["/bin/pattern", "12", "fork"]), Ok(Exit::Code(0)));
    });
}

#[test_case]
fn three_at_once_are_right() {
    with_swap(DISK, || {
        let started = [(); 3].map(|()| begin(&["/bin/pattern", "8"], null()).unwrap());
        for process in started {
            assert_eq!(process.wait_ended(), Ok(Exit::Code(0)));
        }
    });
}

#[test_case]
fn swapoff_brings_all_back_or_changes_nothing() {
    mkswap(DISK);
    assert_eq!(swap::on(&ROOT, DISK, None), Ok(()));
    let hog = begin(&["/bin/hog", "28", "stay"], null()).unwrap();
    // Until it has all that it was told to take.
    let mut before = 0;
    while used() < 8 << 8 || used() != before {
        before = used();
        nap(300);
    }
    assert_eq!(swap::off(&ROOT, DISK), Err(Errno::ENOMEM));
    assert!(used() > 6 << 8, "{} pages are in swap", used());
    deliver::send(&hog, Info::kernel(Signal::KILL)).unwrap();
    assert_eq!(hog.wait_ended(), Ok(Exit::Signal(9)));
    assert_eq!(swap::off(&ROOT, DISK), Ok(()));
}

#[test_case]
fn what_cannot_be_written_stays_in_memory() {
    let log = Log::from_here();
    with_swap(DISK, || {
        // The first mebibyte behind the header.
        order("ram0 fail sectors 8 2055");
        let slots = swap().totals().slots;
        assert_eq!(run(&["/bin/pattern", "20"]), Ok(Exit::Code(0)));
        assert!(log.shows("of /dev/ram0 cannot be written"));
        assert!(swap().totals().slots < slots);
        order("ram0 clear");
    });
}

#[test_case]
fn a_page_that_cannot_be_read_ends_its_program_alone() {
    let log = Log::from_here();
    with_swap(DISK, || {
        let pattern = begin(&["/bin/pattern", "20"], null()).unwrap();
        while used() < 4 << 8 {
            nap(10);
        }
        // What is in the first slots cannot be read again, and nothing more be written there.
        order("ram0 fail sectors 8 2055");
        assert_eq!(pattern.wait_ended(), Ok(Exit::Signal(7)));
        order("ram0 clear");
        assert!(log.shows("of /dev/ram0 cannot be read"));
        assert_eq!(run(&["/bin/pattern", "1"]), Ok(Exit::Code(0)));
    });
}

// What users see of a disk that answers late. More than one rule keeps each promise, so that one rule less is not told
// here; that a request waits while pages are being written is shown alone in mm/tests/reclaim.rs.

#[test_case]
fn swapoff_waits_for_pages_that_are_on_their_way() {
    mkswap(DISK);
    assert_eq!(swap::on(&ROOT, DISK, None), Ok(()));
    // Three seconds a request.
    order("ram0 latency 300");
    let hog = begin(&["/bin/hog", "28", "stay"], null()).unwrap();
    while !is_writing() {
        nap(10);
    }
    deliver::send(&hog, Info::kernel(Signal::KILL)).unwrap();
    assert_eq!(hog.wait_ended(), Ok(Exit::Signal(9)));
    // Nobody wants these pages any more, but the disk reads them from memory.
    assert!(is_writing() && used() > 0);
    assert_eq!(swap::off(&ROOT, DISK), Ok(()));
    assert!(!is_writing());
    order("ram0 latency 0");
}

#[test_case]
fn a_slow_disk_makes_nobody_fail() {
    with_swap(DISK, || {
        let before = figure("/proc/vmstat", "pswpout");
        // Longer than a request is tried while no page is being written.
        order("ram0 latency 150");
        assert_eq!(run(&["/bin/hog", "22"]), Ok(Exit::Code(0)));
        order("ram0 latency 0");
        assert!(figure("/proc/vmstat", "pswpout") > before);
    });
}

#[test_case]
fn nobody_is_ended_while_a_slow_disk_writes() {
    let log = Log::from_here();
    mkswap(SMALL);
    assert_eq!(swap::on(&ROOT, SMALL, None), Ok(()));
    order("ram1 latency 150");
    let hog = begin(&["/bin/hog"], null()).unwrap();
    let mut quiet = 0;
    while hog.ended().is_none() {
        quiet = if is_writing() || used() < swap().totals().slots { 0 } else { quiet + 1 };
        nap(20);
    }
    assert_eq!(hog.wait_ended(), Ok(Exit::Signal(9)));
    assert!(log.shows("Out of Memory: Killed process"));
    // A second, less what the last look may have been late by.
    assert!(quiet >= 40, "ended {quiet} looks after swap was full and the disk at rest");
    order("ram1 latency 0");
    assert_eq!(swap::off(&ROOT, SMALL), Ok(()));
}
