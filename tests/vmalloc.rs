//! vmalloc: areas page by page, guard pages, fresh translations, refusals.
//!
//! Machine: MEM=32M
//! Machine: MEM=96M APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use common::{ATOMIC, EVERYTHING, Hoard, KERNEL, Log, byte_of, conserves, in_interrupt, is_stamped, order, stamp};
use kernel::arch::layout::{DIRECT_MAP, DIRECT_MAP_BYTES, VMALLOC_END, VMALLOC_START};
use kernel::debug::probe::{Fault, probe_read, probe_write};
use kernel::mm::{KString, VmArea};
use kernel::sync::SpinLock;
use kernel::testing::memory;
use mm::{Buffer, FreeError, Order, PAGE_SIZE, PhysAddr, VirtAddr};

kernel::test_kernel!(test_main);

/// The pages of `pages` pages from `start` on.
fn pages(start: VirtAddr, pages: usize) -> impl Iterator<Item = VirtAddr> {
    (0..pages).map(move |page| start.add(page * PAGE_SIZE))
}

#[test_case]
fn areas_are_seventeen_pages_apart() {
    // Shows: K12, S52
    conserves(|| {
        let areas = [(); 4].map(|()| VmArea::new(16 * PAGE_SIZE).unwrap());
        for area in &areas {
            assert!(VMALLOC_START <= area.addr() && area.addr().add(17 * PAGE_SIZE) <= VMALLOC_END);
        }
        for pair in areas.windows(2) {
            assert_eq!(pair[1].addr().as_usize() - pair[0].addr().as_usize(), 0x11000);
        }
    });
}

#[test_case]
fn content_crosses_pages_that_are_not_neighbours() {
    // Shows: S51, K16
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(EVERYTHING);
        // Free memory in which no two frames are adjacent.
        hoard.release(200, |page| page.as_u32() % 2 == 1);
        assert!(memory().alloc_pages(ATOMIC, order(1)).is_err());
        let bytes = 50 * PAGE_SIZE;
        let area = memory().vmalloc(bytes).unwrap();
        let frames = |page: VirtAddr| memory().areas().frame_at(page).unwrap().as_u32();
        for page in pages(area, 49) {
            assert_ne!(frames(page) + 1, frames(page.add(PAGE_SIZE)));
        }
        // SAFETY: the area is ours.
        unsafe { stamp(area, bytes, 4) };
        // SAFETY: as above.
        assert!(unsafe { is_stamped(area, bytes, 4) });
        for page in pages(area, 50) {
            // The page itself has the same bytes.
            assert_eq!(Ok(byte_of(memory().areas().frame_at(page).unwrap(), 77)), probe_read(page.add(77)));
        }
        memory().vfree(area).unwrap();
    });
}

#[test_case]
fn sizes_are_rounded_up_to_whole_pages() {
    // Shows: S59
    conserves(|| {
        for (bytes, expected) in [(1, 1), (PAGE_SIZE, 1), (PAGE_SIZE + 1, 2), (5 * PAGE_SIZE - 1, 5)] {
            let area = VmArea::new(bytes).unwrap();
            assert_eq!(area.bytes().len(), expected * PAGE_SIZE);
            assert_eq!(probe_read(area.addr().add(expected * PAGE_SIZE - 1)).map(|_| ()), Ok(()));
            assert_eq!(probe_read(area.addr().add(expected * PAGE_SIZE)), Err(Fault));
        }
    });
}

#[test_case]
fn the_guard_page_faults_and_the_fault_is_survived() {
    // Shows: K12
    conserves(|| {
        let (first, second) = (VmArea::new(3 * PAGE_SIZE).unwrap(), VmArea::new(PAGE_SIZE).unwrap());
        for area in [&first, &second] {
            let guard = memory().areas().area_at(area.addr()).unwrap().guard();
            assert_eq!(guard, area.addr().add(area.bytes().len()));
            for offset in [0, 8, PAGE_SIZE - 1] {
                assert_eq!(probe_read(guard.add(offset)), Err(Fault));
                // SAFETY: nothing is there.
                assert_eq!(unsafe { probe_write(guard.add(offset), 1) }, Err(Fault));
            }
        }
    });
}

#[test_case]
fn a_freed_area_faults_once_the_tlb_is_flushed() {
    conserves(|| {
        // Few pages are dropped from the TLB one by one, many all at once.
        for count in [1, 2, 15, 16, 17, 40] {
            let area = memory().vmalloc(count * PAGE_SIZE).unwrap();
            for page in pages(area, count) {
                // From here on the translation is cached.
                // SAFETY: the area is ours.
                assert_eq!(unsafe { probe_write(page, 1) }, Ok(()));
                assert_eq!(probe_read(page), Ok(1));
            }
            assert_eq!(memory().vfree(area), Ok(()));
            memory().vm_unmap_aliases();
            for page in pages(area, count) {
                assert_eq!(probe_read(page), Err(Fault), "{count} pages");
                // SAFETY: nothing is there.
                assert_eq!(unsafe { probe_write(page, 2) }, Err(Fault), "{count} pages");
            }
        }
    });
}

#[test_case]
fn an_address_that_is_used_again_shows_its_new_pages() {
    conserves(|| {
        let blocker = memory().vmalloc(PAGE_SIZE).unwrap();
        let first = memory().vmalloc(4 * PAGE_SIZE).unwrap();
        // SAFETY: the area is ours.
        unsafe { stamp(first, 4 * PAGE_SIZE, 1) };
        memory().vfree(first).unwrap();
        memory().vm_unmap_aliases();
        // Other pages than before.
        let taken = [(); 8].map(|()| memory().get_free_pages(KERNEL, Order::ZERO).unwrap());
        let second = memory().vmalloc(4 * PAGE_SIZE).unwrap();
        assert_eq!(second, first);
        // SAFETY: the area is ours.
        unsafe { stamp(second, 4 * PAGE_SIZE, 2) };
        for page in pages(second, 4) {
            assert_eq!(Ok(byte_of(memory().areas().frame_at(page).unwrap(), 9)), probe_read(page.add(9)));
        }
        for page in taken {
            memory().free_page(page).unwrap();
        }
        memory().vfree(second).unwrap();
        memory().vfree(blocker).unwrap();
    });
}

/// Reads through translations that were in the TLB when their area was freed. The TLB may have lost them meanwhile.
#[test_case]
fn no_stale_translation_leads_to_memory_of_a_new_owner() {
    conserves(|| {
        let area = memory().vmalloc(8 * PAGE_SIZE).unwrap();
        // SAFETY: the area is ours.
        unsafe { stamp(area, 8 * PAGE_SIZE, 3) };
        memory().vfree(area).unwrap();
        let old = |page: VirtAddr| probe_read(page).is_err() || probe_read(page) == Ok(stamped(page, area));
        // Nobody else has the pages yet, whatever the TLB says.
        assert!(pages(area, 8).all(old));
        let taken = [(); 64].map(|()| memory().get_free_pages(ATOMIC, Order::ZERO).unwrap());
        for page in taken {
            // SAFETY: the page is ours.
            unsafe { page.as_mut_ptr::<u8>().write_bytes(0xee, PAGE_SIZE) };
        }
        assert!(pages(area, 8).all(old));
        memory().vm_unmap_aliases();
        // Now they may have a new owner, and nothing leads to them any more.
        let next = memory().vmalloc(64 * PAGE_SIZE).unwrap();
        // SAFETY: the area is ours.
        unsafe { next.as_mut_ptr::<u8>().write_bytes(0xdd, 64 * PAGE_SIZE) };
        assert!(pages(area, 8).all(|page| probe_read(page) == Err(Fault)));
        memory().vfree(next).unwrap();
        for page in taken {
            memory().free_page(page).unwrap();
        }
    });
}

#[test_case]
fn a_range_has_no_new_owner_before_its_flush() {
    conserves(|| {
        // An owner's addresses show the pages that are the owner's now, whoever had the addresses a moment ago.
        for round in 0..100 {
            let areas = [(); 2].map(|()| memory().vmalloc(4 * PAGE_SIZE).unwrap());
            for page in areas.into_iter().flat_map(|area| pages(area, 4)) {
                // SAFETY: the area is ours.
                assert_eq!(unsafe { probe_write(page, round) }, Ok(()));
                assert_eq!(byte_of(memory().areas().frame_at(page).unwrap(), 0), round);
            }
            for area in areas {
                memory().vfree(area).unwrap();
            }
        }
    });
}

/// What [`stamp`] wrote to the first byte of a page, with seed 3.
fn stamped(page: VirtAddr, area: VirtAddr) -> u8 {
    let offset = page.as_usize() - area.as_usize();
    (offset ^ (offset >> 8) ^ 303) as u8
}

static AREA: AtomicUsize = AtomicUsize::new(0);

/// Every call of this file's subject, each of which may sleep and is therefore refused.
fn try_everything() {
    let area = VirtAddr::new(AREA.load(SeqCst));
    assert!(memory().vmalloc(PAGE_SIZE).is_err());
    assert_eq!(memory().vfree(area), Err(FreeError::WrongContext));
    assert!(memory().ioremap(PhysAddr::new(0xfed0_0000), 8).is_err());
    assert_eq!(memory().iounmap(area), Err(FreeError::WrongContext));
}

#[test_case]
fn refused_where_the_caller_may_not_sleep() {
    // Shows: S61, K11
    static LOCK: SpinLock<()> = SpinLock::new(());
    conserves(|| {
        let area = memory().vmalloc(PAGE_SIZE).unwrap();
        AREA.store(area.as_usize(), SeqCst);
        let places: [(&str, fn()); 2] = [
            ("interrupt context", || in_interrupt(try_everything)),
            ("atomic context", || LOCK.with(|()| try_everything())),
        ];
        for (context, attempt) in places {
            let (log, refused) = (Log::from_here(), memory().pages().events().wrong_contexts);
            attempt();
            assert_eq!(memory().pages().events().wrong_contexts, refused + 4);
            for call in ["vmalloc", "vfree", "ioremap", "iounmap"] {
                let line = KString::try_format(format_args!("{call}: may sleep, called in {context}")).unwrap();
                assert!(log.shows(&line), "{line}");
            }
        }
        assert!(memory().areas().area_at(area).is_some());
        memory().vfree(area).unwrap();
    });
}

#[test_case]
fn more_than_the_machine_has_is_refused() {
    // Shows: S58
    conserves(|| {
        let log = Log::from_here();
        let all = memory().pages().managed_pages() * PAGE_SIZE;
        for bytes in [0, all + 1, usize::MAX] {
            assert!(memory().vmalloc(bytes).is_err());
        }
        assert!(log.shows("vmalloc: size is zero or exceeds the machine's memory"));
        // As much as there is, but not free: pages that were taken before it failed are given back.
        assert!(memory().vmalloc(all).is_err());
        assert!(log.shows("__alloc_pages: 0-order allocation failed."));
    });
}

#[test_case]
fn page_tables_that_map_nothing_are_pruned() {
    conserves(|| {
        let tables = memory().tables().count();
        // Three level-one tables at least.
        let area = memory().vmalloc(1100 * PAGE_SIZE).unwrap();
        assert!(memory().tables().count() >= tables + 2);
        memory().vfree(area).unwrap();
        memory().drop_caches();
        assert_eq!(memory().tables().count(), tables);
    });
}

#[test_case]
fn its_addresses_have_no_place_in_the_direct_map() {
    // Shows: S54
    conserves(|| {
        let area = memory().vmalloc(2 * PAGE_SIZE).unwrap();
        let log = Log::from_here();
        assert_eq!(memory().frame_of(area), None);
        assert_eq!(memory().free_pages(area, Order::ZERO), Err(FreeError::Wild));
        assert_eq!(memory().kfree(area.as_mut_ptr()), Err(FreeError::Wild));
        assert!(log.shows("free_pages: ") && log.shows("kfree: "));
        memory().vfree(area).unwrap();
    });
}

#[test_case]
fn its_range_lies_apart_from_kmallocs_addresses() {
    // Shows: S52, S53
    let range = VMALLOC_START..VMALLOC_END;
    let direct = DIRECT_MAP..DIRECT_MAP.add(DIRECT_MAP_BYTES);
    assert!(direct.end <= range.start, "the ranges do not overlap, however much memory there is");
    conserves(|| {
        for size in (5..=17).map(|log2| 1 << log2) {
            let (object, area) = (memory().kmalloc(size, KERNEL).unwrap(), memory().vmalloc(size).unwrap());
            let address = VirtAddr::from_ptr(object.as_ptr());
            assert!(direct.contains(&address) && range.contains(&area), "{address:?} {area:?}");
            memory().kfree(object.as_ptr()).unwrap();
            memory().vfree(area).unwrap();
        }
        let device = memory().ioremap(PhysAddr::new(0xfee0_0000), PAGE_SIZE).unwrap();
        assert!(range.contains(&device));
        memory().iounmap(device).unwrap();
    });
}

#[test_case]
fn wrong_frees_are_refused_and_reported() {
    // Shows: K4
    conserves(|| {
        let area = memory().vmalloc(4 * PAGE_SIZE).unwrap();
        let gone = memory().vmalloc(PAGE_SIZE).unwrap();
        let block = memory().get_free_pages(KERNEL, Order::ZERO).unwrap();
        memory().vfree(gone).unwrap();
        let areas = memory().areas().iter().count();
        let cases = [
            (area.add(PAGE_SIZE), FreeError::NoArea, "Trying to vfree() nonexistent vm area ("),
            (area.add(4 * PAGE_SIZE), FreeError::NoArea, "Trying to vfree() nonexistent vm area ("),
            (area.add(1), FreeError::Misaligned, "Trying to vfree() bad address ("),
            (gone, FreeError::NoArea, "Trying to vfree() nonexistent vm area ("),
            (block, FreeError::NoArea, "Trying to vfree() nonexistent vm area ("),
        ];
        for (addr, error, text) in cases {
            let log = Log::from_here();
            assert_eq!(memory().vfree(addr), Err(error));
            assert!(log.shows(text) && log.shows("tests/vmalloc.rs"));
            assert_eq!(memory().areas().iter().count(), areas);
        }
        assert_eq!(probe_read(area).map(|_| ()), Ok(()));
        assert_eq!(memory().vfree(VirtAddr::new(0)), Ok(()));
        assert_eq!(memory().vfree(area), Ok(()));
        assert_eq!(memory().vfree(area), Err(FreeError::NoArea));
        memory().free_page(block).unwrap();
    });
}
