//! Debugged kmalloc: stray writes are found, and the kernel goes on.
//!
//! Machine: APPEND=slab_debug=FZPU
//! Machine: APPEND="slab_debug=FZPU highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::ptr::NonNull;

use common::{KERNEL, Log, conserves, merged};
use kernel::mm::memory;

kernel::test_kernel!(test_main);

fn scribble(object: NonNull<u8>, at: isize) {
    // SAFETY: the byte lies next to or in a debugged object, and nobody else uses it.
    unsafe { object.as_ptr().wrapping_offset(at).write(0xee) };
}

#[test_case]
fn writes_behind_and_before_a_buffer_are_reported() {
    // Shows: K3
    conserves(|| {
        for (size, at, what) in [
            (64, 64, "written behind its end: byte 64: ee"),
            (4096, 4103, "written behind its end: byte 4103: ee"),
            (131_072, -1, "written before its start: byte -1: ee"),
        ] {
            let object = memory().kmalloc(size, KERNEL).unwrap();
            assert_eq!(object.as_ptr() as usize % size, 0, "aligned to its class all the same");
            let log = Log::from_here();
            scribble(object, at);
            memory().kfree(object.as_ptr()).unwrap();
            assert!(log.shows(what) && log.shows("; allocated at "), "{size}");
        }
    });
}

#[test_case]
fn a_slab_takes_no_page_that_it_does_not_need() {
    // Shows: K3
    conserves(|| {
        let slab_pages = || memory().objects().caches().map(|cache| cache.pages).sum::<usize>();
        for (size, pages) in [(4096, 3), (8192, 5), (16_384, 9), (131_072, 65)] {
            merged();
            let before = (memory().pages().free_pages_total(), slab_pages());
            let object = memory().kmalloc(size, KERNEL).unwrap();
            merged();
            let taken = before.0 - memory().pages().free_pages_total();
            assert_eq!(taken, slab_pages() - before.1, "{size}");
            let class =
                memory().objects().caches().find(|cache| cache.object_size == 2 * size && cache.slabs > 0).unwrap();
            assert_eq!(class.pages, pages * class.slabs, "{size}: the rest of the block went back");
            memory().kfree(object.as_ptr()).unwrap();
        }
    });
}

#[test_case]
fn a_write_after_free_is_reported_when_the_memory_is_used_again() {
    conserves(|| {
        let object = memory().kmalloc(100, KERNEL).unwrap();
        memory().kfree(object.as_ptr()).unwrap();
        scribble(object, 17);
        let log = Log::from_here();
        assert_eq!(memory().kmalloc(100, KERNEL), Ok(object));
        assert!(log.shows("written after free: byte 17: ee 5a 5a") && log.shows("; freed at "));
        memory().kfree(object.as_ptr()).unwrap();
    });
}
