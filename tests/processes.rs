//! Processes: programs that run, end, are killed, and leave nothing behind.
//!
//! Machine: CPU=max APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(allocator_api, custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;
#[path = "common/programs.rs"]
mod programs;

use alloc::sync::Arc;

use common::nap;
use kapi::{Errno, IoBuf, OpenFlags};
use kernel::fs::{File, OpenFile, Stat};
use kernel::mm::{KString, KVVec, UserPage};
use kernel::process::{Exit, Process, deliver, table};
use kernel::testing::{expect_oops, memory};
use mm::{GfpFlags, kib};
use programs::{begin, null, run, run_into};
use signals::{Info, Signal};

kernel::test_kernel!(test_main);

/// Pages that are free once all caches are empty.
fn free_pages() -> usize {
    while memory().drop_caches() > 0 {}
    memory().pages().free_pages_total()
}

/// Pages that are free once no more come back: dead threads and what the log keeps are on their way for a while.
fn free_at_rest() -> usize {
    let mut most = 0;
    for _ in 0..5 {
        nap(20);
        most = free_pages().max(most);
    }
    most
}

/// That no process is left, and as many pages are free as `before`.
fn check_all_is_back(before: usize) {
    let is_back = || free_pages() >= before && table::with(|table| table.is_empty());
    if !(0..100).any(|_| {
        is_back() || {
            nap(10);
            false
        }
    }) {
        panic!("{} of {before} pages are free, {} processes left", free_pages(), table::with(|table| table.len()));
    }
}

/// Has `what` happen `times` times in one program: afterwards all is as it was.
fn leaves_nothing(what: &str, times: &str) {
    // Once before: what comes for good comes with the first.
    assert_eq!(run(&["/bin/spawn", what, "3"]), Ok(Exit::Code(0)));
    let before = free_at_rest();
    assert_eq!(run(&["/bin/spawn", what, times]), Ok(Exit::Code(0)));
    check_all_is_back(before);
}

#[test_case]
fn a_program_runs_and_leaves_its_status() {
    assert_eq!(run(&["/bin/hello", "one"]), Ok(Exit::Code(0)));
    assert_eq!(run(&["/bin/spawn"]), Ok(Exit::Code(2)));
}

#[test_case]
fn what_cannot_run_is_refused_by_name() {
    assert_eq!(run(&["/bin/nosuch"]), Err(Errno::ENOENT));
    assert_eq!(run(&["/etc"]), Err(Errno::EACCES));
    assert_eq!(run(&["/etc/motd"]), Err(Errno::EACCES));
    assert_eq!(run(&["/bin/hello/x"]), Err(Errno::ENOTDIR));
}

/// A file over which the kernel stumbles.
struct Trap;

impl File for Trap {
    fn stat(&self) -> Result<Stat, Errno> {
        null().stat()
    }

    fn read(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, _position: u64, _buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        panic!("stumbled over a program's bytes")
    }
}

#[test_case]
fn an_oops_in_a_call_ends_that_process_alone() {
    let trap = || OpenFile::new(Arc::try_new(Trap).unwrap(), OpenFlags::WRITE).unwrap();
    expect_oops("stumbled over a program's bytes");
    assert_eq!(run_into(&["/bin/hello"], trap()), Ok(Exit::Signal(11)));
    let before = free_at_rest();
    expect_oops("stumbled over a program's bytes");
    assert_eq!(run_into(&["/bin/hello"], trap()), Ok(Exit::Signal(11)));
    // Its memory and its files are back; the frames of the thread that died had nothing that takes a page.
    check_all_is_back(before);
    assert_eq!(run(&["/bin/hello"]), Ok(Exit::Code(0)));
}

#[test_case]
fn a_fork_bomb_ends_at_the_limit() {
    assert_eq!(run(&["/bin/forkbomb", "300"]), Ok(Exit::Code(0)));
    let before = free_at_rest();
    assert_eq!(run(&["/bin/forkbomb", "10000"]), Ok(Exit::Code(0)));
    check_all_is_back(before);
}

#[test_case]
fn starting_fails_without_a_trace_when_memory_is_short() {
    assert_eq!(run(&["/bin/spawn", "exec", "1"]), Ok(Exit::Code(0)));
    let before = free_at_rest();
    let mut held = KVVec::with_capacity(40_000, GfpFlags::KERNEL).unwrap();
    let (mut failed, mut succeeded) = (0, 0);
    for left in (0..400).step_by(7) {
        while let Ok(page) = UserPage::zeroed(GfpFlags::HIGHUSER) {
            held.push(page, GfpFlags::KERNEL).unwrap();
        }
        held.truncate(held.len() - left);
        match run(&["/bin/spawn", "exec", "1"]) {
            Ok(Exit::Code(0)) => succeeded += 1,
            Ok(_) | Err(Errno::ENOMEM | Errno::EAGAIN) => failed += 1,
            other => panic!("with {left} pages: {other:?}"),
        }
    }
    drop(held);
    assert!(failed > 5 && succeeded > 0, "{failed} failed, {succeeded} succeeded");
    check_all_is_back(before);
}

#[test_case]
fn a_thousand_forks_leave_nothing() {
    leaves_nothing("fork", "1000");
}

#[test_case]
fn a_thousand_programs_leave_nothing() {
    leaves_nothing("exec", "1000");
}

#[test_case]
fn a_thousand_vforks_leave_nothing() {
    leaves_nothing("vfork", "1000");
}

#[test_case]
fn a_thousand_failing_execs_leave_nothing() {
    leaves_nothing("failing", "1000");
}

#[test_case]
fn a_thousand_faults_leave_nothing() {
    leaves_nothing("fault", "100");
}

#[test_case]
fn memory_that_processes_share_goes_with_the_last() {
    leaves_nothing("memory", "300");
}

#[test_case]
fn orphans_leave_nothing() {
    leaves_nothing("orphan", "300");
}

#[test_case]
fn a_hog_is_ended_and_all_it_had_comes_back() {
    assert_eq!(run(&["/bin/hog", "1"]), Ok(Exit::Code(0)));
    let before = free_at_rest();
    for _ in 0..3 {
        assert_eq!(run(&["/bin/hog"]), Ok(Exit::Signal(9)));
    }
    check_all_is_back(before);
    assert_eq!(run(&["/bin/hello"]), Ok(Exit::Code(0)));
}

/// A hog that has taken so many mebibytes and keeps them.
fn hog_with(mebibytes: usize) -> Arc<Process> {
    let words = KString::try_format(format_args!("{mebibytes}")).unwrap();
    let hog = begin(&["/bin/hog", &words, "stay"], null()).unwrap();
    for _ in 0..1000 {
        if kib(hog.space().size().held) >= mebibytes << 10 {
            return hog;
        }
        nap(10);
    }
    panic!("the hog has {:?}", hog.space().size());
}

/// Takes pages until `is_enough` says so, or there are none; gives them back; how many they were.
fn take_pages(is_enough: impl Fn() -> bool) -> usize {
    let mut held = KVVec::with_capacity(40_000, GfpFlags::KERNEL).unwrap();
    while !is_enough() {
        let Ok(page) = UserPage::zeroed(GfpFlags::HIGHUSER) else { break };
        held.push(page, GfpFlags::KERNEL).unwrap();
    }
    held.len()
}

#[test_case]
fn a_sleeping_hog_pays_for_what_the_kernel_cannot_have() {
    let hog = hog_with(kib(free_pages()) / 1024 - 8);
    take_pages(|| hog.ended().is_some());
    assert_eq!(hog.ended(), Some(Exit::Signal(9)));
}

#[test_case]
fn nobody_pays_for_what_the_kernel_itself_has() {
    let small = hog_with(1);
    let taken = take_pages(|| false);
    assert!(taken > memory().pages().managed_pages() / 2, "{taken} pages");
    assert_eq!(small.ended(), None);
    deliver::send(&small, Info::kernel(Signal::TERM)).unwrap();
    assert_eq!(small.wait_ended(), Ok(Exit::Signal(15)));
}
