//! Which slots of an area are taken, and by how many.
//!
//! Each slot has a count of shares: one for each mapping that has a swap entry in place of the page, and one for the
//! swap cache while the page is there too. A slot is free when nobody has a share. A count never overflows: one share
//! too many is refused. A bad slot is never given out; one that turns bad while there are shares goes when they do.
//!
//! Pages that go out together shall lie together, so slots are taken in a row, out of clusters of [`CLUSTER`]: wholly
//! free ones first, and only when there are none out of what others have left. Both are sets of clusters ([`Bits`]), so
//! the next slot is found in a 2048th of the slots, divided by 64, at worst.
//!
//! Invariants:
//! (a) A slot's bit in `free` is set if and only if its count is 0 and it is not bad.
//! (b) `some` and `whole` have the clusters with a bit set in `free`, and with all bits set.
//! (c) `used` slots have shares; `good` are not bad, or still have shares.
//!
//! No lock, no unsafe code: an area has its map in a spinlock. Nothing here allocates once the map is made.

use mm::own::{Global, KVVec};
use mm::{AllocError, GfpFlags};

use super::bits::Bits;

/// Slots of a cluster.
const CLUSTER: usize = 32;

/// Set in the count of a bad slot.
const BAD: u16 = 0x8000;
/// The most shares that mappings may have in a slot. One more is the swap cache's.
pub const MAX_SHARES: u16 = BAD - 2;

/// The slots of an area.
pub struct SlotMap<K: Global> {
    counts: KVVec<u16, K>,
    free: KVVec<u32, K>,
    some: Bits<K>,
    whole: Bits<K>,
    /// The cluster out of which slots are taken.
    current: usize,
    good: usize,
    used: usize,
}

/// Who has a share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharer {
    /// A page table, with a swap entry.
    Mapping,
    /// The swap cache, with the page.
    Cache,
}

/// Why a slot has no share more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShareError {
    /// Nobody has a share in it, or there is no such slot.
    Unused,
    /// It has as many as can be counted.
    Full,
}

impl<K: Global> SlotMap<K> {
    /// A map of `slots` slots, of which slot 0 and those of `bad` are never given out. Process context; may sleep.
    ///
    /// # Errors
    /// No memory.
    pub fn new(slots: u32, bad: impl Iterator<Item = u32>) -> Result<Self, AllocError> {
        let slots = slots as usize;
        let clusters = slots.div_ceil(CLUSTER);
        let mut counts = KVVec::new();
        counts.resize(slots, 0, GfpFlags::KERNEL)?;
        let mut free = KVVec::new();
        free.resize(clusters, 0, GfpFlags::KERNEL)?;
        let (some, whole) = (Bits::new(clusters)?, Bits::new(clusters)?);
        let mut map = Self { counts, free, some, whole, current: 0, good: 0, used: 0 };
        for slot in core::iter::once(0).chain(bad) {
            if let Some(count) = map.counts.get_mut(slot as usize) {
                *count = BAD;
            }
        }
        for slot in 0..slots {
            if map.counts[slot] == 0 {
                map.good += 1;
                map.set_free(slot, true);
            }
        }
        Ok(map)
    }

    /// Slots that there are, in use or not.
    pub fn good(&self) -> usize {
        self.good
    }

    /// Slots that somebody has a share in.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Slots that are free.
    pub fn free(&self) -> usize {
        self.good - self.used
    }

    /// Takes a free slot, with one share: the neighbour of the last one, if that is free.
    pub fn take(&mut self) -> Option<u32> {
        if self.free.get(self.current).is_none_or(|&bits| bits == 0) {
            let from = self.current + 1;
            self.current = self.whole.next(from).or_else(|| self.some.next(from))?;
        }
        let slot = self.current * CLUSTER + self.free.get(self.current)?.trailing_zeros() as usize;
        *self.counts.get_mut(slot)? = 1;
        self.used += 1;
        self.set_free(slot, false);
        u32::try_from(slot).ok()
    }

    /// Adds a share to a slot that has one.
    ///
    /// # Errors
    /// It has none, or too many.
    pub fn share(&mut self, slot: u32, sharer: Sharer) -> Result<(), ShareError> {
        let count = self.counts.get_mut(slot as usize).ok_or(ShareError::Unused)?;
        let most = MAX_SHARES + u16::from(sharer == Sharer::Cache);
        match *count & !BAD {
            0 => Err(ShareError::Unused),
            shares if shares >= most => Err(ShareError::Full),
            _ => {
                *count += 1;
                Ok(())
            }
        }
    }

    /// Takes a share of a slot away, and says how many are left.
    ///
    /// # Errors
    /// It had none.
    pub fn release(&mut self, slot: u32) -> Result<u16, ShareError> {
        let count = self.counts.get_mut(slot as usize).ok_or(ShareError::Unused)?;
        let left = (*count & !BAD).checked_sub(1).ok_or(ShareError::Unused)?;
        *count = *count & BAD | left;
        if left == 0 {
            let is_bad = *count & BAD != 0;
            self.used -= 1;
            self.good -= usize::from(is_bad);
            self.set_free(slot as usize, !is_bad);
        }
        Ok(left)
    }

    /// How many shares a slot has.
    pub fn shares(&self, slot: u32) -> u16 {
        self.counts.get(slot as usize).map_or(0, |count| count & !BAD)
    }

    /// What goes to this slot does not come back: it is not given out any more.
    pub fn mark_bad(&mut self, slot: u32) {
        let Some(count) = self.counts.get_mut(slot as usize).filter(|count| **count & BAD == 0) else { return };
        let is_free = *count == 0;
        *count |= BAD;
        if is_free {
            self.good -= 1;
            self.set_free(slot as usize, false);
        }
    }

    /// The first slot from `start` on that somebody has a share in.
    pub fn next_used(&self, start: u32) -> Option<u32> {
        let rest = self.counts.get(start as usize..)?;
        let found = rest.iter().position(|count| count & !BAD != 0)?;
        u32::try_from(found).ok().map(|found| start + found)
    }

    /// Notes whether a slot is free.
    fn set_free(&mut self, slot: usize, is_free: bool) {
        let (cluster, bit) = (slot / CLUSTER, slot % CLUSTER);
        if let Some(bits) = self.free.get_mut(cluster) {
            *bits = *bits & !(1 << bit) | u32::from(is_free) << bit;
            self.some.set(cluster, *bits != 0);
            self.whole.set(cluster, *bits == u32::MAX);
        }
    }
}

#[cfg(test)]
mod tests;
