//! Clock hands over the page array: where they stop, and what is counted.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use mm::own::PageRef;
use mm::testing::{Machine, TestKernel};
use mm::{GfpFlags, Hand, Order, PageFlags, Pfn, ZoneKind};

type Page = PageRef<TestKernel>;

/// High memory from 20 MiB on, up to 28 MiB, with a hole of 1 MiB in Normal.
fn machine() -> Machine {
    let mut machine = Machine { highmem_start: Pfn::new(20 * 256), ..Machine::with_mib(28) };
    let end = machine.ram[0].end;
    machine.ram[0].end = Pfn::new(17 * 256);
    machine.ram.push(mm::PfnRange::new(Pfn::new(18 * 256), end));
    machine
}

/// Pages of each zone, of which every other one is active.
fn cached() -> Vec<Page> {
    let pages = TestKernel::memory().pages();
    let kinds = [GfpFlags::KERNEL | GfpFlags::DMA, GfpFlags::KERNEL, GfpFlags::HIGHUSER];
    let mut all = Vec::new();
    for nth in 0..90_u32 {
        let page = Page::of_file(kinds[nth as usize % 3]).expect("memory is plenty");
        let flags = if nth % 2 == 0 { PageFlags::CACHED | PageFlags::ACTIVE } else { PageFlags::CACHED };
        pages.set_cache_entry(page.frame(), nth);
        assert_eq!(pages.set_page_flags(page.frame(), flags), PageFlags::empty());
        all.push(page);
    }
    all
}

fn uncache(all: Vec<Page>) {
    let pages = TestKernel::memory().pages();
    all.iter().for_each(|page| _ = pages.clear_page_flags(page.frame(), PageFlags::all()));
    ZoneKind::ALL.iter().for_each(|&zone| assert_eq!((pages.active_pages(zone), pages.inactive_pages(zone)), (0, 0)));
}

/// The frames that a hand stops at within so many steps.
fn stops(zone: ZoneKind, hand: Hand, steps: usize) -> Vec<Pfn> {
    let mut seen = Vec::new();
    TestKernel::memory().pages().turn(zone, hand, steps, &mut |frame, _| {
        seen.push(frame);
        ControlFlow::Continue(())
    });
    seen
}

#[test]
fn a_round_stops_at_each_page_of_its_kind_once() {
    let machine = TestKernel::boot(&machine());
    let pages = machine.pages();
    let other = machine.alloc_pages(GfpFlags::KERNEL, Order::new(3).expect("an order")).expect("memory is plenty");
    let all = cached();
    for zone in ZoneKind::ALL {
        let [active, inactive] = [Hand::Active, Hand::Inactive].map(|hand| {
            let expected = all.iter().filter(|page| {
                let is_active = pages.page_flags(page.frame()).contains(PageFlags::ACTIVE);
                pages.direct().zone_of(page.frame()) == zone && is_active == (hand == Hand::Active)
            });
            let expected: BTreeSet<Pfn> = expected.map(Page::frame).collect();
            let seen = stops(zone, hand, pages.round(zone));
            assert_eq!(seen.len(), expected.len(), "once each");
            assert_eq!(seen.into_iter().collect::<BTreeSet<Pfn>>(), expected);
            expected.len()
        });
        assert!(active > 0 && inactive > 0);
        assert_eq!((pages.active_pages(zone), pages.inactive_pages(zone)), (active, inactive));
    }
    assert!(all.iter().zip(0..).all(|(page, nth)| pages.cache_entry(page.frame()) == nth));
    uncache(all);
    machine.free_frames(other, Order::new(3).expect("an order")).expect("ours");
    assert!(machine.platform().take_reports().is_empty());
}

#[test]
fn a_hand_passes_over_a_parked_page_until_a_reference_to_it_is_given_back() {
    let machine = TestKernel::boot(&machine());
    let (pages, page) = (machine.pages(), Page::of_file(GfpFlags::HIGHUSER).expect("memory is plenty"));
    let (frame, zone) = (page.frame(), ZoneKind::HighMem);
    let seen = || stops(zone, Hand::Inactive, pages.round(zone));
    pages.set_page_flags(frame, PageFlags::CACHED);
    pages.park_shared(frame);
    assert_eq!(seen(), [frame], "nobody else has it");
    let [other, another] = [page.another(), page.another()].map(|other| other.expect("one more"));
    pages.park_shared(frame);
    assert_eq!((seen(), pages.stops(zone, Hand::Inactive), pages.inactive_pages(zone)), (vec![], 0, 1));
    drop(other);
    assert_eq!((seen(), pages.stops(zone, Hand::Inactive), pages.inactive_pages(zone)), (vec![frame], 1, 1));
    pages.park_shared(frame);
    assert!(seen().is_empty());
    uncache(vec![page]);
    drop(another);
    assert!(machine.platform().take_reports().is_empty());
    machine.validate().expect("valid");
}

/// Both ends of memory, and a page whose region has no other: none is passed over with the empty regions.
#[test]
fn a_hand_finds_the_first_and_the_last_frame_of_its_zone() {
    let machine = TestKernel::boot(&Machine::with_mib(700));
    let (pages, zone) = (machine.pages(), ZoneKind::Normal);
    let all: Vec<Page> = (0..100_000).map(|_| Page::of_file(GfpFlags::KERNEL).expect("memory is plenty")).collect();
    let normal = all.iter().filter(|page| pages.direct().zone_of(page.frame()) == zone);
    let (first, last) = (normal.clone().map(Page::frame).min(), normal.clone().map(Page::frame).max());
    let some = normal.map(Page::frame).step_by(7001);
    let expected: BTreeSet<Pfn> = first.into_iter().chain(last).chain(some).collect();
    expected.iter().for_each(|&frame| _ = pages.set_page_flags(frame, PageFlags::CACHED));
    for _ in 0..3 {
        let seen = stops(zone, Hand::Inactive, pages.round(zone));
        assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<Pfn>>()), (expected.len(), expected.clone()));
    }
    assert!(expected.len() > 10 && stops(zone, Hand::Active, pages.round(zone)).is_empty());
    uncache(all);
}

#[test]
fn a_hand_goes_on_where_it_stopped() {
    let machine = TestKernel::boot(&machine());
    let (pages, all) = (machine.pages(), cached());
    let (zone, mut seen) = (ZoneKind::Normal, Vec::new());
    let count = pages.inactive_pages(zone);
    for _ in 0..2 * count {
        let passed = pages.turn(zone, Hand::Inactive, usize::MAX, &mut |frame, flags| {
            assert_eq!(flags, PageFlags::CACHED);
            seen.push(frame);
            ControlFlow::Break(())
        });
        assert!(passed > 0);
    }
    assert_eq!(seen[..count], seen[count..], "twice round");
    assert_eq!(seen[..count].iter().collect::<BTreeSet<_>>().len(), count);
    uncache(all);
}

#[test]
fn pages_that_change_their_hand_are_counted_with_the_other() {
    let machine = TestKernel::boot(&machine());
    let (pages, page) = (machine.pages(), Page::of_file(GfpFlags::HIGHUSER).expect("memory is plenty"));
    let (frame, zone) = (page.frame(), ZoneKind::HighMem);
    let counts = || (pages.active_pages(zone), pages.inactive_pages(zone));
    pages.set_page_flags(frame, PageFlags::ACTIVE | PageFlags::DIRTY);
    assert_eq!(counts(), (0, 0));
    pages.set_page_flags(frame, PageFlags::CACHED | PageFlags::LOCKED);
    assert_eq!(counts(), (1, 0));
    assert!(pages.clear_page_flags(frame, PageFlags::ACTIVE | PageFlags::LOCKED).contains(PageFlags::LOCKED));
    assert_eq!((counts(), pages.page_flags(frame)), ((0, 1), PageFlags::CACHED | PageFlags::DIRTY));
    assert!(stops(zone, Hand::Active, 2 * pages.round(zone)).is_empty());
    pages.clear_page_flags(frame, PageFlags::CACHED);
    assert_eq!(counts(), (0, 0));
    drop(page);
    assert_eq!(pages.set_page_flags(frame, PageFlags::CACHED), PageFlags::empty(), "it is free");
    assert_eq!((counts(), pages.page_flags(frame)), ((0, 0), PageFlags::empty()));
    assert_eq!(pages.set_page_flags(Pfn::new(u32::MAX), PageFlags::CACHED), PageFlags::empty(), "there is none");
    assert!(machine.platform().take_reports().is_empty());
}
