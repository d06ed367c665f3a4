//! The disk's own write cache: what a loss of power undoes.
//!
//! Writes reach the medium at once, and what was there before is kept until a flush. So reads need not look into a
//! cache, and after a loss of power the disk is as after any of the writes that were not flushed.

use core::ops::Range;

use kapi::block::SECTOR_SIZE;
use kapi::mm::own::KVVec;
use kapi::mm::{AllocError, GfpFlags};
use kapi::{Errno, Hardware};

use super::medium::Medium;

/// The content that sectors had before they were written, oldest first, in a ring.
pub(super) struct Undo<K: Hardware> {
    sectors: KVVec<u64, K>,
    before: KVVec<[u8; SECTOR_SIZE], K>,
    first: usize,
    len: usize,
}

impl<K: Hardware> Undo<K> {
    /// Room for so many sectors; 0: whatever is written is durable at once.
    pub(super) fn new(capacity: usize) -> Result<Self, AllocError> {
        let (mut sectors, mut before) = (KVVec::new(), KVVec::new());
        sectors.resize(capacity, 0, GfpFlags::KERNEL)?;
        before.resize(capacity, [0; SECTOR_SIZE], GfpFlags::KERNEL)?;
        Ok(Self { sectors, before, first: 0, len: 0 })
    }

    /// Whether there is a cache at all.
    pub(super) fn is_there(&self) -> bool {
        !self.sectors.is_empty()
    }

    /// Sectors written since the last flush that a loss of power would undo.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    fn place(&self, nth: usize) -> usize {
        (self.first + nth) % self.sectors.len()
    }

    /// Sectors are about to be written. Where there is no more room, the oldest writes have become durable.
    pub(super) fn note(&mut self, medium: &Medium<K>, sectors: Range<u64>) -> Result<(), Errno> {
        if !self.is_there() {
            return Ok(());
        }
        for sector in sectors {
            if self.len == self.sectors.len() {
                self.first = self.place(1);
                self.len -= 1;
            }
            let place = self.place(self.len);
            medium.peek(sector, &mut self.before[place])?;
            self.sectors[place] = sector;
            self.len += 1;
        }
        Ok(())
    }

    /// All that was written is durable.
    pub(super) const fn flush(&mut self) {
        self.len = 0;
    }

    /// The power fails: all writes since the last flush but the first `keep` are undone.
    pub(super) fn cut(&mut self, medium: &mut Medium<K>, keep: usize) -> Result<(), Errno> {
        while self.len > keep {
            let place = self.place(self.len - 1);
            medium.poke(self.sectors[place], &self.before[place])?;
            self.len -= 1;
        }
        Ok(())
    }
}
