//! Modules that make mistakes, and modules in use.
//!
//! What is said, what stays, and that the machine goes on.
//!
//! Machine:
//! Machine: APPEND="page_owner=1 slab_debug=U"
//! Machine: MEM=40M CPU=max APPEND="highmem=8M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::modules::{changed, contains, line_of, write};
use common::{Log, conserves};
use kapi::{Errno, OpenFlags, Param};
use kernel::fs;
use kernel::mm::KString;
use kernel::modules::{insmod, rmmod};
use kernel::testing::{expect_oops, memory};
use kernel::{options, sched};
use services::options::Switch;

kernel::test_kernel!(test_main);

/// Runs `call` in a thread of its own, which dies of it.
fn dies(expected: &'static str, call: fn()) {
    expect_oops(expected);
    let thread = sched::spawn("victim", move || {
        call();
        0
    });
    assert_eq!(thread.unwrap().join(), Ok(sched::DIED));
}

fn mishap(what: &'static str, when: &'static str) -> Result<(), Errno> {
    insmod("mishap", &[Param { name: "what", value: what }, Param { name: "when", value: when }])
}

/// Attaches mishap by another name, as long as its own: mishap may be broken.
fn mishap_as(name: &[u8; 6], what: &'static str, when: &'static str) -> Result<(), Errno> {
    let mut key = *b"name=mishap\0";
    key[5..11].copy_from_slice(name);
    write("/tmp/renamed.ko", &changed("mishap", b"name=mishap\0", &key));
    let params = [Param { name: "what", value: what }, Param { name: "when", value: when }];
    let attached = insmod("/tmp/renamed.ko", &params);
    fs::unlink(&fs::Place::root(), "/tmp/renamed.ko").unwrap();
    attached
}

fn write_to_mishap() {
    fs::open(&fs::Place::root(), "/dev/mishap0", OpenFlags::WRITE, 0o666).unwrap().write_all(b"x").unwrap();
}

#[test_case]
fn a_free_too_many_is_refused_and_the_module_named() {
    conserves(|| {
        let log = Log::from_here();
        assert_eq!(mishap("double_free", "write"), Ok(()));
        write_to_mishap();
        assert!(log.shows("memory is free already"));
        assert!(log.line_after("memory is free already").contains("modules/mishap/src/lib.rs"));
        assert_eq!(rmmod("mishap"), Ok(()));
    });
}

#[test_case]
fn a_module_in_use_stays() {
    assert_eq!(mishap("null", "write"), Ok(()));
    let file = fs::open(&fs::Place::root(), "/dev/mishap0", OpenFlags::READ, 0o666).unwrap();
    assert!(line_of("/proc/modules", "mishap ").unwrap().contains(" 1 - Live"));
    assert_eq!(rmmod("mishap"), Err(Errno::EBUSY));
    drop(file);
    assert_eq!(rmmod("mishap"), Ok(()));
}

#[test_case]
fn a_module_stays_while_a_thread_sleeps_in_it() {
    assert_eq!(mishap("sleep", "write"), Ok(()));
    let sleeper = sched::spawn("sleeper", || {
        let written = fs::open(&fs::Place::root(), "/dev/mishap0", OpenFlags::WRITE, 0o666).unwrap().write_all(b"x");
        assert_eq!(written, Err(Errno::EINTR));
        0
    });
    let sleeper = sleeper.unwrap();
    common::nap(50);
    assert_eq!(rmmod("mishap"), Err(Errno::EBUSY));
    sleeper.interrupt();
    assert_eq!(sleeper.join(), Ok(0));
    assert_eq!(rmmod("mishap"), Ok(()));
}

#[test_case]
fn a_module_that_is_long_in_going_says_so() {
    assert_eq!(mishap_as(b"sleepy", "sleep", "unload"), Ok(()));
    let remover = sched::spawn("remover", || i32::from(rmmod("sleepy").is_err())).unwrap();
    common::nap(50);
    assert!(line_of("/proc/modules", "sleepy ").unwrap().contains("Unloading"));
    assert_eq!(rmmod("sleepy"), Err(Errno::EBUSY));
    remover.interrupt();
    assert_eq!(remover.join(), Ok(0));
    assert!(line_of("/proc/modules", "sleepy ").is_none());
}

#[test_case]
fn a_timer_goes_with_its_module() {
    // What the kernel keeps of names and files once a module was there takes its place.
    assert_eq!((mishap("tick", "load"), rmmod("mishap")), (Ok(()), Ok(())));
    conserves(|| {
        let log = Log::from_here();
        assert_eq!(mishap("tick", "load"), Ok(()));
        common::nap(50);
        assert!(log.count("mishap: tick") > 2);
        assert_eq!(rmmod("mishap"), Ok(()));
        assert!(!log.shows("left "), "it was dropped");
        let log = Log::from_here();
        common::nap(50);
        assert!(!log.shows("mishap: tick"));
    });
}

/// What the log says is left behind by a module that makes this mistake and goes.
fn left_behind(what: &'static str) -> KString {
    let log = Log::from_here();
    assert_eq!((mishap(what, "load"), rmmod("mishap")), (Ok(()), Ok(())));
    log.line_after("mishap: left ")
}

#[test_case]
fn leaks_are_named_with_the_place_that_took_them() {
    let place = " at modules/mishap/src/lib.rs:";
    for (what, named) in [
        ("leak_cache", "behind: cache mishap, objects: 1, created"),
        ("leak_area", "behind: area "),
        ("leak_timer", "a timer behind, made"),
    ] {
        let said = left_behind(what);
        assert!(said.starts_with(named) && said.contains(place), "{what}: {said}");
    }
    let remembers = options::get().memory.page_owner == Switch::On;
    for (what, named) in [("leak_pages", "behind: pages "), ("leak_object", "behind: object ")] {
        let said = left_behind(what);
        assert_eq!(said.starts_with(named) && said.contains(place), remembers, "{what}: {said}");
    }
    // What names a place in it can still be read, and a timer that was forgotten calls nobody.
    assert!(contains("/proc/vmallocinfo", "modules/mishap/src/lib.rs:"));
    assert!(contains("/proc/slabinfo", "mishap"));
    let log = Log::from_here();
    common::nap(100);
    assert!(!log.shows("mishap: a timer"));
    assert_eq!((insmod("hello", &[]), rmmod("hello")), (Ok(()), Ok(())));
    assert_eq!(memory().validate(), Ok(()));
}

#[test_case]
fn when_a_thread_dies_in_a_module_that_alone_is_broken() {
    assert_eq!(mishap("null", "write"), Ok(()));
    let log = Log::from_here();
    dies("page fault", write_to_mishap);
    assert!(log.line_after("to blame: ").contains("[mishap]"), "{}", log.line_after("to blame: "));
    assert!(line_of("/proc/modules", "mishap ").unwrap().contains("Broken"));
    assert_eq!(rmmod("mishap"), Err(Errno::EBUSY));
    assert_eq!(mishap("null", "write"), Err(Errno::EEXIST), "it stays as it is");
    // One that dies where all are asked does not keep the others.
    assert_eq!((mishap_as(b"unsize", "null", "footprint"), insmod("hello", &[])), (Ok(()), Ok(())));
    dies("page fault", || assert!(contains("/proc/modules", "hello")));
    assert!(line_of("/proc/modules", "unsize ").unwrap().contains("Broken"));
    assert_eq!(rmmod("hello"), Ok(()));
    assert_eq!(mishap_as(b"ending", "panic", "unload"), Ok(()));
    dies("a mishap on purpose", || rmmod("ending").unwrap());
    assert!(line_of("/proc/modules", "ending ").unwrap().contains("Broken"));
    // The others come and go as before.
    assert_eq!((insmod("hello", &[]), rmmod("hello")), (Ok(()), Ok(())));
    assert_eq!(memory().validate(), Ok(()));
}
