//! vmalloc and ioremap: single pages, guard pages, first fit, refusals.

mod common;

use std::collections::BTreeMap;

use common::{ATOMIC, KERNEL, Kernel, at_rest, blocks, boot, give, hoard, order, slab_pages};
use mm::areas::AreaState;
use mm::testing::{Booted, Event, Machine, Rng, TestKernel};
use mm::{AllocError, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};

const DEVICE: PhysAddr = PhysAddr::new(0xfe00_0000);

fn pages(count: usize) -> usize {
    count * PAGE_SIZE
}

/// A machine with room for `pages` pages of areas.
fn boot_with_addresses(mib: u32, pages: usize) -> Booted {
    TestKernel::boot(&Machine { vmalloc_pages: pages, ..Machine::with_mib(mib) })
}

fn start(memory: Kernel) -> VirtAddr {
    memory.areas().start()
}

#[test]
fn vmalloc_works_when_no_two_free_frames_are_adjacent() {
    // Shows: S51, K16
    let memory = boot(16);
    let (even, odd): (Vec<Pfn>, Vec<Pfn>) = hoard(*memory, ATOMIC).into_iter().partition(|page| page.is_aligned(2));
    give(*memory, odd);
    assert_eq!(memory.get_free_pages(ATOMIC, order(1)), Err(AllocError));
    let area = memory.vmalloc(pages(1000)).expect("single pages are there");
    let frames: Vec<_> =
        (0..1000).map(|page| memory.areas().frame_at(area.add(pages(page))).expect("mapped")).collect();
    assert!(frames.windows(2).all(|two| two[0].add(1) != two[1]));
    // SAFETY: the area is ours.
    unsafe { core::ptr::write_bytes(area.as_mut_ptr::<u8>(), 0x5a, pages(1000)) };
    for &frame in &frames {
        let page = memory.page_address(frame).expect("low memory");
        // SAFETY: the frame belongs to the area.
        assert_eq!(unsafe { page.add(4095).as_mut_ptr::<u8>().read() }, 0x5a);
    }
    memory.vfree(area).expect("a right free");
    assert_eq!(memory.platform().take_reports().len(), 1);
    give(*memory, even);
    at_rest(*memory);
}

#[test]
fn an_area_ends_with_an_unmapped_page() {
    // Shows: K12, S52, S54, S59
    let memory = boot(16);
    let first = memory.vmalloc(1).expect("memory");
    let second = memory.vmalloc(pages(3) - 1).expect("memory");
    let third = memory.ioremap(DEVICE, pages(2)).expect("addresses");
    assert_eq!((first, second, third), (start(*memory), first.add(pages(2)), second.add(pages(4))));
    for (area, count) in [(first, 1), (second, 3), (third, 2)] {
        let info = memory.areas().area_at(area).expect("an area");
        assert_eq!((info.start, info.bytes, info.guard()), (area, pages(count + 1), area.add(pages(count))));
        assert!((0..count).all(|page| memory.areas().frame_at(area.add(pages(page))).is_some()));
        assert_eq!(memory.areas().frame_at(info.guard()), None);
        assert_eq!(memory.frame_of(area), None, "not an address for DMA");
    }
    assert_eq!(memory.areas().iter().map(|area| area.start).collect::<Vec<_>>(), [first, second, third]);
}

#[test]
fn impossible_sizes_are_refused() {
    // Shows: S58
    let memory = boot(8);
    let before = blocks(*memory);
    let ram = memory.pages().managed_pages();
    for size in [0, pages(ram) + 1, usize::MAX] {
        assert_eq!(memory.vmalloc(size), Err(AllocError));
        let expected = "vmalloc: size is zero or exceeds the machine's memory";
        assert_eq!(memory.platform().take_reports(), [expected]);
    }
    assert_eq!(memory.vmalloc(pages(ram - 1)), Err(AllocError), "memory, but not all of it is free");
    assert_eq!(memory.platform().take_reports().len(), 1);
    memory.drop_caches();
    assert_eq!((blocks(*memory), memory.areas().iter().count(), memory.tables().count()), (before, 0, 0));
    at_rest(*memory);
}

#[test]
fn the_address_range_can_be_filled_exactly() {
    let memory = boot_with_addresses(16, 64);
    assert_eq!(memory.vmalloc(pages(64)), Err(AllocError));
    assert_eq!(memory.platform().take_reports(), ["vmalloc: no room in the address range"]);
    let all = memory.vmalloc(pages(63)).expect("63 pages and their guard");
    assert!(all == start(*memory) && memory.vmalloc(1).is_err() && memory.ioremap(DEVICE, 1).is_err());
    memory.vfree(all).expect("a right free");
    let areas: Vec<_> = (0..32).map(|_| memory.vmalloc(1).expect("addresses")).collect();
    assert!(memory.vmalloc(1).is_err() && memory.platform().take_reports().len() == 3);
    areas.into_iter().for_each(|area| memory.vfree(area).expect("a right free"));
    at_rest(*memory);
}

#[test]
fn the_lowest_hole_that_fits_is_taken_even_if_it_fits_exactly() {
    let memory = boot(16);
    // Sizes that have no quantum cache, so that each range is the lowest one.
    let sizes = [40, 33, 50, 33, 36, 33, 50, 33];
    let areas = sizes.map(|count| memory.vmalloc(pages(count)).expect("memory"));
    for hole in [0, 2, 4, 6] {
        memory.vfree(areas[hole]).expect("a right free");
    }
    // The ranges are lazy until then.
    memory.drop_caches();
    let fits = [(50, areas[2]), (50, areas[6]), (36, areas[0]), (40, areas[7].add(pages(34))), (36, areas[4])];
    for (count, expected) in fits {
        assert_eq!(memory.vmalloc(pages(count)), Ok(expected), "{count} pages");
    }
    memory.validate().expect("valid");
}

#[test]
fn many_areas_agree_with_a_naive_first_fit() {
    // Shows: S51
    let seed = 21;
    println!("seed {seed}");
    let (memory, mut rng) = (boot_with_addresses(72, 40_000), Rng::new(seed));
    let (start, end) = (start(*memory).as_usize(), memory.areas().start().as_usize() + memory.areas().total_bytes());
    let before = blocks(*memory);
    let mut naive: BTreeMap<usize, usize> = BTreeMap::new();
    let take = |naive: &mut BTreeMap<usize, usize>, count: usize, hint: usize| {
        let mut at = hint;
        for (&area, &bytes) in naive.range(hint..) {
            if area - at >= pages(count + 1) {
                break;
            }
            at = area + bytes;
        }
        let area = memory.vmalloc(pages(count)).ok().map(VirtAddr::as_usize);
        assert_eq!(area, (end - at >= pages(count + 1)).then_some(at));
        area.map(|area| naive.insert(area, pages(count + 1)));
    };
    for area in 0..15_000 {
        let next = start + pages(2) * area;
        take(&mut naive, 1, next);
    }
    memory.validate().expect("valid");
    for _ in 0..150 {
        for _ in 0..rng.below(20) {
            let nth = rng.below(naive.len());
            let area = *naive.keys().nth(nth).expect("below the length");
            memory.vfree(VirtAddr::new(area)).expect("a right free");
            naive.remove(&area);
        }
        memory.drop_caches();
        take(&mut naive, 1 + rng.below(6), start);
        // Sound and in balance after each step.
        memory.validate().expect("valid");
    }
    assert!(
        memory.areas().iter().map(|area| (area.start.as_usize(), area.bytes)).eq(naive.iter().map(|(&a, &b)| (a, b)))
    );
    naive.keys().for_each(|&area| memory.vfree(VirtAddr::new(area)).expect("a right free"));
    memory.drop_caches();
    assert_eq!((blocks(*memory), memory.tables().count()), (before, 0));
    at_rest(*memory);
}

#[test]
fn page_tables_go_when_they_map_nothing() {
    let memory = boot(16);
    let (low, high) = (memory.vmalloc(pages(511)).expect("memory"), memory.vmalloc(pages(10)).expect("memory"));
    assert_eq!(memory.tables().count(), 3, "two, and the one that leads to them");
    memory.vfree(low).expect("a right free");
    memory.drop_caches();
    assert_eq!(memory.tables().count(), 2, "the second table still maps pages");
    memory.vfree(high).expect("a right free");
    assert_eq!(memory.tables().count(), 2, "kept for the next area");
    memory.drop_caches();
    assert_eq!(memory.tables().count(), 0);
    assert!(memory.vmalloc(pages(600)).is_ok());
}

#[test]
fn frames_are_free_only_after_the_flush() {
    let memory = boot(16);
    let area = memory.vmalloc(pages(3)).expect("memory");
    let frames = [0, 1, 2].map(|page| memory.areas().frame_at(area.add(pages(page))).expect("mapped"));
    memory.platform().record();
    memory.vfree(area).expect("a right free");
    assert_eq!(memory.areas().lazy_pages(), 3);
    assert_eq!((memory.vm_unmap_aliases(), memory.areas().lazy_pages()), (3, 0));
    let events = memory.platform().take_events();
    let unmapped = [0, 1, 2].map(|page| Event::Unmapped(area.add(pages(page))));
    assert_eq!(events[..3], unmapped);
    assert_eq!(events[3], Event::Flushed(area, 3));
    let mut freed = events[4..].to_vec();
    freed.sort_unstable_by_key(|event| if let Event::Freed(frame) = event { frame.as_u32() } else { u32::MAX });
    let mut expected = frames.map(Event::Freed);
    expected.sort_unstable_by_key(|event| if let Event::Freed(frame) = event { frame.as_u32() } else { u32::MAX });
    assert_eq!(freed, expected);
}

#[test]
fn lazy_pages_come_back_before_an_allocation_fails() {
    let memory = boot(64);
    let area = memory.vmalloc(pages(400)).expect("memory");
    let taken = hoard(*memory, ATOMIC);
    memory.vfree(area).expect("a right free");
    assert_eq!(memory.areas().lazy_pages(), 0, "memory is short: they are freed at once");
    give(*memory, taken);
    let area = memory.vmalloc(pages(400)).expect("memory");
    memory.vfree(area).expect("a right free");
    assert_eq!(memory.areas().lazy_pages(), 400);
    let all = hoard(*memory, ATOMIC);
    assert_eq!(all.len(), memory.pages().managed_pages() - slab_pages(*memory) - memory.tables().count());
    give(*memory, all);
    at_rest(*memory);
}

#[test]
fn a_freed_area_is_not_found() {
    // Shows: K4
    let memory = boot(64);
    let area = memory.vmalloc(pages(2)).expect("memory");
    memory.vfree(area).expect("a right free");
    for _ in 0..2 {
        assert_eq!(
            (memory.areas().area_at(area), memory.areas().iter().count(), memory.areas().frame_at(area)),
            (None, 0, None)
        );
        assert_eq!(memory.areas().try_area_at(area).map(|area| area.state), Some(AreaState::Free));
        assert_eq!(memory.vfree(area), Err(FreeError::NoArea));
        assert_eq!(memory.platform().take_reports().len(), 1);
        memory.vm_unmap_aliases();
    }
    memory.drop_caches();
    assert_eq!(memory.areas().try_area_at(area), None);
    at_rest(*memory);
}

#[test]
fn large_device_memory_is_mapped_by_large_pages() {
    // Shows: K16
    let memory = boot(64);
    // An empty table is in the way: it is freed first.
    let small = memory.ioremap(DEVICE, pages(600)).expect("addresses");
    memory.iounmap(small).expect("a right free");
    memory.vm_unmap_aliases();
    let tables = memory.tables().count();
    let large = memory.ioremap(DEVICE, pages(1024)).expect("addresses");
    assert!(large.is_aligned(2 << 20));
    assert!(memory.tables().count() <= tables, "no table below the large pages");
    for page in [0, 1, 511, 512, 1023] {
        assert_eq!(memory.areas().frame_at(large.add(pages(page))), Some(Pfn::new(0xfe000 + page as u32)));
    }
    assert_eq!(memory.areas().frame_at(large.add(pages(1024))), None);
    memory.iounmap(large).expect("a right free");
    memory.drop_caches();
    assert_eq!(memory.tables().count(), 0);
    at_rest(*memory);
}

#[test]
fn a_page_with_a_further_reference_outlives_its_area() {
    let memory = boot(16);
    let area = memory.vmalloc(pages(1)).expect("memory");
    let frame = memory.areas().frame_at(area).expect("mapped");
    assert!(memory.get_page(frame));
    memory.vfree(area).expect("a right free");
    assert_eq!(memory.vm_unmap_aliases(), 1);
    assert_eq!(memory.pages().map().get(frame).map(mm::page::Page::count), Some(1));
    memory.free_frames(frame, Order::ZERO).expect("the last reference");
    at_rest(*memory);
}

#[test]
fn ioremap_takes_no_memory_but_tables() {
    // Shows: S56, S60
    let memory = boot(16);
    let device = memory.ioremap(DEVICE, 1).expect("addresses");
    let free = memory.pages().free_pages_total();
    for (offset, len, count) in [(0, 1, 1), (0x123, 1, 1), (0xfff, 2, 2), (0, 4097, 2), (0xabc, 3 * 4096, 4)] {
        let at = memory.ioremap(PhysAddr::new(0xfe00_0000 + offset as u64), len).expect("addresses");
        assert_eq!(at.page_offset(), offset);
        assert_eq!(memory.pages().free_pages_total(), free, "no page was needed");
        let frame = |page| memory.areas().frame_at(at.add(pages(page)));
        assert!((0..count).all(|page| frame(page) == Pfn::new(0xfe000).add(page as u32).into()));
        assert_eq!(memory.areas().area_at(at).map(|area| area.bytes), Some(pages(count + 1)));
        memory.iounmap(at).expect("a right free");
    }
    memory.iounmap(device).expect("a right free");
    at_rest(*memory);
}

#[test]
fn ioremap_refuses_ram_and_impossible_ranges() {
    // Shows: S56
    let memory = boot(16);
    let page = memory.alloc_pages(KERNEL, Order::ZERO).expect("memory").phys();
    let ram_end = Pfn::new(16 * 256).phys();
    let slab = memory.kmalloc(40_000, KERNEL).expect("memory");
    let slab = memory.frame_of(VirtAddr::from_ptr(slab.as_ptr()).add(PAGE_SIZE)).expect("in the direct map").phys();
    memory.drop_caches();
    let before = blocks(*memory);
    let last = PhysAddr::new(u64::MAX - 10);
    let rows = [
        (page, 1),
        (slab, 1),
        (PhysAddr::new(0x10_0000), 100),
        (PhysAddr::new(0), 5000),
        (DEVICE, 0),
        (last, 100),
        (last, 1),
        (DEVICE, usize::MAX),
        (PhysAddr::new(ram_end.as_u64() - 1), 2),
        (ram_end, 1 << 43),
    ];
    for (phys, len) in rows {
        assert_eq!(memory.ioremap(phys, len), Err(AllocError), "{phys:?} {len}");
        assert_eq!(memory.platform().take_reports().len(), 1, "{phys:?} {len}");
    }
    memory.drop_caches();
    assert_eq!(blocks(*memory), before);
    let reserved = memory.ioremap(PhysAddr::new(0x10), 100).expect("the first page is not the allocators'");
    let behind = memory.ioremap(ram_end, PAGE_SIZE).expect("no RAM");
    assert!(memory.iounmap(reserved).is_ok() && memory.iounmap(behind).is_ok());
    at_rest(*memory);
}

#[test]
fn vmalloc_stops_at_the_floor_of_kernel_requests() {
    let memory = boot(8);
    let taken = hoard(*memory, GfpFlags::KERNEL);
    assert_eq!(memory.vmalloc(1), Err(AllocError));
    memory.platform().take_reports();
    give(*memory, taken);
    assert!(memory.vmalloc(1).is_ok());
}
