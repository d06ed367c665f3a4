//! The chapter's copies: what they cost by kmalloc and by whole pages.
//!
//! Guest time counts instructions here, so costs are exact.
//!
//! Machine: ICOUNT=1
//! Machine: ICOUNT=1 APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::hint::black_box;

use common::{KERNEL, conserves};
use kapi::OpenFlags;
use kernel::arch::cpu::cycles;
use kernel::fs::{self, OpenFile};
use kernel::mm::{KString, KVec};
use kernel::testing::memory;
use mm::PAGE_SIZE;

kernel::test_kernel!(test_main);

/// Bytes that are copied: whole quanta of 4000 and whole pages.
const BYTES: usize = 4_096_000;
/// Bytes of one write.
const CHUNK: usize = 64 << 10;

#[test_case]
fn bytes_are_copied_whatever_their_number_and_place() {
    let from: [u8; 96] = core::array::from_fn(|at| at as u8 + 1);
    for len in 0..=80 {
        for (source, target) in (0..8).flat_map(|source| (0..8).map(move |target| (source, target))) {
            let mut to = [0; 96];
            // Known only when it runs, or no function would be called.
            to[target..target + black_box(len)].copy_from_slice(&from[source..source + len]);
            assert_eq!(to[target..target + len], from[source..source + len], "{len} bytes, {source} to {target}");
            let mut around = to[..target].iter().chain(&to[target + len..]);
            assert!(around.all(|&byte| byte == 0), "{len} bytes, {source} to {target}: more is written");
        }
    }
}

fn open(name: &str, minor: usize, flags: OpenFlags) -> OpenFile {
    let path = KString::try_format(format_args!("/dev/{name}{minor}")).unwrap();
    fs::open(&fs::Place::root(), &path, flags, 0o666).unwrap()
}

/// Frames in use when nothing is cached.
fn frames_in_use() -> usize {
    while memory().drop_caches() > 0 {}
    memory().pages().managed_pages() - memory().pages().free_pages_total()
}

/// Fills device 0 of a driver.
fn fill(name: &str) {
    let mut chunk = KVec::new();
    chunk.resize(CHUNK, 0x5a_u8, KERNEL).unwrap();
    let file = open(name, 0, OpenFlags::WRITE);
    for start in (0..BYTES).step_by(CHUNK) {
        file.write_all(&chunk[..CHUNK.min(BYTES - start)]).unwrap();
    }
}

/// `cp /dev/NAME0 /dev/NAME1`; returns the bytes copied.
fn copy(name: &str, chunk: &mut [u8]) -> usize {
    let (from, to) = (open(name, 0, OpenFlags::READ), open(name, 1, OpenFlags::WRITE));
    let mut copied = 0;
    loop {
        let n = from.read_bytes(chunk).unwrap();
        if n == 0 {
            return copied;
        }
        to.write_all(&chunk[..n]).unwrap();
        copied += n;
    }
}

/// Empties both devices.
fn empty(name: &str) {
    [0, 1].into_iter().for_each(|minor| drop(open(name, minor, OpenFlags::WRITE)));
}

/// Instructions of a copy to a device that was empty.
fn cost(name: &str) -> u64 {
    let mut chunk = KVec::new();
    chunk.resize(CHUNK, 0_u8, KERNEL).unwrap();
    fill(name);
    let start = cycles();
    assert_eq!(copy(name, &mut chunk), BYTES);
    let cost = cycles() - start;
    empty(name);
    cost
}

#[test_case]
fn copying_by_pages_takes_fewer_instructions_than_by_kmalloc() {
    // Shows: S48
    conserves(|| {
        let (by_kmalloc, by_pages) = (cost("scull"), cost("scullp"));
        kernel::println!("instructions: scull {by_kmalloc}, scullp {by_pages}");
        assert!(by_pages < by_kmalloc, "{by_pages} by pages, {by_kmalloc} by kmalloc");
    });
}

#[test_case]
fn pages_hold_what_was_written_and_kmalloc_rounds_up() {
    // Shows: S49
    // What describes the data: items, sets, slabs' descriptors. Much less than rounding up costs.
    const BOOKKEEPING: usize = 8;
    conserves(|| {
        // A set of quanta lies in an object of this size too: its slab of 8 pages counts for neither driver.
        let neighbour = memory().kmalloc(PAGE_SIZE, KERNEL).unwrap();
        let frames = |name| {
            let before = frames_in_use();
            fill(name);
            let held = frames_in_use() - before;
            empty(name);
            held
        };
        let (by_kmalloc, by_pages) = (frames("scull"), frames("scullp"));
        kernel::println!("frames: scull {by_kmalloc}, scullp {by_pages}");
        let whole = BYTES / PAGE_SIZE;
        assert!((whole..=whole + BOOKKEEPING).contains(&by_pages), "{by_pages} frames for {whole}");
        // Each quantum of 4000 bytes lies in an object of 4096.
        let rounded = BYTES / 4000;
        assert!((rounded..=rounded + 2 * BOOKKEEPING).contains(&by_kmalloc), "{by_kmalloc} frames for {rounded}");
        assert!(by_kmalloc > by_pages + BOOKKEEPING);
        memory().kfree(neighbour.as_ptr()).unwrap();
    });
}
