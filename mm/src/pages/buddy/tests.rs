//! Lists of free blocks by themselves, whole and broken.

use super::{Buddy, NIL, pack};
use crate::addr::{Pfn, PfnRange};
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::tests::map;
use crate::page::{BlockKey, PageMap, SECTION_FRAMES, Word};
use crate::tag::Tag;
use std::vec;
use std::vec::Vec;

const ZONE: ZoneKind = ZoneKind::Dma;

fn order(log2: usize) -> Order {
    Order::new(log2).expect("an order")
}

fn range(start: u32, end: u32) -> PfnRange {
    PfnRange::new(Pfn::new(start), Pfn::new(end))
}

/// Two sections, of which these blocks are free: frame, and log2 of the pages.
fn with_free(blocks: &[(u32, usize)]) -> (PageMap, Buddy) {
    let map = map(2 * SECTION_FRAMES, &[(0, 2 * SECTION_FRAMES)]);
    let mut buddy = Buddy::new(ZONE);
    blocks.iter().for_each(|&(frame, log2)| buddy.free(&map, Pfn::new(frame), order(log2)));
    assert_eq!(buddy.validate(&map), Ok(()));
    (map, buddy)
}

/// Free blocks of each order.
fn counts(buddy: &Buddy) -> Vec<(usize, usize)> {
    let counts = Order::all().map(|order| (order.log2(), buddy.free_blocks(order)));
    counts.filter(|&(_, blocks)| blocks > 0).collect()
}

#[test]
fn blocks_of_an_order_are_counted() {
    let (map, mut buddy) = with_free(&[(0, 0), (2, 0), (4, 0), (512, 9)]);
    assert_eq!((counts(&buddy), buddy.free_pages()), (vec![(0, 3), (9, 1)], 515));
    assert_eq!(buddy.alloc(&map, order(1), Tag::None), Some(Pfn::new(512)));
    assert_eq!(
        (counts(&buddy), buddy.free_pages()),
        (vec![(0, 3), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1)], 513)
    );
    buddy.free(&map, Pfn::new(512), order(1));
    assert_eq!(counts(&buddy), [(0, 3), (9, 1)]);
}

/// Marks frames as loose and gives them back by one walk over `walked`.
fn sweep(map: &PageMap, loose: impl IntoIterator<Item = u32>, walked: PfnRange) -> Buddy {
    let mut buddy = Buddy::new(ZONE);
    loose.into_iter().for_each(|frame| map.at(Pfn::new(frame)).set_word(Word::loose(ZONE)));
    buddy.free_loose(map, walked);
    assert_eq!(buddy.validate(map), Ok(()));
    buddy
}

#[test]
fn loose_pages_merge_on_both_sides_of_a_hole() {
    let (hole, last) = (SECTION_FRAMES, 4 * SECTION_FRAMES);
    let map = map(last + SECTION_FRAMES, &[(0, hole), (last, last + SECTION_FRAMES)]);
    let loose = (3..5).chain(8..24).chain(hole - 2..hole).chain(last..last + 7).chain([last + 9]);
    let buddy = sweep(&map, loose, range(0, last + SECTION_FRAMES));
    // 3, 4, last + 6 and last + 9; hole - 2 and last + 4; last; 8; 16.
    assert_eq!(counts(&buddy), [(0, 4), (1, 2), (2, 1), (3, 2)]);
    assert_eq!(buddy.free_pages(), 2 + 16 + 2 + 7 + 1);
}

#[test]
fn a_walk_for_loose_pages_ends_where_the_zone_ends() {
    let map = map(2 * SECTION_FRAMES, &[(0, 2 * SECTION_FRAMES)]);
    let buddy = sweep(&map, 0..2 * SECTION_FRAMES, range(4, SECTION_FRAMES + 4));
    assert_eq!(buddy.free_pages(), SECTION_FRAMES as usize);
    assert_eq!(counts(&buddy), [(2, 2), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1)]);
    assert!([0, 3, SECTION_FRAMES + 4].into_iter().all(|frame| map.at(Pfn::new(frame)).word() == Word::loose(ZONE)));
    let whole = sweep(&map, 0..2 * SECTION_FRAMES, range(0, 2 * SECTION_FRAMES));
    assert_eq!(counts(&whole), [(9, 2)]);
}

/// What `validate` says after `damage` to the blocks 0 and 2, in this order at the head of their list, and 4.
fn complaint(damage: impl FnOnce(&PageMap, &mut Buddy)) -> Result<(), &'static str> {
    let (map, mut buddy) = with_free(&[(4, 1), (2, 0), (0, 0)]);
    damage(&map, &mut buddy);
    buddy.validate(&map)
}

#[test]
fn every_broken_invariant_is_found() {
    const AMISS: &str = "a listed block is not free, of another order or misaligned";
    let free = |log2: usize| Word::free(BlockKey::from_log2(ZONE, log2));
    let at = |map: &PageMap, frame: u32, word: Word| map.at(Pfn::new(frame)).set_word(word);
    assert_eq!(complaint(|_, _| {}), Ok(()));
    assert_eq!(complaint(|_, buddy| buddy.pages += 1), Err("free pages are not the sum of the lists"));
    assert_eq!(complaint(|_, buddy| buddy.mask |= 4), Err("the mask of non-empty orders is wrong"));
    assert_eq!(complaint(|_, buddy| buddy.mask &= !2), Err("the mask of non-empty orders is wrong"));
    assert_eq!(complaint(|_, buddy| buddy.lists[0].blocks = 3), Err("a list is shorter than its count"));
    assert_eq!(complaint(|_, buddy| buddy.lists[0].blocks = 1), Err("a list is longer than its count"));
    assert_eq!(complaint(|_, buddy| buddy.lists[0].blocks = 0), Err("a list is longer than its count"));
    assert_eq!(complaint(|map, _| at(map, 2, Word::INNER)), Err(AMISS));
    assert_eq!(complaint(|map, _| at(map, 0, free(1))), Err(AMISS));
    let other = Word::free(BlockKey::from_log2(ZoneKind::Normal, 0));
    assert_eq!(complaint(|map, _| at(map, 2, other)), Err(AMISS));
    let misaligned = |map: &PageMap, buddy: &mut Buddy| {
        (buddy.lists[1].head, buddy.mask) = (5, 3);
        map.at(Pfn::new(5)).set_link(pack(NIL, NIL));
        at(map, 5, free(1));
    };
    assert_eq!(complaint(misaligned), Err(AMISS));
    let astray = |map: &PageMap, _: &mut Buddy| map.at(Pfn::new(0)).set_link(pack(1 << 30, NIL));
    assert_eq!(complaint(astray), Err("a list leads out of memory"));
    let crossed = |map: &PageMap, _: &mut Buddy| map.at(Pfn::new(2)).set_link(pack(NIL, 4));
    assert_eq!(complaint(crossed), Err("a list's links do not match"));
    let circle = |map: &PageMap, _: &mut Buddy| map.at(Pfn::new(2)).set_link(pack(0, 0));
    assert_eq!(complaint(circle), Err("a list's links do not match"));
    assert_eq!(complaint(|map, _| at(map, 1, free(0))), Err("two free buddies were not merged"));
}
