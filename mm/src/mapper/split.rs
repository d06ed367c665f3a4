//! Large pages in parts: a leaf becomes a table of smaller ones, and one again.
//! Pages of it can then have rights of their own.
//!
//! Key types: [`Spares`]. A leaf of 1 GiB is split into leaves of 2 MiB, and of these only the one at an end of the
//! range into pages: with two ends, four tables always suffice. All of them must be there before the first entry
//! changes: a call that fails leaves the tables as they were. The new leaves map the same memory with the same rights.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Relaxed, Release};

use super::{Entry, Format, Level, PageMapper, Unlinked};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::MapError;
use crate::flush::MustFlush;

/// Zeroed frames that can become tables.
#[derive(Debug)]
pub struct Spares {
    frames: [Pfn; Self::MOST],
    count: usize,
}

impl Spares {
    /// The most that one call can need: two at either end of its range.
    pub const MOST: usize = 4;

    /// No frames.
    pub const EMPTY: Self = Self { frames: [Pfn::new(0); Self::MOST], count: 0 };

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a zeroed frame; gives it back when there are [`MOST`](Self::MOST) already.
    ///
    /// # Errors
    /// There is no room for one more: the frame comes back.
    pub fn add(&mut self, frame: Pfn) -> Result<(), Pfn> {
        let place = self.frames.get_mut(self.count).ok_or(frame)?;
        *place = frame;
        self.count += 1;
        Ok(())
    }

    /// Takes a frame out.
    pub fn take(&mut self) -> Option<Pfn> {
        self.count = self.count.checked_sub(1)?;
        Some(self.frames[self.count])
    }
}

impl<F: Format> PageMapper<F> {
    /// Splits leaves, so that none covers the `pages` pages from `at` on only in part; `at` is page-aligned. What is
    /// mapped, and with which rights, stays the same. Until the caller flushes the TLB, processors may go on using the
    /// leaf.
    ///
    /// # Errors
    /// `TableMissing`: nothing was changed; add a frame to `spares` and call again. `OutOfRange`: the address space
    /// ends before the range does.
    pub(super) fn split(&mut self, at: VirtAddr, pages: usize, spares: &mut Spares) -> Result<(), MapError> {
        let end = end_of(at, pages)?;
        if pages == 0 {
            return Ok(());
        }
        let (first, second) = (self.leaves_across(at), self.leaves_across(end));
        let also_across = second.filter(|leaf| !self.leaves_across(at).any(|other| other == *leaf));
        if first.count() + also_across.count() > spares.len() {
            return Err(MapError::TableMissing);
        }
        for edge in [at, end] {
            for (_, start) in self.leaves_across(edge) {
                self.split_leaf(start, spares.take().ok_or(MapError::TableMissing)?);
            }
        }
        Ok(())
    }

    /// The leaves to be split until one starts at `edge`, by level and first address: the largest one first.
    fn leaves_across(&self, edge: VirtAddr) -> impl Iterator<Item = (Level, VirtAddr)> + use<F> {
        let (table, level) = self.lowest(edge);
        let is_leaf = matches!(self.read(table, level, level.index(edge)), Entry::Leaf(..));
        let across = move |&large: &Level| is_leaf && large <= level && large.start(edge) != edge;
        [Level::Three, Level::Two].into_iter().filter(across).map(move |large| (large, large.start(edge)))
    }

    /// Splits the large leaf that starts at `start` into leaves of the level below, in the table `spare`.
    fn split_leaf(&self, start: VirtAddr, spare: Pfn) {
        let (table, level) = self.lowest(start);
        let slot = &table[level.index(start)];
        if let Entry::Leaf(frame, rights) = self.format.read(slot.load(Relaxed), level) {
            let part = level.below();
            for (nth, slot) in (0..).zip(self.table(spare)) {
                slot.store(self.format.leaf(frame.add(nth * part.pages() as u32), part, rights), Relaxed);
            }
            slot.store(self.format.table(spare), Release);
        }
    }

    /// Gives the `pages` pages from `at` on the rights that `change` makes of those that they have. Large pages of
    /// which the range is only a part are [split](Self::split). The old rights may live on in TLBs until these are
    /// flushed.
    ///
    /// # Errors
    /// Nothing was changed: as for `split`; or `NotMapped`, a page of the range is not mapped.
    pub fn protect(
        &mut self,
        at: VirtAddr,
        pages: usize,
        change: impl Fn(F::Rights) -> F::Rights,
        spares: &mut Spares,
    ) -> Result<MustFlush, MapError> {
        let end = end_of(at, pages)?;
        self.each_leaf(at, end, |_, _, _, _| ())?;
        self.split(at, pages, spares)?;
        let must_flush = MustFlush::new(self.space, at, pages);
        // All leaves were there a moment ago: it reaches the end.
        let changed = self.each_leaf(at, end, |slot, level, frame, rights| {
            slot.store(self.format.leaf(frame, level, change(rights)), Release);
        });
        debug_assert!(changed.is_ok());
        Ok(must_flush)
    }

    /// Makes one leaf of the table of leaves that maps `at`, if these map neighbours with the same rights and the
    /// processor knows a leaf so large. Undoes a split once all pages have the old rights again. The table is the
    /// caller's after the flush.
    pub fn merge(&mut self, at: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        let (table, level) = self.lowest(at);
        let large = level.above();
        let Entry::Leaf(first, rights) = self.read(table, level, 0) else { return None };
        let leaf = |nth: u32| self.format.leaf(first.add(nth * level.pages() as u32), level, rights);
        let alike = (0..).zip(table).all(|(nth, slot)| slot.load(Relaxed) == leaf(nth));
        if large > self.format.largest() || !first.is_aligned(large.pages() as u32) || !alike {
            return None;
        }
        let merged = self.format.leaf(first, large, rights);
        let table = self.replace_table(at, level, merged)?;
        let must_flush = MustFlush::new(self.space, large.start(at), large.pages());
        Some((Unlinked { table, next: at }, must_flush))
    }

    /// Calls `f` with each leaf that maps part of `at..end`, up to the first page that none maps: `NotMapped`.
    fn each_leaf(
        &self,
        mut at: VirtAddr,
        end: VirtAddr,
        f: impl Fn(&AtomicU64, Level, Pfn, F::Rights),
    ) -> Result<(), MapError> {
        while at < end {
            let (table, level) = self.lowest(at);
            let slot = &table[level.index(at)];
            let Entry::Leaf(frame, rights) = self.format.read(slot.load(Relaxed), level) else {
                return Err(MapError::NotMapped);
            };
            f(slot, level, frame, rights);
            let Some(next) = level.end(at) else { break };
            at = next;
        }
        Ok(())
    }
}

/// The first address after `pages` pages.
fn end_of(at: VirtAddr, pages: usize) -> Result<VirtAddr, MapError> {
    pages.checked_mul(PAGE_SIZE).and_then(|bytes| at.checked_add(bytes)).ok_or(MapError::OutOfRange)
}
