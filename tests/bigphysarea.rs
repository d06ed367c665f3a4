//! bigphysarea: what was set aside at boot is handed out contiguously.
//!
//! Machine: APPEND="bigphysarea=1000"
//! Machine: APPEND="bigphysarea=1000 highmem=64M" FIRMWARE=uefi CPU=max
//! Machine: MEM=64M APPEND="bigphysarea=5000"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::{ATOMIC, KERNEL, Log};
use kernel::mm::bigphysarea::{
    BigBuffer, bigphysarea_alloc, bigphysarea_alloc_pages, bigphysarea_free, bigphysarea_free_pages, stats,
};
use kernel::mm::tables;
use kernel::options;
use kernel::testing::memory;
use mm::own::Buffer;
use mm::{AllocError, FreeError, PAGE_SIZE, VirtAddr};

kernel::test_kernel!(test_main);

fn pages() -> usize {
    options::get().memory.bigphysarea
}

/// Runs `f`, and checks that the area is one free block again.
fn leaves_all_free(f: impl FnOnce()) {
    f();
    let free = stats().unwrap().unwrap().free;
    assert_eq!((free.blocks, free.frames, free.largest), (1, pages(), pages()));
    assert_eq!(memory().validate(), Ok(()));
}

#[test_case]
fn the_whole_area_is_one_contiguous_block() {
    // Shows: S71
    leaves_all_free(|| {
        let mut all = BigBuffer::new(pages() * PAGE_SIZE).unwrap();
        let first = memory().frame_of(all.addr()).unwrap();
        for page in 0..pages() {
            let at = all.addr().add(page * PAGE_SIZE);
            assert_eq!(tables::translate(at), Some(first.add(page as u32)));
            assert!(memory().pages().map().block_of(first.add(page as u32)).is_none(), "not in the pool of pages");
        }
        assert!(all.bytes().iter().all(|&byte| byte == 0));
        all.bytes_mut()[pages() * PAGE_SIZE - 1] = 1;
        assert_eq!(bigphysarea_alloc(1), Err(AllocError));
    });
}

#[test_case]
fn it_lies_at_the_beginning_of_memory() {
    // Shows: S73
    let first = BigBuffer::new(1).unwrap();
    let start = memory().frame_of(first.addr()).unwrap().as_u32();
    assert!(start < memory().pages().map().frames() / 2, "{start} of {}", memory().pages().map().frames());
}

#[test_case]
fn blocks_are_aligned_as_asked_for_and_merge_when_they_are_freed() {
    // Shows: S71
    leaves_all_free(|| {
        let blocks: [VirtAddr; 3] =
            [(3, 0), (100, 64), (7, 5)].map(|(count, align)| bigphysarea_alloc_pages(count, align, KERNEL).unwrap());
        let frame = |addr| memory().frame_of(addr).unwrap().as_u32();
        assert_eq!((frame(blocks[1]) % 64, frame(blocks[2]) % 5), (0, 0));
        assert_eq!(stats().unwrap().unwrap().used.frames, 110);
        for block in blocks {
            assert_eq!(bigphysarea_free_pages(block), Ok(()));
        }
    });
}

#[test_case]
fn wrong_frees_are_reported_and_change_nothing() {
    // Shows: K4
    leaves_all_free(|| {
        let block = bigphysarea_alloc(10 * PAGE_SIZE).unwrap();
        let page = memory().get_zeroed_page(KERNEL).unwrap();
        let area = memory().vmalloc(PAGE_SIZE).unwrap();
        let before = stats().unwrap();
        let log = Log::from_here();
        let wrong = [
            (block.add(PAGE_SIZE), FreeError::Interior),
            (block.add(1), FreeError::Wild),
            (block.add(10 * PAGE_SIZE), FreeError::DoubleFree),
            (page, FreeError::Wild),
            (area, FreeError::Wild),
            (VirtAddr::new(0), FreeError::Wild),
            (VirtAddr::new(usize::MAX), FreeError::Wild),
        ];
        for (addr, error) in wrong {
            assert_eq!(bigphysarea_free(addr), Err(error), "{addr:?}");
        }
        assert!(log.shows("bigphysarea_free_pages(0x00000000), not allocated!"));
        assert_eq!(stats().unwrap(), before);
        memory().free_page(page).unwrap();
        memory().vfree(area).unwrap();
        assert_eq!(bigphysarea_free(block), Ok(()));
        assert_eq!(bigphysarea_free(block), Err(FreeError::DoubleFree));
    });
}

#[test_case]
fn an_interrupt_may_only_ask_without_waiting() {
    // Shows: K11
    leaves_all_free(|| {
        common::in_interrupt(|| {
            assert!(bigphysarea_alloc_pages(1, 1, KERNEL).is_err());
            assert!(bigphysarea_free_pages(bigphysarea_alloc_pages(1, 1, ATOMIC).unwrap()).is_err());
        });
        let used = stats().unwrap().unwrap().used;
        assert_eq!((used.blocks, used.frames), (1, 1), "freed later, by who may wait");
        let first = BigBuffer::new(1).unwrap().addr();
        assert_eq!(bigphysarea_free(first.add(0usize.wrapping_sub(PAGE_SIZE))), Ok(()));
    });
}

#[test_case]
fn impossible_sizes_are_refused() {
    leaves_all_free(|| {
        for count in [0, pages() + 1, usize::MAX, 1 << 32] {
            assert_eq!(bigphysarea_alloc_pages(count, 1, KERNEL), Err(AllocError));
        }
        assert_eq!(bigphysarea_alloc_pages(1, usize::MAX, KERNEL), Err(AllocError));
        assert_eq!(bigphysarea_alloc(0), Err(AllocError));
        assert!(BigBuffer::new(usize::MAX).is_err());
    });
}
