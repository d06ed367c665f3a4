//! Words, chains and maps by themselves.

use core::ptr::NonNull;
use std::vec;
use std::vec::Vec;

use super::{
    BlockChain, BlockKey, DirectMap, Page, PageFlags, PageMap, PageState, SECTION_FRAMES, SlabUser, Whose, Word,
    mark_present,
};
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::error::FreeError;
use crate::gfp::{DMA_END, ZoneKind};
use crate::order::Order;
use crate::tag::Tag;

/// Where the tests' physical memory would show; nobody looks.
const START: VirtAddr = VirtAddr::new(1 << 40);

/// A map of `frames` frames, of which these ranges have entries. Leaked.
pub(crate) fn map(frames: u32, ram: &[(u32, u32)]) -> PageMap {
    let mut present = vec![0; PageMap::present_words(frames)];
    ram.iter().for_each(|&(start, end)| mark_present(&mut present, PfnRange::new(Pfn::new(start), Pfn::new(end))));
    let entries = frames.next_multiple_of(SECTION_FRAMES);
    let pages: Vec<Page> = (0..entries).map(|_| Page::new()).collect();
    // SAFETY: every entry exists and is leaked; nothing else uses them.
    unsafe { PageMap::new(NonNull::from(pages.leak()).cast(), frames, present.leak()) }
}

/// A page with this word.
fn page(word: Word) -> Page {
    let page = Page::new();
    page.set_word(word);
    page
}

/// All zones and orders.
fn keys() -> impl Iterator<Item = BlockKey> {
    ZoneKind::ALL.into_iter().flat_map(|zone| Order::all().map(move |order| BlockKey::new(zone, order)))
}

#[test]
fn a_key_is_its_zone_and_order() {
    let all: Vec<BlockKey> = keys().collect();
    for (nth, key) in all.iter().enumerate() {
        assert!(key.index() < BlockKey::COUNT && key.zone_index() < BlockKey::ZONES);
        assert!(BlockKey::new(key.zone(), key.order()) == *key);
        assert!(all[..nth].iter().all(|other| other.index() != key.index()), "two keys have one place");
    }
}

#[test]
fn only_a_block_with_one_reference_can_be_freed_fast() {
    for key in keys() {
        for tag in Tag::ALL {
            let word = Word::allocated(key, tag);
            assert_eq!((page(word).state(), page(word).zone()), (PageState::Allocated(key.order()), key.zone()));
            assert_eq!((page(word).tag(), page(word).count()), (tag, 1));
            for order in Order::all() {
                let right = (order == key.order()).then_some(key);
                assert!(word.owned_key(order) == right, "the owner frees it whatever the tag");
                assert!(word.allocated_key(order) == right.filter(|_| tag == Tag::None));
                let shared = Word::from_bits(word.bits() + (1 << 32));
                assert!(shared.owned_key(order).is_none() && shared.allocated_key(order).is_none());
                assert_eq!((page(shared).count(), page(shared).tag()), (2, tag));
            }
        }
        let slab = Word::slab(key.index() as u32, SlabUser::Anyone);
        let loose = Word::loose(key.zone());
        for word in [Word::free(key), Word::cached(key), loose, slab, Word::INNER] {
            assert!(Order::all().all(|order| word.owned_key(order).is_none() && word.allocated_key(order).is_none()));
        }
        for (word, state) in [
            (Word::free(key), PageState::Free(key.order())),
            (Word::cached(key), PageState::Cached(key.order())),
            (loose, PageState::Cached(Order::ZERO)),
        ] {
            assert_eq!((page(word).state(), page(word).zone()), (state, key.zone()));
        }
        assert!(loose != Word::cached(key));
    }
}

#[test]
fn words_of_slabs_tell_caches_and_users_apart() {
    let [mine, other] = [1, u32::MAX].map(|number| Word::slab(number, SlabUser::Anyone));
    let own = Word::slab(1, SlabUser::Allocators);
    assert!(mine != other && mine != own && mine.is_slab() && other.is_slab() && !own.is_slab());
    assert!([mine, other, own].into_iter().all(|word| word.state() == PageState::Slab && word.bits() != 0));
    assert!(Word::from_bits(other.bits()) == other);
}

#[test]
fn references_are_counted_and_tags_go() {
    let page = Page::new();
    assert!(!page.get(), "it is no block");
    let key = BlockKey::new(ZoneKind::Normal, Order::MAX);
    page.set_word(Word::allocated(key, Tag::Driver));
    assert!(page.get() && page.get() && page.count() == 3);
    assert!(page.put_shared(Whose::Another).is_some() && page.tag() == Tag::Driver);
    assert!(page.put_shared(Whose::Owners).is_some() && page.word() == Word::allocated(key, Tag::None));
    assert!(page.put_shared(Whose::Owners).is_none() && page.count() == 1, "the last one");
    assert!(page.word() == Word::allocated(key, Tag::None) && page.state() == PageState::Allocated(Order::MAX));
    page.set_word(Word::from_bits(Word::allocated(key, Tag::None).bits() | 0xffff_ffff << 32));
    assert!(!page.get() && page.count() == u32::MAX, "the count is at its end");
}

#[test]
fn a_page_of_its_own_is_told_by_tag_and_count() {
    let page = Page::new();
    for kind in [ZoneKind::Dma, ZoneKind::HighMem] {
        page.set_word(Word::allocated(BlockKey::new(kind, Order::ZERO), Tag::Anonymous));
        assert!(page.is_sole(Tag::Anonymous) && !page.is_sole(Tag::None) && page.has_tag(Tag::Anonymous));
        assert!(page.get() && !page.is_sole(Tag::Anonymous) && page.has_tag(Tag::Anonymous));
    }
    for word in [
        Word::allocated(BlockKey::new(ZoneKind::Normal, Order::MAX), Tag::None),
        Word::cached(BlockKey::new(ZoneKind::Normal, Order::ZERO)),
        Word::slab(5, SlabUser::Anyone),
        Word::INNER,
    ] {
        page.set_word(word);
        assert!(!page.is_sole(Tag::None) && !page.has_tag(Tag::Anonymous));
    }
}

#[test]
fn flags_change_what_a_page_is_in_nothing_else() {
    let (page, key) = (Page::new(), BlockKey::new(ZoneKind::HighMem, Order::ZERO));
    assert_eq!((page.set_flags(PageFlags::all()), page.flags()), (None, PageFlags::empty()));
    assert!(page.word() == Word::INNER, "it is no block");
    page.set_word(Word::allocated(key, Tag::Anonymous));
    for flag in PageFlags::all().iter() {
        assert_eq!((page.set_flags(flag), page.set_flags(flag)), (Some(PageFlags::empty()), Some(flag)));
        assert_eq!((page.flags(), page.count(), page.tag()), (flag, 1, Tag::Anonymous));
        let is_free_to_go = !PageFlags::IN_USE.contains(flag);
        assert_eq!(page.is_sole(Tag::Anonymous), is_free_to_go, "{flag:?}");
        assert_eq!(page.word().owned_key(Order::ZERO).is_some(), is_free_to_go, "{flag:?}");
        assert_eq!(page.clear_flags(PageFlags::all()), Some(flag));
    }
    assert!(page.word() == Word::allocated(key, Tag::Anonymous));
}

#[test]
fn the_link_of_a_page_has_room_for_two() {
    let page = Page::new();
    page.set_link(0);
    page.set_upper_link(u32::MAX);
    assert_eq!([page.add_mapping(), page.add_mapping(), page.remove_mapping()], [0, 1, 2]);
    assert_eq!([page.remove_mapping(), page.remove_mapping(), page.add_mapping()], [1, 0, u32::MAX]);
    assert_eq!((page.upper_link(), page.link()), (u32::MAX, u64::from(u32::MAX) << 32));
}

#[test]
fn a_chain_returns_the_last_one_first_and_knows_when_it_is_broken() {
    let map = map(SECTION_FRAMES, &[(0, SECTION_FRAMES)]);
    let (cached, other) = (Word::cached(BlockKey::new(ZoneKind::Dma, Order::ZERO)), Word::loose(ZoneKind::Dma));
    let mut chain = BlockChain::EMPTY;
    assert!(chain.first().is_none() && chain.is_sound(&map, |_| false));
    let frames = [3, 9, 5].map(Pfn::new);
    frames.iter().for_each(|&frame| chain.push(&map, frame));
    assert_eq!((chain.len(), chain.head(), chain.first()), (3, 5, Some(frames[2])));
    let mut chains = [BlockChain::EMPTY; 8];
    chains[5] = chain;
    BlockChain::set_words(chains, &map, cached);
    assert!(frames.iter().all(|&frame| map.at(frame).word() == cached));
    assert!(chain.is_sound(&map, |word| word == cached));
    map.at(frames[0]).set_word(other);
    assert!(!chain.is_sound(&map, |word| word == cached), "its first block is in another state");
    map.at(frames[1]).set_link(u64::from(SECTION_FRAMES));
    assert!(!chain.is_sound(&map, |_| true), "it leads out of memory");
    map.at(frames[1]).set_link(3);
    assert_eq!([(); 4].map(|()| chain.pop(&map)), [Some(frames[2]), Some(frames[1]), Some(frames[0]), None]);
    assert_eq!(chain.len(), 0);
}

#[test]
fn low_memory_ends_where_high_memory_begins() {
    let frames = 16 * SECTION_FRAMES;
    let end = 12 * SECTION_FRAMES;
    let direct = DirectMap::new(map(frames, &[(0, frames)]), START, Pfn::new(end));
    let zones = [0, DMA_END.as_u32() - 1, DMA_END.as_u32(), end - 1, end, frames - 1];
    let expected = [ZoneKind::Dma, ZoneKind::Dma, ZoneKind::Normal, ZoneKind::Normal, ZoneKind::HighMem];
    assert!(zones.map(|frame| direct.zone_of(Pfn::new(frame))).into_iter().take(5).eq(expected));
    let (last, first) = (Pfn::new(end - 1), Pfn::new(end));
    let at = |frame: Pfn, offset: usize| START.add(frame.index() * PAGE_SIZE + offset);
    assert_eq!((direct.page_address(last), direct.page_address(first)), (Some(at(last, 0)), None));
    assert_eq!(direct.virt(last), at(last, 0));
    for frame_of in [DirectMap::frame_of, DirectMap::frame_at] {
        assert_eq!(frame_of(&direct, at(last, PAGE_SIZE - 1)), Some(last));
        assert_eq!(
            (frame_of(&direct, at(first, 0)), frame_of(&direct, VirtAddr::new(START.as_usize() - 1))),
            (None, None)
        );
    }
    let gapless = end as usize * PAGE_SIZE;
    assert!(direct.is_gapless(gapless - 1) && !direct.is_gapless(gapless));
    let spans = ZoneKind::ALL.map(|zone| direct.frames_of(zone));
    assert_eq!(spans.map(|span| span.frames() as u32), [DMA_END.as_u32(), end - DMA_END.as_u32(), frames - end]);
    assert!(spans.iter().zip(ZoneKind::ALL).all(|(span, zone)| direct.zone_of(span.start) == zone));
    for (end, highest) in [(frames - 1, ZoneKind::HighMem), (frames, ZoneKind::Normal), (u32::MAX, ZoneKind::Normal)] {
        assert_eq!(DirectMap::new(*direct.map(), START, Pfn::new(end)).highest_zone(), highest);
    }
}

#[test]
fn a_map_has_entries_for_the_sections_of_ram() {
    let frames = 130 * SECTION_FRAMES;
    let (hole, late) = (2 * SECTION_FRAMES, 70 * SECTION_FRAMES);
    let map = map(frames, &[(1, hole), (late + 1, late + 1), (late + 7, late + 8), (frames - 1, frames)]);
    assert_eq!((map.frames(), map.gapless()), (frames, hole));
    assert_eq!(map.bytes(), 4 * SECTION_FRAMES as usize * size_of::<Page>());
    let there = [0, hole - 1, late, late + SECTION_FRAMES - 1, frames - SECTION_FRAMES, frames - 1];
    let missing = [hole, late - 1, late + SECTION_FRAMES, frames - SECTION_FRAMES - 1, frames, u32::MAX];
    assert!(there.into_iter().all(|frame| map.get(Pfn::new(frame)).is_some()));
    assert!(missing.into_iter().all(|frame| map.get(Pfn::new(frame)).is_none()));
    let by_offset = map.at_offset(5 * PAGE_SIZE + PAGE_SIZE - 1);
    assert!(core::ptr::eq(by_offset, map.at(Pfn::new(5))) && map.get(Pfn::new(5)).is_some());
    let whole = self::map(3 * SECTION_FRAMES - 9, &[(0, 3 * SECTION_FRAMES - 9)]);
    assert_eq!(whole.gapless(), 3 * SECTION_FRAMES - 9, "all of it, not whole sections");
    assert_eq!([1, 32_768, 32_769].map(PageMap::present_words), [1, 1, 2]);
}

#[test]
fn the_block_around_a_page_is_found_and_a_wrong_free_explained() {
    let map = map(SECTION_FRAMES, &[(0, SECTION_FRAMES)]);
    let set = |frame: u32, word: Word| map.at(Pfn::new(frame)).set_word(word);
    let key = |log2: usize| BlockKey::new(ZoneKind::Dma, Order::new(log2).expect("an order"));
    set(16, Word::allocated(key(3), Tag::None));
    set(24, Word::free(key(2)));
    set(28, Word::cached(key(1)));
    set(30, Word::slab(1, SlabUser::Anyone));
    set(32, Word::allocated(key(0), Tag::Vmalloc));
    let block = |frame: u32| map.block_of(Pfn::new(frame)).map(|(first, _)| first.as_u32());
    assert_eq!([15, 16, 17, 23, 24, 27].map(block), [None, Some(16), Some(16), Some(16), Some(24), Some(24)]);
    assert_eq!([28, 29, 30, 31, 32, 33].map(block), [Some(28), Some(28), Some(30), None, Some(32), None]);
    let explained = |frame: u32| map.explain(Pfn::new(frame));
    assert_eq!([15, 16, 17].map(explained), [FreeError::Reserved, FreeError::WrongOrder, FreeError::Interior]);
    assert!([24, 27, 28, 29].into_iter().all(|frame| explained(frame) == FreeError::DoubleFree));
    assert_eq!([30, 31].map(explained), [FreeError::SlabPage, FreeError::Reserved]);
    assert_eq!([32, 33].map(explained), [FreeError::Owned(Tag::Vmalloc), FreeError::Reserved]);
    assert_eq!(explained(SECTION_FRAMES), FreeError::Wild);
}
