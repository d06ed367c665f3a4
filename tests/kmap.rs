//! High memory: pages outside of the direct map, by kmap and by vmalloc.
//!
//! Machine: APPEND="highmem=64M min_free_kbytes=2048"
//! Machine: FIRMWARE=uefi APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::{KERNEL, conserves, in_interrupt, is_stamped, merged, stamp};
use kapi::{OpenFlags, Whence};
use kernel::arch::layout::{KERNEL_IMAGE, KMAP_START, direct};
use kernel::arch::paging;
use kernel::debug::probe::{Fault, probe_read};
use kernel::fs;
use kernel::testing::memory;
use mm::kmap::WINDOWS;
use mm::{GfpFlags, Order, PAGE_SIZE, Pfn, ZoneKind};

kernel::test_kernel!(test_main);

#[test_case]
fn a_page_of_high_memory_shows_in_a_window_only() {
    // Shows: K5
    conserves(|| {
        let page = memory().alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).unwrap();
        assert_eq!(memory().pages().direct().zone_of(page), ZoneKind::HighMem);
        assert_eq!(probe_read(direct(page.phys())), Err(Fault));
        let at = memory().kmap(page).unwrap();
        assert!(KMAP_START <= at && at < KERNEL_IMAGE);
        // SAFETY: the page is ours, and shows there.
        unsafe { stamp(at, PAGE_SIZE, 7) };
        memory().kunmap(page).unwrap();
        assert!(probe_read(at).is_ok(), "stale until it is recycled");
        let again = memory().kmap_atomic(page).unwrap();
        assert_ne!(again.addr(), at);
        // SAFETY: as above.
        assert!(unsafe { is_stamped(again.addr(), PAGE_SIZE, 7) });
        let gone = again.addr();
        drop(again);
        assert_eq!(probe_read(gone), Err(Fault));
        memory().free_frames(page, Order::ZERO).unwrap();
    });
}

#[test_case]
fn a_stale_window_is_flushed_before_it_shows_another_page() {
    conserves(|| {
        let mut pages = [Pfn::new(0); WINDOWS + 1];
        assert_eq!(memory().pages().alloc_pages_bulk(GfpFlags::HIGHUSER, &mut pages), pages.len());
        let (&first, others) = pages.split_first().unwrap();
        let at = memory().kmap(first).unwrap();
        // SAFETY: the page is ours, and shows there.
        unsafe { stamp(at, PAGE_SIZE, 7) };
        memory().kunmap(first).unwrap();
        let flushes = paging::flushes();
        for (nth, &page) in others.iter().enumerate() {
            let shown = memory().kmap(page).unwrap();
            assert_eq!(shown == at, nth == WINDOWS - 1, "clean windows come first");
            // SAFETY: as above.
            unsafe { stamp(shown, PAGE_SIZE, 9) };
        }
        assert_eq!(paging::flushes(), flushes + 1);
        // SAFETY: as above; the last page shows there now.
        assert!(unsafe { is_stamped(at, PAGE_SIZE, 9) });
        let kept = memory().kmap_atomic(first).unwrap();
        // SAFETY: as above.
        assert!(unsafe { is_stamped(kept.addr(), PAGE_SIZE, 7) });
        drop(kept);
        others.iter().for_each(|&page| memory().kunmap(page).unwrap());
        assert_eq!(memory().free_pages_bulk(&pages), 0);
    });
}

#[test_case]
fn vmalloc_takes_high_memory_first() {
    conserves(|| {
        let area = memory().vmalloc(20 * PAGE_SIZE).unwrap();
        let low = memory().vmalloc_32(20 * PAGE_SIZE).unwrap();
        for page in (0..20).map(|page| page * PAGE_SIZE) {
            let zone = |at| memory().pages().direct().zone_of(memory().areas().frame_at(at).unwrap());
            assert_eq!(zone(area.add(page)), ZoneKind::HighMem);
            assert_ne!(zone(low.add(page)), ZoneKind::HighMem);
        }
        // SAFETY: the area is ours.
        unsafe { stamp(area, 20 * PAGE_SIZE, 3) };
        // SAFETY: as above.
        assert!(unsafe { is_stamped(area, 20 * PAGE_SIZE, 3) });
        memory().vfree(area).unwrap();
        memory().vfree(low).unwrap();
    });
}

#[test_case]
fn files_lie_in_high_memory() {
    // The directory keeps the room that its first name takes.
    drop(fs::open(&fs::Place::root(), "/tmp/high", OpenFlags::WRITE | OpenFlags::CREATE, 0o666).unwrap());
    fs::unlink(&fs::Place::root(), "/tmp/high").unwrap();
    conserves(|| {
        let free = |zone| {
            memory().pages().zone_stats(zone).blocks.iter().enumerate().map(|(log2, n)| n << log2).sum::<usize>()
        };
        merged();
        let before = (free(ZoneKind::HighMem), free(ZoneKind::Normal));
        let file =
            fs::open(&fs::Place::root(), "/tmp/high", OpenFlags::WRITE | OpenFlags::READ | OpenFlags::CREATE, 0o666)
                .unwrap();
        let bytes = [0x5a; PAGE_SIZE];
        for _ in 0..100 {
            file.write_all(&bytes).unwrap();
        }
        merged();
        assert_eq!(before.0 - free(ZoneKind::HighMem), 100);
        assert!(before.1 - free(ZoneKind::Normal) < 20);
        file.llseek(99 * PAGE_SIZE as i64 - 1, Whence::Start).unwrap();
        let mut two = [0; 2];
        assert_eq!((file.read_bytes(&mut two), two), (Ok(2), [0x5a; 2]));
        drop(file);
        fs::unlink(&fs::Place::root(), "/tmp/high").unwrap();
    });
}

#[test_case]
fn kmap_atomic_is_for_interrupts_too() {
    conserves(|| {
        in_interrupt(|| {
            let page = memory().alloc_pages(GfpFlags::ATOMIC | GfpFlags::HIGHMEM, Order::ZERO).unwrap();
            let shown = memory().kmap_atomic(page).unwrap();
            // SAFETY: the page is ours, and shows there.
            unsafe { stamp(shown.addr(), PAGE_SIZE, 1) };
            drop(shown);
            memory().free_frames(page, Order::ZERO).unwrap();
        });
        assert!(memory().kmalloc(100, KERNEL).map(|object| memory().kfree(object.as_ptr())).is_ok());
    });
}
