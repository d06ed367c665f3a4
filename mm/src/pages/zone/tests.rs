//! A zone by itself: the page at which each of its decisions changes.

use std::vec::Vec;

use super::{AtomicFloor, DEPOT_MAGAZINES, Granted, TIGHT_MARGIN, Watermarks, Zone, capacity, magazine_pages};
use crate::addr::{Pfn, PfnRange};
use crate::gfp::{Priority, ZoneKind};
use crate::order::Order;
use crate::page::tests::map;
use crate::page::{BlockChain, BlockKey, PageMap, SECTION_FRAMES, Word};
use crate::tag::Tag;

const KIND: ZoneKind = ZoneKind::Normal;

fn order(log2: usize) -> Order {
    Order::new(log2).expect("an order")
}

/// A zone of so many sections, all free.
fn zone(sections: u32, floor: AtomicFloor) -> (PageMap, Zone) {
    let map = map(sections * SECTION_FRAMES, &[(0, sections * SECTION_FRAMES)]);
    let mut zone = Zone::new(KIND, floor);
    (0..sections).for_each(|section| zone.release(&map, Pfn::new(section * SECTION_FRAMES), Order::MAX));
    assert_eq!(zone.validate(&map), Ok(()));
    (map, zone)
}

/// A zone of 2048 pages with so many free ones: `min` is 16, `low` 32, `high` 48.
fn with_free(free: usize, floor: AtomicFloor) -> (PageMap, Zone) {
    let (map, mut zone) = zone(4, floor);
    assert_eq!(zone.watermarks(), Watermarks { min: 16, low: 32, high: 48 });
    while zone.free_pages() > free {
        let order = Order::largest_at(0, (zone.free_pages() - free) as u32);
        zone.buddy.alloc(&map, order, Tag::None).expect("a block");
    }
    (map, zone)
}

/// A magazine of blocks from the zone's lists.
fn magazine(zone: &mut Zone, map: &PageMap, order: Order, len: u32) -> BlockChain {
    let mut magazine = BlockChain::EMPTY;
    for _ in 0..len {
        let block = zone.buddy.alloc(map, order, Tag::None).expect("a block");
        map.at(block).set_word(Word::cached(BlockKey::new(KIND, order)));
        magazine.push(map, block);
    }
    magazine
}

#[test]
fn what_is_above_low_is_surplus_up_to_half_a_magazine() {
    let half = capacity(Order::ZERO) / 2;
    for (free, taken) in [(31, 0), (32, 0), (33, 1), (40, 8), (32 + half, half), (200, half)] {
        let (map, mut zone) = with_free(free as usize, AtomicFloor::LastPage);
        let mut surplus = zone.take_surplus(&map, Order::ZERO);
        assert_eq!((surplus.len(), zone.free_pages()), (taken, (free - taken) as usize), "of {free}");
        assert!(surplus.is_sound(&map, |word| word == Word::cached(BlockKey::new(KIND, Order::ZERO))));
        while let Some(page) = surplus.pop(&map) {
            zone.free(&map, page, Order::ZERO);
        }
        assert_eq!((zone.free_pages(), zone.validate(&map)), (free as usize, Ok(())));
    }
}

/// Fills magazines and lets CPU 1 trade them in until the depot takes no more; returns how many it took.
fn fill_depot(zone: &mut Zone, map: &PageMap, order: Order) -> usize {
    for count in 0.. {
        let (free, depot) = (zone.free_pages(), zone.depot_pages());
        let full = magazine(zone, map, order, capacity(order));
        zone.put_magazine(map, order, full, 1);
        assert_eq!((zone.free_pages(), zone.validate(map)), (free, Ok(())));
        if zone.depot_pages() == depot {
            return count;
        }
        assert_eq!(zone.depot_pages(), depot + magazine_pages(order));
    }
    unreachable!("memory is finite")
}

#[test]
fn watermarks_follow_the_table_of_2_4() {
    let marks = |kind, pages| {
        let marks = Watermarks::for_zone(kind, pages);
        (marks.min, marks.low, marks.high)
    };
    assert_eq!(marks(ZoneKind::Dma, 4096), (128, 256, 384));
    assert_eq!(marks(ZoneKind::Normal, 4096), (32, 64, 96));
    assert_eq!(marks(ZoneKind::Normal, 28672), (224, 448, 672));
    assert_eq!(marks(ZoneKind::Normal, 61440), (255, 510, 765));
    assert_eq!(marks(ZoneKind::Normal, 10), (10, 20, 30));
}

#[test]
fn each_priority_stops_at_its_floor() {
    use Priority::{Atomic, Kernel, User};
    for (priority, floor) in [(Atomic, 0), (Kernel, 16), (User, 32)] {
        for (pages, order) in [(1, Order::ZERO), (8, order(3))] {
            let enough = with_free(floor + pages, AtomicFloor::LastPage);
            assert!(enough.1.would_grant(order, priority));
            assert!(!with_free(floor + pages - 1, AtomicFloor::LastPage).1.would_grant(order, priority));
        }
    }
    for (free, grants) in [(4, true), (3, false)] {
        assert_eq!(with_free(free, AtomicFloor::QuarterOfMin).1.would_grant(Order::ZERO, Atomic), grants);
    }
}

#[test]
fn an_answer_says_how_scarce_memory_has_become() {
    let kind_of = |free: usize| {
        let (map, mut zone) = with_free(free + 1, AtomicFloor::LastPage);
        let granted = zone.alloc(&map, Order::ZERO, Priority::Atomic, Tag::None);
        let counters = zone.counters();
        assert_eq!((counters.allocs, counters.refusals), (1, 0));
        (matches!(granted, Granted::Plenty(_)), matches!(granted, Granted::Scarce(_)), counters.reserve_allocs)
    };
    assert_eq!(
        [33, 32, 16, 15].map(kind_of),
        [(true, false, 0), (false, true, 0), (false, true, 0), (false, false, 1)]
    );
    let (map, mut zone) = with_free(16, AtomicFloor::LastPage);
    assert_eq!(zone.alloc(&map, Order::ZERO, Priority::Kernel, Tag::None), Granted::Refused);
    assert_eq!(zone.alloc(&map, Order::ZERO, Priority::Kernel, Tag::None), Granted::Refused);
    assert_eq!((zone.counters().refusals, zone.counters().allocs), (2, 0));
    let Granted::Reserve(page) = zone.alloc(&map, Order::ZERO, Priority::Atomic, Tag::None) else { unreachable!() };
    zone.free(&map, page, Order::ZERO);
    zone.count_sleep();
    zone.count_failure();
    zone.count_failure();
    let counters = zone.counters();
    assert_eq!((counters.frees, counters.sleeps, counters.failures, zone.free_pages()), (1, 1, 2, 16));
}

#[test]
fn plenty_means_that_more_than_low_is_left() {
    for (pages, order) in [(1, Order::ZERO), (4, order(2))] {
        let (map, mut zone) = with_free(32 + pages + 1, AtomicFloor::LastPage);
        assert!(zone.alloc_plenty(&map, order, Tag::None).is_some() && zone.counters().allocs == 1);
        let (map, mut zone) = with_free(32 + pages, AtomicFloor::LastPage);
        assert!(zone.alloc_plenty(&map, order, Tag::None).is_none() && zone.counters().allocs == 0);
    }
}

#[test]
fn magazines_are_filled_while_memory_is_not_tight() {
    let tight = 32 + TIGHT_MARGIN;
    assert!(!with_free(tight, AtomicFloor::LastPage).1.is_tight());
    assert!(with_free(tight - 1, AtomicFloor::LastPage).1.is_tight());
    for log2 in [0, 1, 3] {
        let order = order(log2);
        let pages = magazine_pages(order);
        assert_eq!(pages, (capacity(order) as usize) << log2);
        let (map, mut zone) = with_free(tight + pages, AtomicFloor::LastPage);
        let taken = zone.take_magazine(&map, order, 0).expect("memory is not tight");
        assert_eq!((taken.len(), zone.free_pages()), (capacity(order), tight));
        assert!(taken.is_sound(&map, |word| word == Word::cached(BlockKey::new(KIND, order))));
        zone.free_all(&map, order, taken);
        assert_eq!((zone.free_pages(), zone.validate(&map)), (tight + pages, Ok(())));
        let (map, mut zone) = with_free(tight + pages - 1, AtomicFloor::LastPage);
        assert!(zone.take_magazine(&map, order, 0).is_none());
    }
    // Plenty of memory, but no block of 512 pages.
    let (map, mut zone) = zone(8, AtomicFloor::LastPage);
    let holes: Vec<Pfn> = (0..8).map(|_| zone.buddy.alloc(&map, Order::MAX, Tag::None).expect("a block")).collect();
    holes.iter().for_each(|block| zone.free(&map, block.add(1), Order::ZERO));
    holes.iter().for_each(|block| (1..9).for_each(|log2| zone.free(&map, block.add(1 << log2), order(log2))));
    assert!(zone.free_pages() > 4000 && zone.take_magazine(&map, Order::MAX, 0).is_none());
}

#[test]
fn a_depot_takes_full_magazines_up_to_its_share() {
    // 64 pages a magazine of single pages, which may be the whole zone; 128 of order 3, which may be a quarter.
    for (sections, log2, most) in [(4, 0, 31), (4, 3, 4), (4, 9, 0), (32, 1, 32), (32, 4, 32)] {
        let (map, mut zone) = zone(sections, AtomicFloor::LastPage);
        if log2 == 0 {
            // The last magazine takes the last page; one more cannot be filled.
            let first = magazine(&mut zone, &map, Order::ZERO, capacity(Order::ZERO));
            (0..most).for_each(|_| {
                let full = magazine(&mut zone, &map, Order::ZERO, capacity(Order::ZERO));
                zone.put_magazine(&map, Order::ZERO, full, 0);
            });
            assert_eq!((zone.buddy.free_pages(), zone.depot_pages()), (0, most * 64));
            zone.put_magazine(&map, Order::ZERO, first, 0);
            assert_eq!(zone.depot_pages(), 2048);
        } else {
            assert_eq!(fill_depot(&mut zone, &map, order(log2)), most, "order {log2}");
        }
        let (pages, depot) = (zone.free_pages(), zone.depot_pages());
        assert_eq!((zone.drain(&map), zone.depot_pages()), (depot, 0));
        assert_eq!((zone.free_pages(), zone.validate(&map)), (pages, Ok(())));
        assert_eq!(zone.buddy.free_blocks(Order::MAX), sections as usize, "all has merged");
    }
    assert_eq!(DEPOT_MAGAZINES[1], 32);
}

#[test]
fn a_magazine_that_is_not_full_goes_to_the_lists() {
    let (map, mut zone) = zone(4, AtomicFloor::LastPage);
    let part = magazine(&mut zone, &map, Order::ZERO, capacity(Order::ZERO) - 1);
    zone.put_magazine(&map, Order::ZERO, part, 0);
    assert_eq!((zone.depot_pages(), zone.buddy.free_blocks(Order::MAX)), (0, 4));
}

#[test]
fn a_magazine_comes_from_the_depot_first_and_a_block_last() {
    let (map, mut zone) = zone(4, AtomicFloor::LastPage);
    let full = magazine(&mut zone, &map, Order::ZERO, capacity(Order::ZERO));
    zone.put_magazine(&map, Order::ZERO, full, 3);
    assert!(zone.take_magazine(&map, Order::ZERO, 3) == Some(full) && zone.depot_pages() == 0);
    zone.put_magazine(&map, Order::ZERO, full, 3);
    // All other pages go; then the depot is emptied for one.
    while zone.buddy.free_pages() > 0 {
        zone.buddy.alloc(&map, Order::ZERO, Tag::None).expect("a page");
    }
    assert!(matches!(zone.alloc(&map, Order::ZERO, Priority::Atomic, Tag::None), Granted::Plenty(_)));
    assert_eq!((zone.free_pages(), zone.depot_pages()), (63, 0));
}

#[test]
fn a_zone_spans_its_blocks_whatever_their_order() {
    let map = map(8 * SECTION_FRAMES, &[(0, 8 * SECTION_FRAMES)]);
    let mut zone = Zone::new(KIND, AtomicFloor::LastPage);
    for (frame, log2) in [(2048, 3), (1024, 2), (1536, 0), (3000, 3)] {
        zone.release(&map, Pfn::new(frame), order(log2));
    }
    assert_eq!((zone.span, zone.managed()), (PfnRange::new(Pfn::new(1024), Pfn::new(3008)), 21));
    zone.set_min(100);
    assert_eq!(zone.watermarks(), Watermarks { min: 5, low: 10, high: 15 });
    zone.set_min(3);
    assert_eq!(zone.watermarks(), Watermarks { min: 3, low: 6, high: 9 });
}

#[test]
fn every_broken_invariant_is_found() {
    let (map, mut zone) = zone(4, AtomicFloor::LastPage);
    let full = [(); 2].map(|()| magazine(&mut zone, &map, Order::ZERO, capacity(Order::ZERO)));
    full.into_iter().for_each(|magazine| zone.put_magazine(&map, Order::ZERO, magazine, 0));
    zone.depot_pages += 64;
    assert_eq!(zone.validate(&map), Err("depot pages are not the sum of the depots"));
    zone.depot_pages -= 64;
    zone.managed = zone.free_pages() - 1;
    assert_eq!(zone.validate(&map), Err("more pages are free than the zone has"));
    zone.managed += 1;
    assert_eq!(zone.validate(&map), Ok(()));
    let first = full[0].first().expect("it is full");
    map.at(first).set_word(Word::INNER);
    assert_eq!(zone.validate(&map), Err("a depot holds a block that is not cached"));
    map.at(first).set_word(Word::cached(BlockKey::new(KIND, Order::ZERO)));
    let link = map.at(first).link();
    map.at(first).set_link(u64::from(full[1].head()) << 32 | link & 0xffff_ffff);
    assert_eq!(zone.validate(&map), Err("a depot has more magazines than it counts"));
    map.at(first).set_link(link);
    let last = full[1].first().expect("it is full");
    map.at(last).set_link(map.at(last).link() | 0xffff_ffff << 32);
    assert_eq!(zone.validate(&map), Err("a depot has fewer magazines than it counts"));
}
