//! The frame grabber: a picture arrives in /dev/grabber0.
//!
//! Whatever memory the driver got.
//!
//! Machine: APPEND="bigphysarea=769"
//! Machine: APPEND="bigphysarea=769 highmem=64M" FIRMWARE=uefi
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::Log;
use kapi::{Errno, Hardware, OpenFlags, Param};
use kernel::fs;
use kernel::mm::bigphysarea::{BigBuffer, stats};
use kernel::mm::{IoMem, Kernel};
use kernel::modules::{insmod, rmmod};
use kernel::testing::memory;
use mm::PAGE_SIZE;

kernel::test_kernel!(test_main);

const FRAME: usize = 640 * 480 * 4;

fn size<'a>(width: &'a str, height: &'a str) -> [Param<'a>; 2] {
    [Param { name: "grabber_width", value: width }, Param { name: "grabber_height", value: height }]
}

fn used() -> usize {
    stats().unwrap().unwrap().used.frames
}

/// Draws a picture, grabs it and compares.
fn grabs(bytes: usize, seed: u64) {
    let screen = IoMem::map(Kernel::frame_buffer().unwrap().0, bytes).unwrap();
    let pixel = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
    (0..bytes).step_by(8).for_each(|at| screen.writeq(at, pixel(at)).unwrap());
    let file = fs::open(&fs::Place::root(), "/dev/grabber0", OpenFlags::READ, 0o666).unwrap();
    screen.writeq(0, 0).unwrap();
    let mut buf = [0; 2048];
    let mut at = 0;
    loop {
        let n = file.read_bytes(&mut buf).unwrap();
        if n == 0 {
            break;
        }
        for word in buf[..n].chunks_exact(8) {
            assert_eq!(u64::from_le_bytes(word.try_into().unwrap()), pixel(at), "at {at}");
            at += 8;
        }
    }
    assert_eq!(at, bytes);
}

#[test_case]
fn a_frame_arrives_in_memory_from_bigphysarea() {
    // Shows: S71, S72
    assert_eq!(insmod("grabber", &[]), Ok(()));
    assert_eq!(used(), FRAME / PAGE_SIZE);
    grabs(FRAME, 1);
    grabs(FRAME, 2);
    assert_eq!(insmod("grabber", &[]), Err(Errno::EEXIST));
    assert_eq!(rmmod("grabber"), Ok(()));
    assert_eq!(used(), 0);
}

#[test_case]
fn a_frame_may_be_larger_than_any_block_of_pages() {
    // Shows: S71
    assert_eq!(insmod("grabber", &size("1024", "768")), Ok(()));
    assert_eq!(used(), 768);
    grabs(1024 * 768 * 4, 3);
    assert_eq!(rmmod("grabber"), Ok(()));
}

#[test_case]
fn without_bigphysarea_pages_serve_up_to_2_mib() {
    // Shows: S72
    let all = BigBuffer::new(769 * PAGE_SIZE).unwrap();
    let log = Log::from_here();
    assert_eq!(insmod("grabber", &[]), Ok(()));
    assert!(log.shows("grabber: no bigphysarea for 300 pages, 512 from get_free_pages"));
    grabs(FRAME, 4);
    assert_eq!(rmmod("grabber"), Ok(()));
    assert_eq!(insmod("grabber", &size("1024", "768")), Err(Errno::ENOMEM));
    assert!(log.shows("grabber: 768 contiguous pages are not to be had: try bigphysarea=768"));
    assert_eq!(rmmod("grabber"), Err(Errno::ENOENT));
    drop(all);
    assert_eq!(insmod("grabber", &size("1024", "768")), Ok(()), "nothing was left behind");
    assert_eq!(rmmod("grabber"), Ok(()));
}

#[test_case]
fn impossible_frames_are_refused() {
    let before = memory().pages().free_pages_total();
    for (width, height) in [("0", "480"), ("640", "0"), ("4096", "4096"), ("1", "1"), ("-1", "5"), ("wide", "5")] {
        assert_eq!(insmod("grabber", &size(width, height)), Err(Errno::EINVAL), "{width}x{height}");
    }
    let huge = size("18446744073709551615", "18446744073709551615");
    assert_eq!(insmod("grabber", &huge), Err(Errno::EINVAL));
    assert_eq!(insmod("grabber", &[Param { name: "width", value: "640" }]), Err(Errno::EINVAL));
    assert!(memory().pages().free_pages_total() >= before);
}

#[test_case]
fn the_device_is_for_reading_and_keeps_the_driver() {
    assert_eq!(insmod("grabber", &[]), Ok(()));
    assert_eq!(fs::open(&fs::Place::root(), "/dev/grabber0", OpenFlags::WRITE, 0o666).err(), Some(Errno::EACCES));
    let file = fs::open(&fs::Place::root(), "/dev/grabber0", OpenFlags::READ, 0o666).unwrap();
    assert_eq!(rmmod("grabber"), Err(Errno::EBUSY));
    drop(file);
    assert_eq!(rmmod("grabber"), Ok(()));
    assert_eq!(fs::open(&fs::Place::root(), "/dev/grabber0", OpenFlags::READ, 0o666).err(), Some(Errno::ENOENT));
}
