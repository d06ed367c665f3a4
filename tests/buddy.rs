//! Pages: whole blocks of every order, wrong frees, and /proc's tables.
//!
//! Machine:
//! Machine: CPU=max APPEND="highmem=64M"
//! Machine: FIRMWARE=uefi CPU=max
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::hint::black_box;

use common::{ATOMIC, DMA, DMA_LIMIT, Hoard, KERNEL, Log, conserves, free_blocks, is_stamped, merged, order, stamp};
use kernel::arch::layout::{DIRECT_MAP, PAGE_ARRAY, direct};
use kernel::debug::probe::{Fault, probe_read, probe_write};
use kernel::mm::tables;
use kernel::testing::memory;
use mm::page::{Page, PageState};
use mm::{FreeError, Order, PAGE_SIZE, Pfn, VirtAddr, ZoneKind};

kernel::test_kernel!(test_main);

#[test_case]
fn every_order_is_aligned_contiguous_and_merges_back() {
    // Shows: S38, S41, K2
    conserves(|| {
        for order in Order::all() {
            let before = merged();
            let block = memory().get_free_pages(KERNEL, order).unwrap();
            assert!(block.is_aligned(order.bytes()), "{block:?}");
            let first = memory().frame_of(block).unwrap();
            assert!(first.is_aligned(order.pages()));
            for page in 0..order.pages() {
                assert_eq!(tables::translate(block.add(page as usize * PAGE_SIZE)), Some(first.add(page)));
            }
            // SAFETY: the block is ours.
            unsafe { stamp(block, order.bytes(), order.log2()) };
            // SAFETY: as above.
            assert!(unsafe { is_stamped(block, order.bytes(), order.log2()) });
            assert_ne!(free_blocks(), before);
            assert_eq!(memory().free_pages(block, order), Ok(()));
            assert_eq!(merged(), before);
        }
    });
}

#[test_case]
fn pages_freed_in_any_order_merge_to_the_same_blocks() {
    conserves(|| {
        let mut hoard = Hoard::new();
        let before = merged();
        hoard.fill_while(KERNEL, || free_blocks()[ZoneKind::Normal as usize][9] + 3 > before[1][9]);
        hoard.release(usize::MAX, |page| page.as_u32() % 3 == 1);
        hoard.release(usize::MAX, |page| page.as_u32() % 2 == 0);
        assert_ne!(merged(), before);
        hoard.release(usize::MAX, |_| true);
        assert_eq!(merged(), before);
    });
}

#[test_case]
fn live_blocks_never_overlap() {
    conserves(|| {
        let mut held = [None; 64];
        let mut seed = 12345u32;
        for round in 0..2000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let slot = (seed >> 16) as usize % held.len();
            if let Some((block, order, stamped)) = held[slot].take() {
                // SAFETY: the block is ours.
                assert!(unsafe { is_stamped(block, 64, stamped) });
                // SAFETY: as above.
                assert!(unsafe { is_stamped(last_line(block, order), 64, stamped) });
                assert_eq!(memory().free_pages(block, order), Ok(()));
                continue;
            }
            let order = order((seed >> 24) as usize % 7);
            let block = memory().get_free_pages(KERNEL, order).unwrap();
            // SAFETY: the block is ours.
            unsafe { stamp(block, 64, round) };
            // SAFETY: as above.
            unsafe { stamp(last_line(block, order), 64, round) };
            held[slot] = Some((block, order, round));
        }
        for (block, order, _) in held.into_iter().flatten() {
            assert_eq!(memory().free_pages(block, order), Ok(()));
        }
    });
}

fn last_line(block: VirtAddr, order: Order) -> VirtAddr {
    block.add(order.bytes() - 64)
}

#[test_case]
fn only_get_zeroed_page_clears() {
    // Shows: S37
    conserves(|| {
        let dirty = memory().get_free_pages(KERNEL, Order::ZERO).unwrap();
        // SAFETY: the page is ours.
        unsafe { stamp(dirty, PAGE_SIZE, 7) };
        assert_eq!(memory().free_page(dirty), Ok(()));
        let again = memory().get_free_pages(KERNEL, Order::ZERO).unwrap();
        assert_eq!(again, dirty, "the page that was freed last comes first");
        // SAFETY: the page is ours.
        assert!(unsafe { is_stamped(again, PAGE_SIZE, 7) });
        assert_eq!(memory().free_page(again), Ok(()));
        let clear = memory().get_zeroed_page(KERNEL).unwrap();
        assert_eq!(clear, dirty);
        assert!((0..PAGE_SIZE).all(|offset| probe_read(clear.add(offset)) == Ok(0)));
        assert_eq!(memory().free_page(clear), Ok(()));
    });
}

#[test_case]
fn dma_requests_are_served_below_sixteen_mib() {
    // Shows: S10, S12, S39
    conserves(|| {
        for order in Order::all() {
            for gfp in [KERNEL, ATOMIC] {
                let block = memory().get_dma_pages(gfp, order).unwrap();
                let first = memory().frame_of(block).unwrap();
                assert!(first.add(order.pages()).phys().as_u64() <= DMA_LIMIT, "{first:?}");
                assert_eq!(memory().pages().map().get(first).unwrap().zone(), ZoneKind::Dma);
                assert_eq!(memory().free_pages(block, order), Ok(()));
            }
        }
    });
}

#[test_case]
fn dma_requests_fail_while_other_memory_is_free() {
    // Shows: S13
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(ATOMIC | DMA);
        assert_eq!(memory().pages().zone_stats(ZoneKind::Dma).free, 0);
        assert!(memory().pages().zone_stats(ZoneKind::Normal).free > 1000);
        assert!(hoard.pages().iter().all(|page| page.phys().as_u64() < DMA_LIMIT));
        // No zone named: Normal memory.
        let page = memory().alloc_pages(KERNEL, Order::ZERO).unwrap();
        assert!(page.phys().as_u64() >= DMA_LIMIT);
        memory().free_frames(page, Order::ZERO).unwrap();
    });
}

#[test_case]
fn bad_frees_are_refused_and_change_nothing() {
    // Shows: K4, S42
    conserves(|| {
        let block = memory().get_free_pages(KERNEL, order(2)).unwrap();
        let gone = memory().get_free_pages(KERNEL, order(1)).unwrap();
        let object = memory().kmalloc(64, KERNEL).unwrap();
        let slab = VirtAddr::from_ptr(object.as_ptr()).page_down();
        assert_eq!(memory().free_pages(gone, order(1)), Ok(()));
        // SAFETY: the block is ours.
        unsafe { stamp(block, order(2).bytes(), 3) };
        let stack = 0u8;
        let cases = [
            (block, order(1), FreeError::WrongOrder),
            (block, order(3), FreeError::WrongOrder),
            (block, Order::ZERO, FreeError::WrongOrder),
            (block.add(PAGE_SIZE), Order::ZERO, FreeError::Interior),
            (block.add(2 * PAGE_SIZE), order(1), FreeError::Interior),
            (block.add(1), order(2), FreeError::Misaligned),
            (gone, order(1), FreeError::DoubleFree),
            (gone.add(PAGE_SIZE), Order::ZERO, FreeError::DoubleFree),
            (slab, Order::ZERO, FreeError::SlabPage),
            (DIRECT_MAP, Order::ZERO, FreeError::Reserved),
            (VirtAddr::from_ptr(&raw const stack).page_down(), Order::ZERO, FreeError::Wild),
            (VirtAddr::from_ptr(probe_read as *const u8).page_down(), Order::ZERO, FreeError::Wild),
            (VirtAddr::new(0x1000), Order::ZERO, FreeError::Wild),
            (VirtAddr::new(usize::MAX & !0xfff), Order::MAX, FreeError::Wild),
        ];
        for (addr, order, error) in cases {
            let (log, before, refused) = (Log::from_here(), free_blocks(), memory().pages().events().bad_frees);
            assert_eq!(memory().free_pages(addr, order), Err(error), "{addr:?}");
            assert!(log.shows("free_pages: ") && log.shows(error.reason()) && log.shows("tests/buddy.rs"));
            assert_eq!((free_blocks(), memory().pages().events().bad_frees), (before, refused + 1));
            assert_eq!(memory().validate(), Ok(()));
        }
        // SAFETY: the block is still ours.
        assert!(unsafe { is_stamped(block, order(2).bytes(), 3) });
        assert_eq!(memory().free_pages(block, order(2)), Ok(()));
        assert_eq!(memory().free_pages(VirtAddr::new(0), order(2)), Ok(()));
        assert_eq!(memory().kfree(object.as_ptr()), Ok(()));
    });
}

#[test_case]
fn the_page_array_has_sixteen_bytes_a_frame() {
    let map = memory().pages().map();
    assert_eq!(size_of::<Page>(), 16);
    let page = memory().alloc_pages(KERNEL, Order::ZERO).unwrap();
    let entry = map.get(page).unwrap();
    assert_eq!(VirtAddr::from_ptr(entry), PAGE_ARRAY.add(16 * page.index()));
    assert_eq!(entry.state(), PageState::Allocated(Order::ZERO));
    assert!(map.bytes() <= 16 * (map.frames() as usize).next_multiple_of(512));
    assert!(map.get(Pfn::new(u32::MAX)).is_none());
    memory().free_frames(page, Order::ZERO).unwrap();
}

#[test_case]
fn the_null_page_is_not_mapped() {
    for offset in [0, 1, 8, 0x7ff, 0xfff] {
        assert_eq!(probe_read(VirtAddr::new(offset)), Err(Fault));
        // SAFETY: nothing is there.
        assert_eq!(unsafe { probe_write(VirtAddr::new(offset), 1) }, Err(Fault));
    }
    assert_eq!(tables::translate(VirtAddr::new(0)), None);
}

#[test_case]
fn text_and_constants_are_not_writable_and_data_is() {
    static CONSTANT: [u8; 64] = [42; 64];
    let text = VirtAddr::from_ptr(probe_write as *const u8);
    for addr in [text, VirtAddr::from_ptr(&raw const CONSTANT), VirtAddr::from_ptr("literal".as_ptr())] {
        let byte = probe_read(addr).unwrap();
        // SAFETY: the write is expected to fail; writing back what is there harms nobody if it does not.
        assert_eq!(unsafe { probe_write(addr, byte) }, Err(Fault), "{addr:?}");
        // Nor is there another way to it: the direct map leaves the image out.
        let alias = direct(tables::translate(addr.page_down()).unwrap().phys());
        assert_eq!(probe_read(alias), Err(Fault), "{addr:?}");
    }
    let mut local = 1u8;
    // SAFETY: the byte is ours.
    assert_eq!(unsafe { probe_write(VirtAddr::from_ptr(&raw mut local), 2) }, Ok(()));
    assert_eq!(black_box(local), 2);
}

/// The last test, by its name: it ends in a panic.
#[test_case]
fn writable_memory_cannot_be_executed() {
    const RETURN: u8 = 0xc3;
    let page = memory().get_free_pages(KERNEL, Order::ZERO).unwrap();
    // SAFETY: the page is ours.
    unsafe { page.as_mut_ptr::<u8>().write(RETURN) };
    kernel::testing::expect_panic("page fault: ");
    // SAFETY: the code there is a single return, if it may be run at all.
    let code = unsafe { core::mem::transmute::<*mut u8, extern "C" fn()>(page.as_mut_ptr()) };
    code();
}
