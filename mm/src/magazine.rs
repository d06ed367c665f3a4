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
//! an interrupt that finds the cache taken ([`CpuCache::enter`]) goes to the zone. Its words are atomics, read and written
//! Relaxed, so that others may look at the counts.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, compiler_fence};

use crate::addr::Pfn;
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::{PageMap, Word};

/// CPUs that can have caches of their own; others go to the zones.
pub const MAX_CPUS: usize = 16;

/// No block: the end of a chain.
const NIL: u32 = u32::MAX;

/// An order that magazines are kept for: 0 to 3 and 9.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Class(u8);

/// Blocks in a full magazine of each class.
const CAPACITY: [u32; Class::COUNT] = [64, 32, 16, 8, 2];

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

    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
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

    #[inline]
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

    #[inline]
    const fn to_bits(self) -> u64 {
        self.head as u64 | (self.len as u64) << 32
    }

    #[inline]
    const fn from_bits(bits: u64) -> Self {
        Self { head: bits as u32, len: (bits >> 32) as u32 }
    }
}

/// Full magazines of one zone and class.
pub(crate) struct Depot {
    head: u32,
    magazines: u32,
}

impl Depot {
    pub(crate) const EMPTY: Self = Self { head: NIL, magazines: 0 };

    #[inline]
    pub(crate) const fn magazines(&self) -> u32 {
        self.magazines
    }

    /// Takes a full magazine.
    pub(crate) fn pop(&mut self, map: &PageMap, class: Class) -> Option<Magazine> {
        if self.magazines == 0 {
            return None;
        }
        let magazine = Magazine { head: self.head, len: class.capacity() };
        self.head = (map.at(Pfn::new(self.head)).link() >> 32) as u32;
        self.magazines -= 1;
        Some(magazine)
    }

    /// Checks that the magazines are full and every block in them reads `parked`.
    pub(crate) fn validate(&self, map: &PageMap, class: Class, parked: Word) -> Result<(), &'static str> {
        let mut head = self.head;
        for _ in 0..self.magazines {
            let magazine = Magazine { head, len: class.capacity() };
            magazine.validate(map, parked)?;
            head = (map.at(Pfn::new(head)).link() >> 32) as u32;
        }
        if head == NIL { Ok(()) } else { Err("a depot has more magazines than it counts") }
    }

    /// Adds a full magazine.
    pub(crate) fn push(&mut self, map: &PageMap, magazine: Magazine) {
        let first = map.at(Pfn::new(magazine.head));
        first.set_link(u64::from(first.link() as u32) | u64::from(self.head) << 32);
        self.head = magazine.head;
        self.magazines += 1;
    }
}

/// The two magazines of one CPU for one zone and class.
pub(crate) struct Slot {
    loaded: AtomicU64,
    spare: AtomicU64,
    allocs: AtomicU64,
    frees: AtomicU64,
}

impl Slot {
    const fn new() -> Self {
        let empty = Magazine::EMPTY.to_bits();
        Self {
            loaded: AtomicU64::new(empty),
            spare: AtomicU64::new(empty),
            allocs: AtomicU64::new(0),
            frees: AtomicU64::new(0),
        }
    }

    #[inline]
    fn loaded(&self) -> Magazine {
        Magazine::from_bits(self.loaded.load(Relaxed))
    }

    #[inline]
    fn spare(&self) -> Magazine {
        Magazine::from_bits(self.spare.load(Relaxed))
    }

    /// Takes a block.
    #[inline]
    pub(crate) fn pop(&self, map: &PageMap) -> Option<Pfn> {
        let mut loaded = self.loaded();
        if loaded.len == 0 {
            let spare = self.spare();
            self.spare.store(loaded.to_bits(), Relaxed);
            loaded = spare;
        }
        let block = loaded.pop(map)?;
        self.loaded.store(loaded.to_bits(), Relaxed);
        count(&self.allocs);
        Some(block)
    }

    /// Adds a block, if one of the two magazines has room.
    #[inline]
    pub(crate) fn push(&self, map: &PageMap, block: Pfn, class: Class) -> bool {
        let mut loaded = self.loaded();
        if loaded.len == class.capacity() {
            let spare = self.spare();
            if spare.len == class.capacity() {
                return false;
            }
            self.spare.store(loaded.to_bits(), Relaxed);
            loaded = spare;
        }
        loaded.push(map, block);
        self.loaded.store(loaded.to_bits(), Relaxed);
        count(&self.frees);
        true
    }

    /// Loads a magazine in the place of the empty one.
    pub(crate) fn load(&self, magazine: Magazine) {
        self.loaded.store(magazine.to_bits(), Relaxed);
    }

    /// Takes the spare magazine out.
    pub(crate) fn take_spare(&self) -> Magazine {
        Magazine::from_bits(self.spare.swap(Magazine::EMPTY.to_bits(), Relaxed))
    }

    /// Takes both magazines out.
    pub(crate) fn take_all(&self) -> [Magazine; 2] {
        let loaded = Magazine::from_bits(self.loaded.swap(Magazine::EMPTY.to_bits(), Relaxed));
        [loaded, self.take_spare()]
    }

    /// Checks both magazines.
    pub(crate) fn validate(&self, map: &PageMap, parked: Word) -> Result<(), &'static str> {
        self.loaded().validate(map, parked)?;
        self.spare().validate(map, parked)
    }

    /// Blocks in both magazines. Exact on the own CPU, a moment old from elsewhere.
    pub(crate) fn blocks(&self) -> usize {
        (self.loaded().len + self.spare().len) as usize
    }

    /// Blocks handed out and taken back.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.allocs.load(Relaxed), self.frees.load(Relaxed))
    }
}

/// Adds one to a counter that only its own CPU writes.
#[inline]
fn count(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

/// All magazines of one CPU.
#[repr(align(64))]
pub(crate) struct CpuCache {
    taken: AtomicBool,
    /// Another CPU asks this one to empty its magazines.
    drain_wanted: AtomicBool,
    slots: [[Slot; Class::COUNT]; ZoneKind::COUNT],
}

impl CpuCache {
    pub(crate) const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            drain_wanted: AtomicBool::new(false),
            slots: [const { [const { Slot::new() }; Class::COUNT] }; ZoneKind::COUNT],
        }
    }

    /// Takes the cache for the caller, which is pinned to its CPU; `None` when the caller has interrupted who has it.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        if self.taken.load(Relaxed) {
            return None;
        }
        self.taken.store(true, Relaxed);
        compiler_fence(core::sync::atomic::Ordering::SeqCst);
        Some(Entered(self))
    }

    /// The magazines of a zone and class, for those who only look.
    #[inline]
    pub(crate) fn slot(&self, zone: ZoneKind, class: Class) -> &Slot {
        &self.slots[zone as usize][class.index()]
    }

    /// Asks the CPU to empty its magazines at its next call.
    pub(crate) fn want_drain(&self) {
        self.drain_wanted.store(true, Relaxed);
    }
}

/// A cache that is taken; dropping this gives it back.
pub(crate) struct Entered<'a>(&'a CpuCache);

impl Entered<'_> {
    /// The magazines of a zone and class.
    #[inline]
    pub(crate) fn slot(&self, zone: ZoneKind, class: Class) -> &Slot {
        self.0.slot(zone, class)
    }

    /// Whether another CPU wants the magazines emptied; asked once.
    #[inline]
    pub(crate) fn take_drain_wish(&self) -> bool {
        self.0.drain_wanted.load(Relaxed) && self.0.drain_wanted.swap(false, Relaxed)
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.0.taken.store(false, Relaxed);
    }
}
