//! Debugged kmalloc: stray writes are found, and the kernel goes on.
//!
//! Machine: APPEND=slab_debug=FZPU
//! Machine: APPEND="slab_debug=FZPU page_poison=1 page_owner=1 slab_quarantine=64K highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::ops::Range;
use core::panic::Location;
use core::ptr::NonNull;

use common::{KERNEL, Log, conserves, merged};
use kernel::options;
use kernel::testing::memory;
use mm::{FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, Reference, VirtAddr};
use services::options::Switch;

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
        // It may wait in quarantine.
        memory().drop_caches();
        let again = memory().kmalloc(100, KERNEL).unwrap();
        assert!(log.shows("written after free: byte 17: ee 5a 5a") && log.shows("; freed at "));
        memory().kfree(again.as_ptr()).unwrap();
    });
}

#[test_case]
fn the_red_zone_begins_where_the_request_ends() {
    let object = memory().kmalloc(18, KERNEL).unwrap();
    let log = Log::from_here();
    scribble(object, 18);
    let check = memory().objects().check_slabs();
    assert!(check.damages == 1 && log.shows("written behind its end: byte 18: ee"), "{check}");
    assert_eq!(memory().objects().ksize(object.as_ptr()), Some(18));
    memory().kfree(object.as_ptr()).unwrap();
    memory().validate().unwrap();
}

#[test_case]
fn a_second_free_is_told_who_came_first() {
    let object = memory().kmalloc(100, KERNEL).unwrap();
    memory().kfree(object.as_ptr()).unwrap();
    let log = Log::from_here();
    assert_eq!(memory().kfree(object.as_ptr()), Err(FreeError::DoubleFree));
    assert!(log.shows("memory is free already (cache size-128); freed at ") && log.shows("slab_debug.rs:"));
}

#[test_case]
fn a_write_to_a_free_page_is_reported_when_it_is_used_again() {
    if options::get().memory.page_poison == Switch::Off {
        return;
    }
    for gfp in [KERNEL, GfpFlags::HIGHUSER] {
        let page = memory().alloc_pages(gfp, Order::ZERO).unwrap();
        memory().free_frames(page, Order::ZERO).unwrap();
        // SAFETY: nobody uses the page.
        unsafe { memory().kmap_atomic(page).unwrap().addr().as_mut_ptr::<u8>().wrapping_add(5).write(0) };
        let log = Log::from_here();
        let again = memory().alloc_pages(gfp, Order::ZERO).unwrap();
        assert!(again == page && log.shows("written after free: byte 5: 00 aa aa"));
        memory().free_frames(again, Order::ZERO).unwrap();
    }
}

/// A page, and the constant that names whoever calls this.
#[track_caller]
fn owned_page() -> (Pfn, Range<VirtAddr>) {
    let page = memory().alloc_pages(KERNEL, Order::ZERO).unwrap();
    let start = VirtAddr::from_ptr(core::ptr::from_ref(Location::caller()));
    (page, start..start.add(size_of::<Location<'_>>()))
}

#[test_case]
fn what_code_that_goes_has_left_is_named() {
    let (page, code) = owned_page();
    let owners = options::get().memory.page_owner == Switch::On;
    let info = memory().pages().frame_info(page).unwrap();
    assert_eq!(info.allocated.is_some_and(|caller| caller.file().ends_with("slab_debug.rs")), owners);
    let mut named = 0;
    let left = memory().disown(&[code], &mut |reference| {
        assert!(matches!(reference, Reference::Pages(block) if block.frame == page));
        named += 1;
    });
    assert_eq!((left, named), (Ok(usize::from(owners)), usize::from(owners)));
    memory().free_frames(page, Order::ZERO).unwrap();
}

#[test_case]
fn a_write_through_a_descriptor_retires_its_slab_and_the_kernel_goes_on() {
    let objects: [NonNull<u8>; 60] = core::array::from_fn(|_| memory().kmalloc(32, KERNEL).unwrap());
    let log = Log::from_here();
    let before = memory().objects().retired_pages();
    // From somewhere in a slab to its end.
    let object = objects[30];
    let rest = PAGE_SIZE - object.as_ptr() as usize % PAGE_SIZE;
    // SAFETY: nobody uses what follows the object in its page, and the allocators must live with what it reads.
    unsafe { object.as_ptr().write_bytes(0x41, rest) };
    objects.iter().for_each(|object| memory().kfree(object.as_ptr()).unwrap());
    assert!(log.shows("slab size-32: descriptor ") && log.shows(" is damaged: slabs retired: 1, pages: 1"));
    assert_eq!(memory().objects().retired_pages(), before + 1);
    merged();
    memory().validate().unwrap();
}
