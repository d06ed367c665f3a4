//! `init_on_alloc=1` and `init_on_free=1`: every page is zeroed.
//!
//! Pages of every zone and every call; nothing else changes.

mod common;

use common::{ATOMIC, KERNEL, Kernel, at_rest, blocks, boot_high, order};
use mm::objects::{DebugChoice, DebugFlags};
use mm::{FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, VirtAddr, ZoneKind};

/// 32 MiB, of which 16 are high memory.
fn boot(all: DebugFlags) -> mm::testing::Booted {
    let memory = boot_high(32, 16);
    memory.set_slab_debug(DebugChoice { all, ..DebugChoice::NONE });
    memory
}

fn with_page<R>(memory: Kernel, frame: Pfn, f: impl FnOnce(&mut [u8]) -> R) -> R {
    let addr: VirtAddr = memory.kmap(frame).expect("a window");
    // SAFETY: the frame is the test's, or free on a machine where nothing else runs.
    let result = f(unsafe { core::slice::from_raw_parts_mut(addr.as_mut_ptr(), PAGE_SIZE) });
    memory.kunmap(frame).expect("it was shown");
    result
}

fn soil(memory: Kernel, block: Pfn, order: Order) {
    (0..order.pages()).for_each(|page| with_page(memory, block.add(page), |bytes| bytes.fill(0xa5)));
}

fn is_clean(memory: Kernel, block: Pfn, order: Order) -> bool {
    let clean = |page| with_page(memory, block.add(page), |bytes| bytes.iter().all(|&byte| byte == 0));
    (0..order.pages()).all(clean)
}

fn is_soiled(memory: Kernel, block: Pfn, order: Order) -> bool {
    let soiled = |page| with_page(memory, block.add(page), |bytes| bytes.iter().all(|&byte| byte == 0xa5));
    (0..order.pages()).all(soiled)
}

/// Writes to all memory that requests of any kind can get, and frees it.
fn soil_all(memory: Kernel) {
    let pages = common::hoard(memory, ATOMIC | GfpFlags::HIGHMEM);
    pages.iter().for_each(|&page| soil(memory, page, Order::ZERO));
    common::give(memory, pages);
}

#[test]
fn pages_are_zeroed_when_they_are_allocated() {
    let memory = boot(DebugFlags::ZERO_ON_ALLOC);
    soil_all(*memory);
    let mut zones = [false; ZoneKind::COUNT];
    for order in Order::all() {
        for gfp in [KERNEL, ATOMIC, GfpFlags::HIGHUSER, GfpFlags::DMA] {
            let block = memory.alloc_pages(gfp, order).expect("memory");
            assert!(is_clean(*memory, block, order), "{order:?} {gfp:?}");
            zones[memory.pages().direct().zone_of(block) as usize] = true;
            soil(*memory, block, order);
            memory.free_frames(block, order).expect("a right free");
            assert!(is_soiled(*memory, block, order), "a free leaves it");
        }
    }
    assert!(zones[ZoneKind::Dma as usize] && zones[ZoneKind::HighMem as usize]);
    let mut pages = [Pfn::new(0); 100];
    assert_eq!(memory.pages().alloc_pages_bulk(GfpFlags::HIGHUSER, &mut pages), 100);
    assert!(pages.iter().all(|&page| is_clean(*memory, page, Order::ZERO)));
    assert_eq!(memory.free_pages_bulk(&pages), 0);
    let area = memory.vmalloc(20 * PAGE_SIZE).expect("memory");
    // SAFETY: the area is ours and that long.
    let bytes = unsafe { core::slice::from_raw_parts_mut(area.as_mut_ptr::<u8>(), 20 * PAGE_SIZE) };
    assert!(bytes.iter().all(|&byte| byte == 0));
    bytes.fill(1);
    memory.vfree(area).expect("a right free");
    at_rest(*memory);
}

#[test]
fn pages_are_zeroed_when_they_are_freed() {
    let memory = boot(DebugFlags::ZERO_ON_FREE);
    for order in Order::all() {
        for gfp in [KERNEL, ATOMIC, GfpFlags::HIGHUSER, GfpFlags::DMA] {
            let block = memory.alloc_pages(gfp, order).expect("memory");
            soil(*memory, block, order);
            assert!(memory.get_page(block));
            memory.free_frames(block, order).expect("a right free");
            assert!(is_soiled(*memory, block, order), "it still has another owner");
            memory.free_frames(block, order).expect("a right free");
            assert!(is_clean(*memory, block, order), "{order:?} {gfp:?}");
        }
    }
    let area = memory.vmalloc(20 * PAGE_SIZE).expect("memory");
    let frames: Vec<_> =
        (0..20).map(|page| memory.areas().frame_at(area.add(page * PAGE_SIZE)).expect("mapped")).collect();
    frames.iter().for_each(|&frame| soil(*memory, frame, Order::ZERO));
    memory.vfree(area).expect("a right free");
    assert!(frames.iter().all(|&frame| is_clean(*memory, frame, Order::ZERO)), "at once, with its own flush");
    soil_all(*memory);
    let pages = common::hoard(*memory, ATOMIC | GfpFlags::HIGHMEM);
    assert!(pages.iter().all(|&page| is_clean(*memory, page, Order::ZERO)));
    common::give(*memory, pages);
    at_rest(*memory);
}

#[test]
fn wrong_frees_clear_nothing() {
    // Shows: K4
    let memory = boot(DebugFlags::ZERO_ON_FREE);
    let block = memory.alloc_pages(GfpFlags::HIGHUSER, order(2)).expect("memory");
    soil(*memory, block, order(2));
    assert_eq!(memory.free_frames(block, order(1)), Err(FreeError::WrongOrder));
    assert_eq!(memory.free_frames(block.add(1), order(0)), Err(FreeError::Interior));
    assert!(is_soiled(*memory, block, order(2)));
    memory.free_frames(block, order(2)).expect("a right free");
    assert_eq!(memory.free_frames(block, order(2)), Err(FreeError::DoubleFree));
    assert_eq!(memory.platform().take_reports().len(), 3);
    at_rest(*memory);
}

#[test]
fn no_page_passes_by_its_zone_while_pages_are_zeroed() {
    // Shows: S4, K1
    for flags in [DebugFlags::ZERO_ON_ALLOC, DebugFlags::ZERO_ON_FREE] {
        let memory = boot_high(32, 16);
        let warm: Vec<_> = (0..200).map(|_| memory.alloc_pages(KERNEL, Order::ZERO).expect("memory")).collect();
        common::give(*memory, warm);
        assert!(common::zones(*memory).iter().any(|zone| zone.cached > 0));
        memory.set_slab_debug(DebugChoice { all: flags, ..DebugChoice::NONE });
        let start = blocks(*memory);
        let waiting = || common::zones(*memory).iter().map(|zone| zone.depot + zone.cached).sum::<usize>();
        for _ in 0..3 {
            let pages: Vec<_> = (0..200).map(|_| memory.get_free_pages(KERNEL, Order::ZERO).expect("memory")).collect();
            pages.into_iter().for_each(|page| memory.free_page(page).expect("a right free"));
            let page = memory.get_zeroed_page(KERNEL).expect("memory");
            memory.free_page(page).expect("a right free");
            assert!(!memory.pages().clear_ahead() && waiting() == 0, "{flags:?}");
        }
        assert_eq!(blocks(*memory), start, "{flags:?}");
        let pages = common::hoard(*memory, ATOMIC | GfpFlags::HIGHMEM);
        assert_eq!(memory.pages().free_pages_total(), 0, "GFP_ATOMIC reaches the last page all the same");
        common::give(*memory, pages);
        memory.set_slab_debug(DebugChoice::NONE);
        let page = memory.alloc_pages(KERNEL, Order::ZERO).expect("memory");
        common::give(*memory, [page]);
        assert!(waiting() > 0, "magazines are back in use");
        at_rest(*memory);
    }
}
