//! Processes: programs that run, end, are killed, and leave nothing behind.
//!
//! Machine:
//! Machine: CPU=max APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::nap;
use kapi::{Errno, OpenFlags};
use kernel::fs::{self, OpenFile, Place};
use kernel::process::{self, Exit, Role, Start, Terminal, table};
use kernel::testing::memory;

kernel::test_kernel!(test_main);

fn null() -> OpenFile {
    fs::open(&Place::root(), "/dev/null", OpenFlags::READ | OpenFlags::WRITE, 0).unwrap()
}

/// How the program ends that is called with these words, the first of which is its path.
fn run(words: &[&str]) -> Result<Exit, Errno> {
    let mut arguments = [b"".as_slice(); 4];
    words.iter().zip(&mut arguments).for_each(|(word, argument)| *argument = word.as_bytes());
    let start = Start {
        path: words[0],
        arguments: &arguments[..words.len()],
        environment: &[],
        streams: [null(), null(), null()],
        place: Place::root(),
        terminal: Terminal::Left,
        role: Role::Ordinary,
    };
    process::start(start)?.wait_ended()
}

/// Pages that are free once all caches are empty and all dead threads are gone.
fn free_pages() -> usize {
    memory().drop_caches();
    memory().pages().free_pages_total()
}

/// Has `what` happen `times` times in one program: afterwards all is as it was.
fn leaves_nothing(what: &str, times: &str) {
    // Once before: what comes for good comes with the first.
    assert_eq!(run(&["/bin/spawn", what, "3"]), Ok(Exit::Code(0)));
    nap(10);
    let before = free_pages();
    assert_eq!(run(&["/bin/spawn", what, times]), Ok(Exit::Code(0)));
    // The last threads are still on their way.
    for _ in 0..100 {
        if free_pages() >= before && table::with(|table| table.is_empty()) {
            break;
        }
        nap(10);
    }
    assert_eq!((free_pages(), table::with(|table| table.len())), (before, 0), "after {times} of {what}");
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
