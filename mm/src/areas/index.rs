//! The area index: areas by their first address.
//! Most frees find their area here, without the tree and its lock.
//!
//! Key types: [`AreaIndex`], a table by the hash of the address with two places for each hash. An entry says in one
//! word which area it has and whether that is open: of all calls that free an area at once, the one that closes this
//! word wins. The entry stays closed until the area is opened for its next owner. The state in the area's descriptor
//! follows when the area is free: until then it says that the area is open.
//!
//! Areas that have lost their places to others are not here; their state changes under the tree's lock. That lock is
//! also needed to give a place to another area, and only an open area loses its place: a closed one is being built or
//! freed, or is free and keeps its place for the next owner. Where both places are closed, a new area has no place and
//! is freed through the tree. An area leaves the index before its descriptor is freed.

use crate::addr::{PAGE_SHIFT, PAGE_SIZE, VirtAddr};
use crate::areas::area::{AreaLink, AreaRef, IndexSlot, Owner};
use crate::atomic::{AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use crate::place::{Place, in_place};

/// log2 of the number of sets. Few where schedules are explored, so that areas compete for places.
const BITS: u32 = if cfg!(feature = "explore") { 1 } else { 11 };
const SETS: usize = 1 << BITS;
/// Places of a set: half a cache line.
const WAYS: usize = 2;
/// A place fits into 16 bits, and one number is left for none.
const _: () = assert!(SETS * WAYS < u16::MAX as usize);
/// No area.
const NONE: usize = 0;
/// Set in the word of an area that is closed.
const CLOSED: usize = 1;

struct Entry {
    word: AtomicUsize,
    area: AreaLink,
}

impl Entry {
    /// Empties the entry if its area is open; says whether it was.
    fn clear(&self) -> bool {
        let before = self.word.load(Relaxed);
        before & CLOSED == 0 && self.word.compare_exchange(before, NONE, Acquire, Relaxed).is_ok()
    }
}

/// Areas by their first address, as far as they have places.
pub(super) struct AreaIndex {
    entries: [[Entry; WAYS]; SETS],
}

impl AreaIndex {
    /// No areas.
    pub(super) fn settle(place: Place<Self>) -> &'static Self {
        let none = |_| [const { Entry { word: AtomicUsize::new(NONE), area: AreaLink::new() } }; WAYS];
        in_place!(place, Self { entries: |place: Place<_>| place.fill(none) })
    }

    /// Closes the open area of this owner that starts at `addr`, a page's address, if it is here; then only the
    /// caller uses it.
    #[inline]
    pub(super) fn close(&self, addr: VirtAddr, owner: Owner) -> Option<AreaRef> {
        let open = addr.as_usize() | owner.bits();
        let entry = self.entries[self.set(addr)].iter().find(|entry| entry.word.load(Relaxed) == open)?;
        entry.word.compare_exchange(open, open | CLOSED, Acquire, Relaxed).ok()?;
        // Only the call that closed an area changes its entry.
        entry.area.get()
    }

    /// Whether an area that is in the tree is here too. Under the tree's lock.
    pub(super) fn knows(&self, area: AreaRef) -> bool {
        self.entry_of(area).is_some()
    }

    /// Opens an area that was assigned and that only the caller uses, and its entry if any. Returns its address.
    #[inline]
    pub(super) fn open(&self, area: AreaRef) -> VirtAddr {
        // Read before it is open: then another CPU may close it, give it an entry, and even free its descriptor.
        let (entry, start) = (self.entry_of(area), area.start);
        let bits = area.open();
        if let Some(entry) = entry {
            entry.word.store(start.as_usize() | bits, Release);
        }
        start
    }

    /// Adds an area, with a closed entry, if a place is empty or its area open. Under the tree's lock.
    pub(super) fn add(&self, area: AreaRef) {
        let set = self.set(area.start);
        let places = || set * WAYS..(set + 1) * WAYS;
        let empty = places().find(|&place| self.entry(place).word.load(Relaxed) == NONE);
        let Some(place) = empty.or_else(|| places().find(|&place| self.entry(place).clear())) else { return };
        let entry = self.entry(place);
        if let Some(before) = entry.area.get() {
            before.slot.set(IndexSlot::NONE);
        }
        entry.area.set(Some(area));
        area.slot.set(IndexSlot::new(place));
        entry.word.store(area.start.as_usize() | CLOSED, Release);
    }

    /// Removes a closed area, which the caller removes from the tree. Under the tree's lock.
    pub(super) fn remove(&self, area: AreaRef) {
        if let Some(entry) = self.entry_of(area) {
            entry.area.set(None);
            entry.word.store(NONE, Release);
        }
    }

    /// The set for an area that starts at `addr`. Neighbours, often of one CPU, are in neighbouring sets.
    #[inline]
    fn set(&self, addr: VirtAddr) -> usize {
        // An area takes two pages at least.
        let pair = addr.as_usize() >> (PAGE_SHIFT + 1);
        (pair ^ pair >> BITS) % SETS
    }

    #[inline]
    fn entry(&self, place: usize) -> &Entry {
        &self.entries[place / WAYS][place % WAYS]
    }

    /// The entry of an area, if it has one.
    #[inline]
    fn entry_of(&self, area: AreaRef) -> Option<&Entry> {
        let place = area.slot.get().number();
        self.entries.as_flattened().get(place)
    }

    /// Checks that every area here `is_there` in the tree, knows its place, and is open or closed as its entry says.
    pub(super) fn validate(&self, is_there: impl Fn(AreaRef) -> bool) -> Result<(), &'static str> {
        for (place, entry) in self.entries.iter().flatten().enumerate() {
            let is_valid = |area: AreaRef| {
                let (word, closed) = (entry.word.load(Relaxed), if area.is_open() { 0 } else { CLOSED });
                is_there(area)
                    && area.slot.get() == IndexSlot::new(place)
                    && self.set(area.start) == place / WAYS
                    && word & (CLOSED | !(PAGE_SIZE - 1)) == area.start.as_usize() | closed
            };
            if !entry.area.get().is_none_or(is_valid) {
                return Err("the index has a vm area that is not in the tree, or has it wrongly");
            }
        }
        Ok(())
    }
}
