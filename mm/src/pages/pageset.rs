//! Per-CPU magazines of page blocks.
//!
//! A CPU keeps two magazines for each zone and order. Allocation pops from the loaded one and a free
//! pushes onto it, without a lock. If that one is empty (or full), the two change places; if both are, the CPU trades a
//! whole magazine with the zone's depot, under the zone's lock. Blocks merge only when a magazine is emptied into the
//! buddy lists. (Bonwick and Adams, "Magazines and Vmem", 2001.)
//!
//! A magazine has no memory of its own: it is a chain through the page-map entries of its blocks, which an allocation
//! has to write anyway.
//!
//! Who may touch a CPU's [`PageSets`]: the thread that is pinned to the CPU. An interrupt that may have interrupted it
//! goes to the zone ([`cache_index`](crate::Pinned::cache_index)). Their words are atomics, read and written Relaxed,
//! so that other CPUs may read the counts.

use core::sync::atomic::AtomicU64;

use crate::addr::Pfn;
use crate::atomic::Ordering::Relaxed;
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::{BlockChain, BlockKey, ChainCell, PageMap, Word};

/// Blocks in a full magazine of each order: half a megabyte at most, but for the two largest.
const CAPACITY: [u8; Order::COUNT] = [64, 32, 16, 16, 8, 4, 2, 1, 1, 2];

/// The same by zone and order.
const KEY_CAPACITY: [u8; BlockKey::COUNT] = {
    let mut table = [0; BlockKey::COUNT];
    let mut zone = 0;
    while zone < ZoneKind::COUNT {
        let mut log2 = 0;
        while let Some(order) = Order::new(log2) {
            table[BlockKey::new(ZoneKind::ALL[zone], order).index()] = CAPACITY[log2];
            log2 += 1;
        }
        zone += 1;
    }
    table
};

/// Blocks in a full magazine of this order.
pub(super) const fn capacity(order: Order) -> u32 {
    CAPACITY[order.log2()] as u32
}

/// [`capacity`] of the order of a key.
#[inline]
pub(super) const fn key_capacity(key: BlockKey) -> u32 {
    KEY_CAPACITY[key.index()] as u32
}

/// The two magazines of one CPU for one zone and order.
pub(super) struct PageSet {
    loaded: ChainCell,
    spare: ChainCell,
    allocs: AtomicU64,
    frees: AtomicU64,
}

impl PageSet {
    const fn new() -> Self {
        Self { loaded: ChainCell::new(), spare: ChainCell::new(), allocs: AtomicU64::new(0), frees: AtomicU64::new(0) }
    }

    /// Takes a block out of the loaded magazine; it reads `word` from then on.
    #[inline]
    pub(super) fn pop(&self, map: &PageMap, word: Word) -> Option<Pfn> {
        let mut loaded = self.loaded.get();
        let block = loaded.pop(map)?;
        self.loaded.set(loaded);
        map.at(block).set_word(word);
        count(&self.allocs);
        Some(block)
    }

    /// Adds a block to the loaded magazine, if that has room; it reads `word` from then on.
    #[inline]
    pub(super) fn push(&self, map: &PageMap, block: Pfn, word: Word, capacity: u32) -> bool {
        let mut loaded = self.loaded.get();
        if loaded.len() >= capacity {
            return false;
        }
        loaded.push(map, block);
        self.loaded.set(loaded);
        map.at(block).set_word(word);
        count(&self.frees);
        true
    }

    /// Lets the two magazines change places.
    pub(super) fn swap(&self) {
        let loaded = self.loaded.get();
        self.loaded.set(self.spare.get());
        self.spare.set(loaded);
    }

    /// Loads a magazine in the place of the empty one.
    pub(super) fn load(&self, magazine: BlockChain) {
        self.loaded.set(magazine);
    }

    /// Takes the spare magazine out.
    pub(super) fn take_spare(&self) -> BlockChain {
        self.spare.take()
    }

    /// Whether neither holds a block.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.loaded.len() | self.spare.len() == 0
    }

    /// Takes both magazines out.
    pub(super) fn take_all(&self) -> [BlockChain; 2] {
        [self.loaded.take(), self.spare.take()]
    }

    /// Checks both magazines.
    pub(super) fn validate(&self, map: &PageMap, cached: Word) -> Result<(), &'static str> {
        let sound = [&self.loaded, &self.spare].into_iter().all(|cell| cell.get().is_sound(map, |word| word == cached));
        if sound { Ok(()) } else { Err("a magazine holds a block that is not cached, or leads out of memory") }
    }

    /// Blocks in both magazines.
    fn blocks(&self) -> usize {
        (self.loaded.len() + self.spare.len()) as usize
    }
}

/// The pages in a CPU's magazines of one zone, and the counts of its calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct CpuZoneCounts {
    /// Cached pages.
    pub pages: usize,
    /// Blocks handed out.
    pub allocs: u64,
    /// Blocks taken back.
    pub frees: u64,
}

/// Adds one to a counter that only its own CPU writes.
#[inline]
fn count(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

/// All magazines of one CPU.
#[repr(align(64))]
pub(super) struct PageSets {
    sets: [PageSet; BlockKey::COUNT],
}

impl PageSets {
    pub(super) const fn new() -> Self {
        Self { sets: [const { PageSet::new() }; BlockKey::COUNT] }
    }

    /// The magazines of a zone and order.
    #[inline]
    pub(super) fn set_of(&self, key: BlockKey) -> &PageSet {
        &self.sets[key.index()]
    }

    /// The magazines of a zone, by order.
    #[inline]
    fn of_zone(&self, zone: ZoneKind) -> &[PageSet] {
        let first = BlockKey::new(zone, Order::ZERO).index();
        &self.sets[first..first + Order::COUNT]
    }

    /// Whether no magazine of a zone holds a block; found without a jump. From another CPU a moment old.
    #[inline]
    pub(super) fn is_empty(&self, zone: ZoneKind) -> bool {
        self.of_zone(zone).iter().fold(0, |blocks, set| blocks | set.loaded.len() | set.spare.len()) == 0
    }

    /// Pages in the magazines of a zone. Exact on the own CPU, a moment old on another.
    pub(super) fn pages(&self, zone: ZoneKind) -> usize {
        self.of_zone(zone).iter().enumerate().map(|(log2, set)| set.blocks() << log2).sum()
    }

    /// Pages and counts of the magazines of a zone, as exact.
    pub(super) fn counts(&self, zone: ZoneKind) -> CpuZoneCounts {
        let none = CpuZoneCounts { pages: self.pages(zone), ..CpuZoneCounts::default() };
        self.of_zone(zone).iter().fold(none, |sum, set| CpuZoneCounts {
            pages: sum.pages,
            allocs: sum.allocs + set.allocs.load(Relaxed),
            frees: sum.frees + set.frees.load(Relaxed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::PageSets;
    use crate::addr::Pfn;
    use crate::gfp::ZoneKind;
    use crate::order::Order;
    use crate::page::tests::map;
    use crate::page::{BlockKey, SECTION_FRAMES, Word};
    use crate::tag::Tag;

    #[test]
    fn blocks_and_calls_of_a_zone_are_summed_over_its_orders() {
        let map = map(SECTION_FRAMES, &[(0, SECTION_FRAMES)]);
        let sets = PageSets::new();
        for (nth, order) in Order::all().take(3).enumerate() {
            let key = BlockKey::new(ZoneKind::Normal, order);
            let set = sets.set_of(key);
            let pushed =
                [0, 16, 32].map(|block| set.push(&map, Pfn::new(100 * nth as u32 + block), Word::cached(key), 2));
            assert_eq!(pushed, [true, true, false], "there is room for two");
            set.swap();
            assert!(set.pop(&map, Word::INNER).is_none(), "the spare one was empty");
            set.swap();
            assert!(set.pop(&map, Word::allocated(key, Tag::None)).is_some());
        }
        let counts = sets.counts(ZoneKind::Normal);
        assert_eq!((counts.pages, counts.allocs, counts.frees), (1 + 2 + 4, 3, 6));
        assert_eq!(sets.counts(ZoneKind::Dma), Default::default());
    }

    #[test]
    fn both_magazines_of_a_set_are_checked() {
        let map = map(SECTION_FRAMES, &[(0, SECTION_FRAMES)]);
        let (sets, key) = (PageSets::new(), BlockKey::new(ZoneKind::Dma, Order::ZERO));
        let (set, cached) = (sets.set_of(key), Word::cached(key));
        assert_eq!(set.validate(&map, cached), Ok(()));
        assert!(set.push(&map, Pfn::new(7), cached, 64));
        assert_eq!(set.validate(&map, cached), Ok(()));
        map.at(Pfn::new(7)).set_word(Word::INNER);
        for _ in 0..2 {
            assert!(set.validate(&map, cached).is_err(), "loaded or spare");
            set.swap();
        }
    }
}
