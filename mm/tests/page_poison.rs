//! `page_poison=1`: a write to a free page is found when it is used again.

mod common;

use common::{ATOMIC, KERNEL, Kernel, at_rest, blocks, boot_high};
use mm::objects::{DebugChoice, DebugFlags};
use mm::{GfpFlags, Order, PAGE_SIZE, Pfn, PfnRange, VirtAddr, ZoneKind};

/// 24 MiB, of which 4 are high memory.
fn boot() -> mm::testing::Booted {
    let memory = boot_high(24, 20);
    memory.pages().poison_pages();
    memory
}

fn with_page<R>(memory: Kernel, frame: Pfn, f: impl FnOnce(&mut [u8]) -> R) -> R {
    let shown = memory.kmap_atomic(frame).expect("a window");
    let at: VirtAddr = shown.addr();
    // SAFETY: the frame is the test's, or free on a machine where nothing else runs.
    f(unsafe { core::slice::from_raw_parts_mut(at.as_mut_ptr(), PAGE_SIZE) })
}

#[test]
fn free_pages_are_poisoned_from_the_start_and_nothing_is_reported_without_reason() {
    let memory = boot_high(24, 20);
    let before = blocks(*memory);
    memory.pages().poison_pages();
    assert_eq!(blocks(*memory), before);
    let pages = common::hoard(*memory, ATOMIC | GfpFlags::HIGHMEM);
    pages.iter().for_each(|&page| with_page(*memory, page, |bytes| bytes.fill(1)));
    common::give(*memory, pages);
    let pages = common::hoard(*memory, ATOMIC | GfpFlags::HIGHMEM);
    common::give(*memory, pages);
    for order in Order::all() {
        for gfp in [KERNEL, ATOMIC, GfpFlags::HIGHUSER, GfpFlags::DMA] {
            let block = memory.alloc_pages(gfp, order).expect("memory");
            with_page(*memory, block, |bytes| bytes.fill(2));
            memory.free_frames(block, order).expect("a right free");
            with_page(*memory, block, |bytes| assert!(bytes.iter().all(|&byte| byte == 0xaa)));
        }
    }
    let area = memory.vmalloc(20 * PAGE_SIZE).expect("memory");
    memory.vfree(area).expect("a right free");
    let objects: Vec<_> = (0..1000).map(|_| memory.kmalloc(1000, KERNEL).expect("memory")).collect();
    objects.into_iter().for_each(|object| memory.kfree(object.as_ptr()).expect("a right free"));
    let page = memory.get_zeroed_page(KERNEL).expect("memory");
    memory.free_page(page).expect("a right free");
    assert!(!memory.pages().clear_ahead());
    memory.drop_caches();
    memory.release(PfnRange::new(Pfn::new(0), Pfn::new(1))).expect("no zone has it");
    let pages = common::hoard(*memory, ATOMIC | GfpFlags::HIGHMEM);
    common::give(*memory, pages);
    at_rest(*memory);
}

#[test]
fn a_write_to_a_free_page_is_reported_when_it_is_allocated_again() {
    let memory = boot();
    let mut zones = [false; ZoneKind::COUNT];
    for gfp in [KERNEL, GfpFlags::HIGHUSER, GfpFlags::DMA] {
        for order in [0, 1, 3, 9].map(common::order) {
            let block = memory.alloc_pages(gfp, order).expect("memory");
            zones[memory.pages().direct().zone_of(block) as usize] = true;
            memory.free_frames(block, order).expect("a right free");
            let page = block.add(order.pages() - 1);
            with_page(*memory, page, |bytes| bytes[4000..4003].fill(0x42));
            assert_eq!(memory.alloc_pages(gfp, order), Ok(block));
            let report = format!(
                "page poison: pfn {:#x} written after free: byte 4000: 42 42 42 aa aa aa aa aa (bytes 4000 to 4002)",
                page.as_u32()
            );
            assert_eq!(memory.platform().take_reports(), [report]);
            memory.free_frames(block, order).expect("a right free");
        }
    }
    assert_eq!(zones, [true; 3]);
    at_rest(*memory);
}

#[test]
fn a_write_is_found_wherever_its_page_goes_next() {
    let memory = boot();
    let stain = || {
        let page = memory.alloc_pages(KERNEL, Order::ZERO).expect("memory");
        memory.free_frames(page, Order::ZERO).expect("a right free");
        with_page(*memory, page, |bytes| bytes[4095] = 0);
    };
    let found = |what: &str| {
        let reports = memory.platform().take_reports();
        assert!(
            reports.len() == 1 && reports[0].ends_with("byte 4095: 00 (bytes 4095 to 4095)"),
            "{what}: {reports:?}"
        );
    };
    stain();
    let page = memory.get_zeroed_page(KERNEL).expect("memory");
    found("a zeroed page");
    memory.free_page(page).expect("a right free");
    stain();
    let mut pages = [Pfn::new(0); 10];
    assert_eq!(memory.pages().alloc_pages_bulk(KERNEL, &mut pages), 10);
    found("several pages");
    assert_eq!(memory.free_pages_bulk(&pages), 0);
    stain();
    let object = memory.kmalloc(256, KERNEL).expect("memory");
    found("a slab");
    memory.kfree(object.as_ptr()).expect("a right free");
    at_rest(*memory);
}

#[test]
fn pages_are_zero_where_that_is_asked_for_too() {
    for all in [DebugFlags::ZERO_ON_ALLOC, DebugFlags::ZERO_ON_FREE] {
        let memory = boot();
        memory.set_slab_debug(DebugChoice { all, ..DebugChoice::NONE });
        for gfp in [KERNEL, GfpFlags::HIGHUSER] {
            let block = memory.alloc_pages(gfp, Order::ZERO).expect("memory");
            with_page(*memory, block, |bytes| bytes.fill(7));
            memory.free_frames(block, Order::ZERO).expect("a right free");
            with_page(*memory, block, |bytes| bytes[9] = 7);
            assert_eq!(memory.alloc_pages(gfp, Order::ZERO), Ok(block));
            assert_eq!(memory.platform().take_reports().len(), 1);
            with_page(*memory, block, |bytes| assert!(bytes.iter().all(|&byte| byte == 0)));
            memory.free_frames(block, Order::ZERO).expect("a right free");
        }
        at_rest(*memory);
    }
}
