//! A zone: a buddy allocator whose watermarks keep pages for urgent requests.
//!
//! (Chapter: "Memory zones"; watermarks by the 2.4 formula: `min` is the zone's size over a ratio, within 10..255
//! pages, `low` twice and `high` three times that.)

use super::buddy::Buddy;
use super::pageset::capacity;
use super::zone_depot::Depot;
use crate::addr::{Pfn, PfnRange, VirtAddr};
use crate::error::RangeError;
use crate::gfp::{Priority, ZoneKind};
use crate::order::Order;
use crate::outside::ZoneWords;
use crate::page::{BlockChain, BlockKey, PageMap, Word};
use crate::tag::Tag;

/// Free pages at which a zone changes its behaviour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Watermarks {
    /// GFP_KERNEL stops here; below is the reserve of GFP_ATOMIC.
    pub min: usize,
    /// GFP_USER stops here; below, kswapd is woken.
    pub low: usize,
    /// kswapd works until this many pages are free.
    pub high: usize,
}

impl Watermarks {
    /// The watermarks of a zone of `pages` pages.
    pub fn for_zone(kind: ZoneKind, pages: usize) -> Self {
        let ratio = match kind {
            ZoneKind::Dma => 32,
            ZoneKind::Normal | ZoneKind::HighMem => 128,
        };
        let min = (pages / ratio).clamp(10, 255);
        Self { min, low: 2 * min, high: 3 * min }
    }
}

/// Where GFP_ATOMIC stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AtomicFloor {
    /// At the last free page, as the chapter says.
    #[default]
    LastPage,
    /// One page below a quarter of `min`, as 2.4.0 did (kernel option `atomic_floor=min/4`).
    QuarterOfMin,
}

/// What has happened in a zone since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ZoneCounters {
    /// Blocks handed out.
    pub allocs: u64,
    /// Blocks taken back.
    pub frees: u64,
    /// Blocks handed out from below `min`.
    pub reserve_allocs: u64,
    /// Requests that the zone could not serve.
    pub refusals: u64,
    /// Requests for this zone first that slept.
    pub sleeps: u64,
    /// Requests for this zone first that failed.
    pub failures: u64,
}

/// Above `low` by this many pages or fewer, a zone trades no magazines.
const TIGHT_MARGIN: usize = 64;
/// Full magazines of each order that a depot keeps: 128 MiB of single pages at most, so that emptying it ends soon.
const DEPOT_MAGAZINES: [u32; Order::COUNT] = [512, 32, 32, 64, 32, 16, 8, 8, 4, 4];
/// A depot's magazines of one order hold at most a quarter of the zone. Single pages may hold all of it: many of them
/// merge fast ([`Buddy::free_loose`]).
const DEPOT_SHARE: usize = 4;
/// Single pages in the depot are merged by one walk over the zone if they are at least this share of it: one in 4.
const SWEEP_SHARE: usize = 4;

/// The CPU whose magazines are drained first; any will do.
const ANY_CPU: usize = 0;

/// One zone of page frames. Its watermarks count the pages in the buddy lists and in the depots as free.
pub struct Zone {
    kind: ZoneKind,
    buddy: Buddy,
    depots: [Depot; Order::COUNT],
    depot_pages: usize,
    managed: usize,
    /// From the zone's first frame to its last, holes included.
    span: PfnRange,
    marks: Watermarks,
    floor: AtomicFloor,
    counters: ZoneCounters,
}

/// A zone's answer to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Granted {
    /// A block; free memory is above `low`.
    Plenty(Pfn),
    /// A block, but free memory has fallen to `low` or below: time to wake kswapd.
    Scarce(Pfn),
    /// A block from below `min`.
    Reserve(Pfn),
    /// Nothing.
    Refused,
}

impl Zone {
    /// A zone without memory.
    pub const fn new(kind: ZoneKind, floor: AtomicFloor) -> Self {
        Self {
            kind,
            buddy: Buddy::new(kind),
            depots: [const { Depot::EMPTY }; Order::COUNT],
            depot_pages: 0,
            managed: 0,
            span: PfnRange::new(Pfn::new(0), Pfn::new(0)),
            marks: Watermarks { min: 0, low: 0, high: 0 },
            floor,
            counters: ZoneCounters { allocs: 0, frees: 0, reserve_allocs: 0, refusals: 0, sleeps: 0, failures: 0 },
        }
    }

    /// Hands a block to the zone for the first time; the watermarks follow its size.
    pub fn release(&mut self, map: &PageMap, block: Pfn, order: Order) {
        self.buddy.free(map, block, order);
        let end = block.add(order.pages());
        let start = if self.managed == 0 { block } else { self.span.start.min(block) };
        self.span = PfnRange::new(start, self.span.end.max(end));
        self.managed += order.pages() as usize;
        self.marks = Watermarks::for_zone(self.kind, self.managed);
    }

    /// Moves the watermarks: `min` to this many pages, a quarter of the zone at most, `low` and `high` to twice and
    /// three times that.
    pub fn set_min(&mut self, min: usize) -> usize {
        let min = min.min(self.managed / 4);
        self.marks = Watermarks { min, low: 2 * min, high: 3 * min };
        min
    }

    /// The free pages that a request must leave behind.
    fn floor(&self, priority: Priority) -> usize {
        match (priority, self.floor) {
            (Priority::Atomic, AtomicFloor::LastPage) => 0,
            (Priority::Atomic, AtomicFloor::QuarterOfMin) => (self.marks.min / 4).saturating_sub(1),
            (Priority::Kernel, _) => self.marks.min,
            (Priority::User, _) => self.marks.low,
        }
    }

    /// Whether a request for 2^`order` pages leaves enough behind.
    pub(super) fn would_grant(&self, order: Order, priority: Priority) -> bool {
        self.free_pages() >= self.floor(priority) + order.pages() as usize
    }

    /// Pages in the buddy lists and in the depots.
    pub const fn free_pages(&self) -> usize {
        self.buddy.free_pages() + self.depot_pages
    }

    /// Pages in the depots.
    pub const fn depot_pages(&self) -> usize {
        self.depot_pages
    }

    /// Whether free memory is so near `low` that no magazine may be filled.
    pub(super) const fn is_tight(&self) -> bool {
        self.free_pages() < self.marks.low + TIGHT_MARGIN
    }

    /// The key of this zone's blocks of `order`.
    fn key(&self, order: Order) -> BlockKey {
        BlockKey::new(self.kind, order)
    }

    /// Takes a magazine for `cpu`, full if there are enough blocks, unless memory is tight.
    pub(super) fn take_magazine(&mut self, map: &PageMap, order: Order, cpu: usize) -> Option<BlockChain> {
        let pages = magazine_pages(order);
        if self.free_pages() < self.marks.low + TIGHT_MARGIN + pages {
            return None;
        }
        if let Some(magazine) = self.depots[order.log2()].pop(map, order, cpu) {
            self.depot_pages -= pages;
            return Some(magazine);
        }
        let magazine = self.magazine_of(map, order, capacity(order) as usize);
        (magazine.len() > 0).then_some(magazine)
    }

    /// Takes a magazine of what is above `low`, half of a full one at most.
    pub(super) fn take_surplus(&mut self, map: &PageMap, order: Order) -> BlockChain {
        let surplus = self.buddy.free_pages().saturating_sub(self.marks.low) >> order.log2();
        self.magazine_of(map, order, surplus.min(capacity(order) as usize / 2))
    }

    /// Takes up to so many blocks out of the lists.
    fn magazine_of(&mut self, map: &PageMap, order: Order, blocks: usize) -> BlockChain {
        let mut magazine = BlockChain::EMPTY;
        while (magazine.len() as usize) < blocks {
            let Some(block) = self.buddy.alloc(map, order, Tag::None) else { break };
            map.at(block).set_word(Word::cached(self.key(order)));
            magazine.push(map, block);
        }
        magazine
    }

    /// Takes a magazine of `cpu`: into the depot if it is full and there is room, else block by block into the lists.
    pub(super) fn put_magazine(&mut self, map: &PageMap, order: Order, magazine: BlockChain, cpu: usize) {
        let pages = magazine_pages(order);
        let share = if order == Order::ZERO { 1 } else { DEPOT_SHARE };
        let depot = &mut self.depots[order.log2()];
        let room = depot.magazines() < DEPOT_MAGAZINES[order.log2()]
            && (depot.magazines() as usize + 1) * pages * share <= self.managed;
        if room && magazine.len() == capacity(order) {
            depot.push(map, magazine, cpu);
            self.depot_pages += pages;
        } else {
            self.free_all(map, order, magazine);
        }
    }

    /// Gives the blocks of a magazine to the buddy lists, where they merge.
    pub(super) fn free_all(&mut self, map: &PageMap, order: Order, mut magazine: BlockChain) {
        while let Some(block) = magazine.pop(map) {
            self.buddy.free(map, block, order);
        }
    }

    /// Gives the depots' blocks to the buddy lists; returns how many pages that were.
    pub(super) fn drain(&mut self, map: &PageMap) -> usize {
        let pages = core::mem::take(&mut self.depot_pages);
        for order in Order::all() {
            let blocks = (self.depots[order.log2()].magazines() * capacity(order)) as usize;
            let sweep = order == Order::ZERO && blocks * SWEEP_SHARE >= self.span.frames();
            let depot = &mut self.depots[order.log2()];
            if sweep {
                while depot.magazines() > 0 {
                    let magazines =
                        core::array::from_fn(|_| depot.pop(map, order, ANY_CPU).unwrap_or(BlockChain::EMPTY));
                    BlockChain::set_words(magazines, map, Word::loose(self.kind));
                }
                self.buddy.free_loose(map, self.span);
            }
            while let Some(magazine) = self.depots[order.log2()].pop(map, order, ANY_CPU) {
                self.free_all(map, order, magazine);
            }
        }
        pages
    }

    /// Checks the buddy lists and the depots; returns the first invariant that is broken.
    pub(super) fn validate(&self, map: &PageMap) -> Result<(), &'static str> {
        let full = |order: Order| self.depots[order.log2()].magazines() as usize * magazine_pages(order);
        if Order::all().map(full).sum::<usize>() != self.depot_pages {
            return Err("depot pages are not the sum of the depots");
        }
        for order in Order::all() {
            self.depots[order.log2()].validate(map, order, Word::cached(self.key(order)))?;
        }
        if self.buddy.free_pages() + self.depot_pages > self.managed {
            return Err("more pages are free than the zone has");
        }
        self.buddy.validate(map)
    }

    /// Takes a block if the watermarks allow it.
    pub(super) fn alloc(&mut self, map: &PageMap, order: Order, priority: Priority, tag: Tag) -> Granted {
        let block = self.would_grant(order, priority).then(|| self.take_block(map, order, tag)).flatten();
        let Some(block) = block else {
            self.counters.refusals += 1;
            return Granted::Refused;
        };
        self.counters.allocs += 1;
        let free = self.free_pages();
        if free > self.marks.low {
            return Granted::Plenty(block);
        }
        if free >= self.marks.min {
            return Granted::Scarce(block);
        }
        self.counters.reserve_allocs += 1;
        Granted::Reserve(block)
    }

    /// Takes a block if more than the `low` watermark is left.
    pub(super) fn alloc_plenty(&mut self, map: &PageMap, order: Order, tag: Tag) -> Option<Pfn> {
        let is_plenty = self.free_pages() > self.marks.low + order.pages() as usize;
        let block = is_plenty.then(|| self.take_block(map, order, tag)).flatten()?;
        self.counters.allocs += 1;
        Some(block)
    }

    /// Whether the frames of `range`, which lie in this zone, could be taken, and so many `others` with them. The
    /// depots are emptied if a frame is not free.
    pub(super) fn check_range(
        &mut self,
        map: &PageMap,
        range: PfnRange,
        others: usize,
        priority: Priority,
    ) -> Result<(), RangeError> {
        let in_the_way = match self.buddy.first_taken(map, range) {
            Some(_) if self.drain(map) > 0 => self.buddy.first_taken(map, range),
            found => found,
        };
        match in_the_way {
            Some(frame) => Err(RangeError::InTheWay(frame)),
            None if self.free_pages() < self.floor(priority) + others + range.frames() => Err(RangeError::NoMemory),
            None => Ok(()),
        }
    }

    /// Takes the frames of `range`, each as a block of its own, if [`check_range`](Self::check_range) allows it.
    pub(super) fn take_range(&mut self, map: &PageMap, range: PfnRange, priority: Priority) -> Result<(), RangeError> {
        self.check_range(map, range, 0, priority)?;
        self.buddy.take_range(map, range);
        self.counters.allocs += range.frames() as u64;
        Ok(())
    }

    /// Takes a free block of this order, whatever the watermarks.
    pub(super) fn take_any(&mut self, map: &PageMap, order: Order) -> Option<Pfn> {
        self.buddy.alloc(map, order, Tag::None)
    }

    /// Counts a request that tried this zone first and sleeps.
    pub(super) fn count_sleep(&mut self) {
        self.counters.sleeps += 1;
    }

    /// Counts a request that tried this zone first and failed.
    pub(super) fn count_failure(&mut self) {
        self.counters.failures += 1;
    }

    /// A block from the lists; if they have none, after the depots are emptied into them.
    fn take_block(&mut self, map: &PageMap, order: Order, tag: Tag) -> Option<Pfn> {
        let block = self.buddy.alloc(map, order, tag);
        if block.is_some() || self.drain(map) == 0 { block } else { self.buddy.alloc(map, order, tag) }
    }

    /// Takes a block back. The caller has checked that it is one of this zone.
    pub(super) fn free(&mut self, map: &PageMap, block: Pfn, order: Order) {
        self.buddy.free(map, block, order);
        self.counters.frees += 1;
    }

    /// Free pages and free blocks per order.
    pub fn buddy(&self) -> &Buddy {
        &self.buddy
    }

    /// Pages that were handed to the zone at boot.
    pub const fn managed(&self) -> usize {
        self.managed
    }

    /// The zone's watermarks, in pages.
    pub const fn watermarks(&self) -> Watermarks {
        self.marks
    }

    /// Where these numbers lie.
    pub(super) fn words(&self) -> ZoneWords {
        let at = |word: *const ()| VirtAddr::from_ptr(word).as_usize() as u64;
        let (marks, counters) = (&self.marks, &self.counters);
        ZoneWords {
            managed: at(&raw const self.managed as _),
            listed: at(self.buddy.pages_word().cast()),
            depot: at(&raw const self.depot_pages as _),
            min: at(&raw const marks.min as _),
            low: at(&raw const marks.low as _),
            high: at(&raw const marks.high as _),
            reserve_allocs: at(&raw const counters.reserve_allocs as _),
            refusals: at(&raw const counters.refusals as _),
            sleeps: at(&raw const counters.sleeps as _),
            failures: at(&raw const counters.failures as _),
        }
    }

    /// What has happened since boot.
    pub const fn counters(&self) -> ZoneCounters {
        self.counters
    }
}

/// Pages of a full magazine.
const fn magazine_pages(order: Order) -> usize {
    (capacity(order) as usize) << order.log2()
}

#[cfg(test)]
mod tests;
