//! The buddy allocator of a zone: blocks of 2^0 to 2^9 pages, split and merged.
//!
//! Free blocks of one order are in a doubly linked list whose links are frame numbers in the page map, so free memory
//! itself is never touched. A mask says which lists are not empty: one instruction finds the block to split. A free
//! block leaves its list in constant time when it merges.
//!
//! Invariants (checked by [`Buddy::validate`]):
//! a. every block in list `n` is aligned to 2^n frames and its page reads `Free(n)` and this zone;
//! b. no two buddies of one order below 9 are both free;
//! c. `pages` is the sum of the blocks in all lists; bit `n` of `mask` says that list `n` is not empty.
//!
//! Neighbours: `zone.rs` adds watermarks, `page/` holds the entries. (Knowlton 1965; chapter: "get_free_page and
//! Friends".)

use crate::addr::{Pfn, PfnRange};
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::{BlockKey, NIL, PageMap, PageState, SECTION_FRAMES, Word};
use crate::tag::Tag;

/// Head and length of one list of free blocks.
#[derive(Clone, Copy)]
struct FreeList {
    head: u32,
    blocks: u32,
}

/// Free blocks of one zone.
pub struct Buddy {
    zone: ZoneKind,
    lists: [FreeList; Order::COUNT],
    mask: u32,
    pages: usize,
}

impl Buddy {
    /// A zone without free blocks.
    pub const fn new(zone: ZoneKind) -> Self {
        Self { zone, lists: [FreeList { head: NIL, blocks: 0 }; Order::COUNT], mask: 0, pages: 0 }
    }

    /// Pages in free blocks.
    pub const fn free_pages(&self) -> usize {
        self.pages
    }

    /// Where the number of these pages lies.
    pub(super) const fn pages_word(&self) -> *const usize {
        &raw const self.pages
    }

    /// Free blocks of `order`.
    pub const fn free_blocks(&self, order: Order) -> usize {
        self.lists[order.log2()].blocks as usize
    }

    /// Takes a block of 2^`order` pages for the owner of this tag: the first of its list, or the lowest part of the
    /// next larger block.
    pub fn alloc(&mut self, map: &PageMap, order: Order, tag: Tag) -> Option<Pfn> {
        let fitting = self.mask >> order.log2();
        if fitting == 0 {
            return None;
        }
        let from = order.log2() + fitting.trailing_zeros() as usize;
        let block = Pfn::new(self.lists[from].head);
        self.unlink(map, block, from);
        for half in (order.log2()..from).rev() {
            self.link(map, block.add(1 << half), half);
        }
        self.pages -= 1 << order.log2();
        map.at(block).set_word(Word::allocated(BlockKey::new(self.zone, order), tag));
        Some(block)
    }

    /// Gives a block of 2^`order` pages back, merged with its free buddies. The caller has checked that it is one.
    pub fn free(&mut self, map: &PageMap, block: Pfn, order: Order) {
        let mut block = block;
        let mut log2 = order.log2();
        self.pages += 1 << log2;
        map.at(block).set_word(Word::INNER);
        while log2 < Order::MAX.log2() {
            let buddy = Pfn::new(block.as_u32() ^ (1 << log2));
            if map.at(buddy).word() != self.free_word(log2) {
                break;
            }
            self.unlink(map, buddy, log2);
            map.at(buddy).set_word(Word::INNER);
            block = Pfn::new(block.as_u32() & !(1 << log2));
            log2 += 1;
        }
        self.link(map, block, log2);
    }

    /// The first frame of `range` that lies in no free block of this zone.
    pub(super) fn first_taken(&self, map: &PageMap, range: PfnRange) -> Option<Pfn> {
        let mut at = range.start;
        while at < range.end {
            match self.block_around(map, at) {
                Some((block, order)) => at = block.add(order.pages()),
                None => return Some(at),
            }
        }
        None
    }

    /// Takes the frames of `range`, all of which are free: each becomes a block of its own. What is left of blocks at
    /// the ends of the range stays.
    pub(super) fn take_range(&mut self, map: &PageMap, range: PfnRange) {
        let mut at = range.start;
        while let Some((block, order)) = self.block_around(map, at).filter(|_| at < range.end) {
            let (end, stop) = (block.add(order.pages()), block.add(order.pages()).min(range.end));
            self.unlink(map, block, order.log2());
            self.pages -= order.pages() as usize;
            map.at(block).set_word(Word::INNER);
            self.free_run(map, block.as_u32(), at.as_u32());
            for frame in at.as_u32()..stop.as_u32() {
                let word = Word::allocated(BlockKey::new(self.zone, Order::ZERO), Tag::None);
                map.at(Pfn::new(frame)).set_word(word);
            }
            self.free_run(map, stop.as_u32(), end.as_u32());
            at = end;
        }
    }

    /// The free block of this zone that a frame lies in.
    fn block_around(&self, map: &PageMap, frame: Pfn) -> Option<(Pfn, Order)> {
        match map.block_of(frame)? {
            (block, PageState::Free(order)) if map.at(block).word() == self.free_word(order.log2()) => {
                Some((block, order))
            }
            _ => None,
        }
    }

    /// Gives all single pages in `range` back that read [`Word::loose`], in the order of their addresses, as the
    /// largest blocks that they make: it reads one entry a page, and merges most of them before it touches a list.
    pub(super) fn free_loose(&mut self, map: &PageMap, range: PfnRange) {
        let loose = Word::loose(self.zone);
        let mut at = range.start.as_u32();
        while at < range.end.as_u32() {
            let section_end = (at + 1).next_multiple_of(SECTION_FRAMES);
            if map.get(Pfn::new(at)).is_none() {
                at = section_end;
                continue;
            }
            // A run ends with the section at the latest: no block is larger.
            let end = section_end.min(range.end.as_u32());
            let start = (at..end).find(|&frame| map.at(Pfn::new(frame)).word() == loose).unwrap_or(end);
            let stop = (start..end).find(|&frame| map.at(Pfn::new(frame)).word() != loose).unwrap_or(end);
            for frame in start..stop {
                map.at(Pfn::new(frame)).set_word(Word::INNER);
            }
            self.free_run(map, start, stop);
            at = stop;
        }
    }

    /// Gives the frames `start..stop` back in the largest aligned blocks.
    fn free_run(&mut self, map: &PageMap, mut start: u32, stop: u32) {
        while start < stop {
            let order = Order::largest_at(start, stop - start);
            self.free(map, Pfn::new(start), order);
            start += order.pages();
        }
    }

    #[inline]
    fn free_word(&self, log2: usize) -> Word {
        Word::free(BlockKey::from_log2(self.zone, log2))
    }

    /// Puts a block at the head of its list.
    fn link(&mut self, map: &PageMap, block: Pfn, log2: usize) {
        let list = &mut self.lists[log2];
        let entry = map.at(block);
        entry.set_link(pack(list.head, NIL));
        if list.head != NIL {
            let next = map.at(Pfn::new(list.head));
            next.set_link(pack(unpack(next.link()).0, block.as_u32()));
        }
        list.head = block.as_u32();
        list.blocks += 1;
        self.mask |= 1 << log2;
        entry.set_word(self.free_word(log2));
    }

    /// Takes a block out of its list; its page still reads `Free`.
    fn unlink(&mut self, map: &PageMap, block: Pfn, log2: usize) {
        let list = &mut self.lists[log2];
        let (next, prev) = unpack(map.at(block).link());
        if prev == NIL {
            list.head = next;
        } else {
            let before = map.at(Pfn::new(prev));
            before.set_link(pack(next, unpack(before.link()).1));
        }
        if next != NIL {
            let after = map.at(Pfn::new(next));
            after.set_link(pack(unpack(after.link()).0, prev));
        }
        list.blocks -= 1;
        if list.blocks == 0 {
            self.mask &= !(1 << log2);
        }
    }

    /// Walks all lists and checks the invariants above; returns the one that is broken.
    ///
    /// # Errors
    /// The first invariant that is broken, in a few words.
    pub fn validate(&self, map: &PageMap) -> Result<(), &'static str> {
        let mut pages = 0;
        for order in Order::all() {
            let list = self.lists[order.log2()];
            pages += self.validate_list(map, order)? << order.log2();
            if (self.mask >> order.log2() & 1 == 1) != (list.blocks > 0) {
                return Err("the mask of non-empty orders is wrong");
            }
        }
        if pages == self.pages { Ok(()) } else { Err("free pages are not the sum of the lists") }
    }

    /// Checks one list and returns its length.
    fn validate_list(&self, map: &PageMap, order: Order) -> Result<usize, &'static str> {
        let list = self.lists[order.log2()];
        let (mut at, mut before, mut blocks) = (list.head, NIL, 0);
        while at != NIL {
            let page = map.get(Pfn::new(at)).ok_or("a list leads out of memory")?;
            let (next, prev) = unpack(page.link());
            if page.word() != self.free_word(order.log2()) || !Pfn::new(at).is_aligned(order.pages()) {
                return Err("a listed block is not free, of another order or misaligned");
            }
            if prev != before {
                return Err("a list's links do not match");
            }
            // The buddy of a largest block may lie beyond the map.
            if order < Order::MAX && map.at(Pfn::new(at ^ order.pages())).word() == page.word() {
                return Err("two free buddies were not merged");
            }
            blocks += 1;
            if blocks > list.blocks as usize {
                return Err("a list is longer than its count");
            }
            (before, at) = (at, next);
        }
        if blocks == list.blocks as usize { Ok(blocks) } else { Err("a list is shorter than its count") }
    }
}

const fn pack(next: u32, prev: u32) -> u64 {
    next as u64 | (prev as u64) << 32
}

const fn unpack(link: u64) -> (u32, u32) {
    (link as u32, (link >> 32) as u32)
}

#[cfg(test)]
mod tests;
