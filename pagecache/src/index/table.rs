//! What is under the index lock, and how a page is found in it.

use kapi::Kernel;
use mm::space::Scan;
use mm::{AllocError, Pfn};

use super::descriptor::{Descriptor, Marks, NONE};
use super::sections::Sections;
use super::slot::{NOBODY, Slot, Slots};
use crate::stats::Counts;

/// Chains of the hash, at most: as many as 32 bits count.
const MOST_CHAINS: usize = 1 << 31;

/// What is under the index lock.
pub(crate) struct Index<K: Kernel> {
    pub(crate) pool: Sections<Descriptor<K>, K>,
    /// The first page of each chain; a power of two of them.
    pub(super) heads: Sections<u32, K>,
    /// The number of the last chain.
    last_chain: u32,
    pub(crate) slots: Slots<K>,
    /// The list of mappings with dirty pages that are written back.
    pub(super) first_dirty: u32,
    pub(super) last_dirty: u32,
    /// Writes that have begun, modulo 2^32.
    pub(crate) writes_begun: u32,
    pub(crate) counts: Counts,
    pub(crate) scan: Option<&'static dyn Scan>,
}

/// Room for all descriptors, of which none is made.
pub(crate) struct Room<K: Kernel> {
    pool: Sections<Descriptor<K>, K>,
    heads: Sections<u32, K>,
}

impl<K: Kernel> Room<K> {
    /// Room for the pages of the machine. Process context.
    pub(crate) fn new() -> Result<Self, AllocError> {
        let map = K::memory().pages().map();
        let frames = map.frames();
        let pool = Sections::reserve(frames, |frame| map.get(Pfn::new(frame)).is_some())?;
        // As many chains as the table has room for: whole parts.
        let chains = K::memory().pages().managed_pages().next_power_of_two().min(MOST_CHAINS);
        let heads = Sections::reserve(chains as u32, |_| true)?;
        Ok(Self { pool, heads })
    }
}

impl<K: Kernel> Index<K> {
    /// Without room for pages.
    pub(crate) fn new() -> Self {
        Self {
            pool: Sections::new(),
            heads: Sections::new(),
            last_chain: 0,
            slots: Slots::new(),
            first_dirty: NOBODY,
            last_dirty: NOBODY,
            writes_begun: 0,
            counts: Counts::default(),
            scan: None,
        }
    }

    /// Moves in, unless it has moved in before; returns what is to be dropped without the lock.
    pub(crate) fn move_in(&mut self, room: Room<K>) -> Option<Room<K>> {
        if self.heads.end() > 0 {
            return Some(room);
        }
        self.last_chain = room.heads.end() - 1;
        (self.pool, self.heads) = (room.pool, room.heads);
        None
    }

    /// The chain of a page; neighbours in a mapping are neighbours here.
    #[inline]
    pub(super) const fn chain_of(&self, mapping: u32, index: u32) -> u32 {
        mapping.wrapping_mul(0x9e37_79b1).wrapping_add(index) & self.last_chain
    }

    /// The frame of the page at `index` of `mapping`.
    #[inline]
    pub(crate) fn find(&self, mapping: u32, index: u32) -> Option<u32> {
        let mut at = *self.heads.get(self.chain_of(mapping, index))?;
        while at != NONE {
            let descriptor = self.pool.at(at);
            if descriptor.is_at(mapping, index) {
                return Some(at);
            }
            at = descriptor.chain;
        }
        None
    }

    /// Whether nobody but the cache has the page, nor is about to change it.
    pub(crate) fn is_unused(&self, frame: u32) -> bool {
        let descriptor = self.pool.at(frame);
        descriptor.is_kept() && !descriptor.has(Marks::LOCKED) && descriptor.references() == 1
    }

    /// Whether anybody may ask for a kept page again. Of swap, nobody does for what only the cache has a share in.
    pub(crate) fn is_wanted(&self, frame: u32) -> bool {
        let page = self.pool.at(frame);
        let backing = self.slots.at(page.mapping).backing.as_ref();
        backing.is_some_and(|backing| backing.is_wanted(page.index.into()))
    }

    /// A mapping's slot, if it is in use.
    pub(crate) fn slot(&self, mapping: u32) -> Option<&Slot<K>> {
        (mapping < self.slots.len()).then(|| self.slots.at(mapping)).filter(|slot| slot.backing.is_some())
    }
}
