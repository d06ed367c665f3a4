//! `init_on_alloc=1`, `init_on_free=1`: memory of the kernel is zeroed.
//!
//! Pages and objects, when they come, or when they go.
//!
//! Machine: APPEND="init_on_alloc=1 highmem=32M"
//! Machine: APPEND="init_on_free=1 highmem=32M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::{ATOMIC, DMA, KERNEL, byte_of, conserves, is_stamped, order, stamp};
use kernel::options;
use kernel::testing::memory;
use mm::objects::DebugFlags;
use mm::{GfpFlags, Order, PAGE_SIZE, Pfn, VirtAddr};

kernel::test_kernel!(test_main);

/// Whether what is freed is zero at once.
fn frees_clear() -> bool {
    options::get().memory.slab_debug.all.contains(DebugFlags::ZERO_ON_FREE)
}

fn soil(block: Pfn, order: Order) {
    for page in 0..order.pages() {
        let shown = memory().kmap_atomic(block.add(page)).unwrap();
        // SAFETY: the page is ours, and shows there.
        unsafe { stamp(shown.addr(), PAGE_SIZE, 5) };
    }
}

fn is_clean(block: Pfn, order: Order) -> bool {
    let bytes = |page| [0, 1, 1000, 4095].map(|offset| byte_of(block.add(page), offset));
    (0..order.pages()).all(|page| bytes(page) == [0; 4])
}

#[test_case]
fn pages_of_every_zone_are_zero_when_they_have_a_new_owner() {
    conserves(|| {
        for gfp in [KERNEL, ATOMIC, KERNEL | DMA, GfpFlags::HIGHUSER] {
            for order in [0, 1, 3, 5, 9].map(order) {
                let block = memory().alloc_pages(gfp, order).unwrap();
                soil(block, order);
                memory().free_frames(block, order).unwrap();
                assert_eq!(is_clean(block, order), frees_clear(), "{order:?}");
                let again = memory().alloc_pages(gfp, order).unwrap();
                assert!(again == block && is_clean(block, order), "{order:?}");
                memory().free_frames(again, order).unwrap();
            }
        }
    });
}

#[test_case]
fn objects_and_areas_are_zero_when_they_have_a_new_owner() {
    conserves(|| {
        for size in [32, 200, 4000, 131_072] {
            let object = memory().kmalloc(size, KERNEL).unwrap();
            // SAFETY: the object is ours.
            unsafe { object.write_bytes(0xa5, size) };
            memory().kfree(object.as_ptr()).unwrap();
            let again = memory().kmalloc(size, KERNEL).unwrap();
            // SAFETY: as above.
            assert!(unsafe { core::slice::from_raw_parts(again.as_ptr(), size) }.iter().all(|&byte| byte == 0));
            memory().kfree(again.as_ptr()).unwrap();
        }
        let area = memory().vmalloc(8 * PAGE_SIZE).unwrap();
        let frame = |area: VirtAddr, page| memory().areas().frame_at(area.add(page * PAGE_SIZE)).unwrap();
        let frames: [Pfn; 8] = core::array::from_fn(|page| frame(area, page));
        // SAFETY: the area is ours.
        unsafe { stamp(area, 8 * PAGE_SIZE, 3) };
        // SAFETY: as above.
        assert!(unsafe { is_stamped(area, 8 * PAGE_SIZE, 3) });
        memory().vfree(area).unwrap();
        assert_eq!(frames.iter().all(|&frame| is_clean(frame, Order::ZERO)), frees_clear());
        let again = memory().vmalloc(8 * PAGE_SIZE).unwrap();
        assert!((0..8).all(|page| is_clean(frame(again, page), Order::ZERO)));
        memory().vfree(again).unwrap();
    });
}
