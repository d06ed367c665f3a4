//! Per-CPU magazines of page blocks, and the depot that trades them whole.
//!
//! A CPU keeps two magazines for each zone and each often-used order. Allocation pops from the loaded one and a free pushes
//! onto it, without a lock; when that does not do, the two change places, and when that does not do either, a whole
//! magazine is traded with the zone's depot, under the zone's lock. Blocks are merged only when a magazine is emptied
//! into the buddy lists. (Bonwick and Adams, "Magazines and Vmem", 2001.)
//!
//! A magazine has no memory of its own: it is a chain through the page-map entries of its blocks, which an allocation has
//! to write anyway. The upper half of the first block's link leads to the depot's next magazine.
//!
//! Who may touch a CPU's [`CpuCache`]: the thread that is pinned to the CPU, and of what runs there only one at a time:
//! an interrupt that may have come in between goes to the zone ([`front`](crate::Pinned::front)). Its words are atomics,
//! read and written Relaxed, so that others may look at the counts.

use core::sync::atomic::AtomicU64;

use crate::addr::Pfn;
use crate::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::{BlockKey, Page, PageMap, Word};

/// CPUs that can have caches of their own; others go to the zones.
pub const MAX_CPUS: usize = 16;

/// No block: the end of a chain.
const NIL: u32 = u32::MAX;

/// An order that magazines are kept for: 0 to 3 and 9.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Class(u8);

/// Blocks in a full magazine of each class.
const CAPACITY: [u32; Class::COUNT] = [64, 32, 16, 16, 2];

/// Blocks in a full magazine of each zone and order: 0 where no magazines are kept.
const KEY_CAPACITY: [u8; BlockKey::COUNT] = {
    let mut capacity = [0; BlockKey::COUNT];
    let mut zone = 0;
    while zone < ZoneKind::COUNT {
        let mut class = 0;
        while class < Class::COUNT {
            let order = Class(class as u8).order();
            capacity[BlockKey::new(ZoneKind::ALL[zone], order).index()] = CAPACITY[class] as u8;
            class += 1;
        }
        zone += 1;
    }
    capacity
};

impl Class {
    pub(crate) const COUNT: usize = 5;

    /// The class of an order, if it has one.
    #[inline]
    pub(crate) const fn of(order: Order) -> Option<Self> {
        match order.log2() {
            log2 @ 0..=3 => Some(Self(log2 as u8)),
            9 => Some(Self(4)),
            _ => None,
        }
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }

    /// The order of the class's blocks.
    #[inline]
    pub(crate) const fn order(self) -> Order {
        match Order::new(self.0 as usize) {
            Some(order) if self.0 < 4 => order,
            _ => Order::MAX,
        }
    }

    /// Blocks in a full magazine.
    #[inline]
    pub(crate) const fn capacity(self) -> u32 {
        CAPACITY[self.0 as usize]
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// The key of the class's blocks in `zone`.
    #[inline]
    pub(crate) const fn key(self, zone: ZoneKind) -> BlockKey {
        BlockKey::new(zone, self.order())
    }
}

/// A magazine: a chain of parked blocks, last one in, first one out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Magazine {
    head: u32,
    len: u32,
}

impl Magazine {
    pub(crate) const EMPTY: Self = Self { head: NIL, len: 0 };

    pub(crate) const fn len(self) -> u32 {
        self.len
    }

    /// Takes a block.
    #[inline]
    pub(crate) fn pop(&mut self, map: &PageMap) -> Option<Pfn> {
        if self.len == 0 {
            return None;
        }
        let block = Pfn::new(self.head);
        self.head = map.at(block).link() as u32;
        self.len -= 1;
        Some(block)
    }

    /// Adds a block.
    #[inline]
    pub(crate) fn push(&mut self, map: &PageMap, block: Pfn) {
        map.at(block).set_link(self.head.into());
        self.head = block.as_u32();
        self.len += 1;
    }

    /// Marks every page of a magazine of single pages as about to be merged.
    pub(crate) fn loosen(mut self, map: &PageMap, zone: ZoneKind) {
        while let Some(page) = self.pop(map) {
            map.at(page).set_word(Word::loose(zone));
        }
    }

    /// Checks that every block reads `parked`.
    pub(crate) fn validate(mut self, map: &PageMap, parked: Word) -> Result<(), &'static str> {
        while self.len > 0 {
            let page = map.get(Pfn::new(self.head)).ok_or("a magazine leads out of memory")?;
            if page.word() != parked {
                return Err("a magazine holds a block that is not parked");
            }
            self.pop(map);
        }
        Ok(())
    }
}

/// Full magazines of one zone and class, in a pile for each CPU that handed them in.
///
/// A CPU gets its own back first: their entries in the page map are still in its cache, and to follow a chain through
/// another CPU's cache is slow.
pub(crate) struct Depot {
    piles: [u32; MAX_CPUS],
    magazines: u32,
}

impl Depot {
    pub(crate) const EMPTY: Self = Self { piles: [NIL; MAX_CPUS], magazines: 0 };

    pub(crate) const fn magazines(&self) -> u32 {
        self.magazines
    }

    /// Takes a full magazine, from the pile of `cpu` if that has one.
    pub(crate) fn pop(&mut self, map: &PageMap, class: Class, cpu: usize) -> Option<Magazine> {
        if self.magazines == 0 {
            return None;
        }
        let own = self.piles.get(cpu).is_some_and(|&head| head != NIL);
        let pile = if own { cpu } else { self.piles.iter().position(|&head| head != NIL)? };
        let magazine = Magazine { head: self.piles[pile], len: class.capacity() };
        self.piles[pile] = (map.at(Pfn::new(magazine.head)).link() >> 32) as u32;
        self.magazines -= 1;
        Some(magazine)
    }

    /// Checks that the magazines are full and every block in them reads `parked`.
    pub(crate) fn validate(&self, map: &PageMap, class: Class, parked: Word) -> Result<(), &'static str> {
        let mut magazines = 0;
        for mut head in self.piles {
            while head != NIL && magazines < self.magazines {
                let magazine = Magazine { head, len: class.capacity() };
                magazine.validate(map, parked)?;
                head = (map.at(Pfn::new(head)).link() >> 32) as u32;
                magazines += 1;
            }
            if head != NIL {
                return Err("a depot has more magazines than it counts");
            }
        }
        if magazines == self.magazines { Ok(()) } else { Err("a depot has fewer magazines than it counts") }
    }

    /// Adds a full magazine to the pile of `cpu`.
    pub(crate) fn push(&mut self, map: &PageMap, magazine: Magazine, cpu: usize) {
        let first = map.at(Pfn::new(magazine.head));
        let pile = &mut self.piles[cpu];
        first.set_link(u64::from(first.link() as u32) | u64::from(*pile) << 32);
        *pile = magazine.head;
        self.magazines += 1;
    }
}

/// Where a CPU keeps a magazine. Head and length are words of their own: neither waits for the other in a processor that
/// passes a store on to the next load.
struct Place {
    head: AtomicU32,
    len: AtomicU32,
}

impl Place {
    const fn new() -> Self {
        Self { head: AtomicU32::new(NIL), len: AtomicU32::new(0) }
    }

    #[inline]
    fn get(&self) -> Magazine {
        Magazine { head: self.head.load(Relaxed), len: self.len.load(Relaxed) }
    }

    #[inline]
    fn set(&self, magazine: Magazine) {
        self.head.store(magazine.head, Relaxed);
        self.len.store(magazine.len, Relaxed);
    }

    fn take(&self) -> Magazine {
        let magazine = self.get();
        self.set(Magazine::EMPTY);
        magazine
    }
}

/// Blocks in a full magazine of this zone and order; 0 when none are kept.
#[inline]
pub(crate) const fn capacity(key: BlockKey) -> u32 {
    KEY_CAPACITY[key.index()] as u32
}

/// The two magazines of one CPU for one zone and order.
pub(crate) struct Slot {
    loaded: Place,
    spare: Place,
    allocs: AtomicU64,
    frees: AtomicU64,
}

impl Slot {
    const fn new() -> Self {
        Self { loaded: Place::new(), spare: Place::new(), allocs: AtomicU64::new(0), frees: AtomicU64::new(0) }
    }

    /// Takes a block out of the loaded magazine; it reads `word` from then on.
    #[inline]
    pub(crate) fn pop(&self, map: &PageMap, word: Word) -> Option<Pfn> {
        let loaded = self.loaded.get();
        if loaded.len == 0 {
            return None;
        }
        let block = Pfn::new(loaded.head);
        let page = map.at(block);
        self.loaded.set(Magazine { head: page.link() as u32, len: loaded.len.wrapping_sub(1) });
        page.set_word(word);
        count(&self.allocs);
        Some(block)
    }

    /// Adds a block to the loaded magazine, if that has room; it reads `word` from then on.
    #[inline]
    pub(crate) fn push(&self, (block, page): (Pfn, &Page), word: Word, capacity: u32) -> bool {
        let loaded = self.loaded.get();
        if loaded.len >= capacity {
            return false;
        }
        page.set_link(loaded.head.into());
        page.set_word(word);
        self.loaded.set(Magazine { head: block.as_u32(), len: loaded.len.wrapping_add(1) });
        count(&self.frees);
        true
    }

    /// Lets the two magazines change places.
    pub(crate) fn swap(&self) {
        let loaded = self.loaded.get();
        self.loaded.set(self.spare.get());
        self.spare.set(loaded);
    }

    /// Loads a magazine in the place of the empty one.
    pub(crate) fn load(&self, magazine: Magazine) {
        self.loaded.set(magazine);
    }

    /// Takes the spare magazine out.
    pub(crate) fn take_spare(&self) -> Magazine {
        self.spare.take()
    }

    /// Takes both magazines out.
    pub(crate) fn take_all(&self) -> [Magazine; 2] {
        [self.loaded.take(), self.spare.take()]
    }

    /// Checks both magazines.
    pub(crate) fn validate(&self, map: &PageMap, parked: Word) -> Result<(), &'static str> {
        self.loaded.get().validate(map, parked)?;
        self.spare.get().validate(map, parked)
    }

    /// Blocks in both magazines.
    fn blocks(&self) -> usize {
        (self.loaded.len.load(Relaxed) + self.spare.len.load(Relaxed)) as usize
    }
}

/// What a CPU's magazines hold of one zone, and what they have done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuZoneCounts {
    /// Pages that wait in them.
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
pub(crate) struct CpuCache {
    /// Another CPU asks this one to empty its magazines.
    drain_wanted: AtomicBool,
    slots: [Slot; BlockKey::COUNT],
}

impl CpuCache {
    pub(crate) const fn new() -> Self {
        Self { drain_wanted: AtomicBool::new(false), slots: [const { Slot::new() }; BlockKey::COUNT] }
    }

    /// The magazines of a zone and order.
    #[inline]
    pub(crate) fn slot(&self, key: BlockKey) -> &Slot {
        &self.slots[key.index()]
    }

    /// What the magazines hold of a zone and have done. Exact on the own CPU, a moment old from elsewhere.
    pub(crate) fn counts(&self, zone: ZoneKind) -> CpuZoneCounts {
        Class::all().fold(CpuZoneCounts::default(), |sum, class| {
            let slot = self.slot(class.key(zone));
            CpuZoneCounts {
                pages: sum.pages + (slot.blocks() << class.order().log2()),
                allocs: sum.allocs + slot.allocs.load(Relaxed),
                frees: sum.frees + slot.frees.load(Relaxed),
            }
        })
    }

    /// Asks the CPU to empty its magazines at its next call.
    pub(crate) fn want_drain(&self) {
        self.drain_wanted.store(true, Relaxed);
    }

    /// Whether another CPU wants the magazines emptied; asked once.
    #[inline]
    pub(crate) fn take_drain_wish(&self) -> bool {
        self.drain_wanted.load(Relaxed) && self.drain_wanted.swap(false, Relaxed)
    }
}
