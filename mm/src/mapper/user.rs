//! Tables of processes: found run by run, they come and go with their pages.
//!
//! The tables of a process are changed run by run: a run is the entries of level one that lie in one table
//! ([`Slots`]), so a walk from the root serves up to 512 pages. User code has pages of the smallest size alone.
//!
//! Unlike the kernel's tables, these go with what they map ([`PageMapper::unlink_tables`]).

use core::sync::atomic::Ordering::{Relaxed, Release};

use super::entry::{Entry, Format, Level};
use super::slots::Slots;
use super::{PageMapper, Table};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::MapError;

/// Addresses that no table to be unlinked may map: those below `floor` and from `ceiling` on.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The first address that nothing maps.
    pub floor: VirtAddr,
    /// The next one that something may map; `None` if nothing does up to the end of the users' half.
    pub ceiling: Option<VirtAddr>,
}

impl<F: Format> PageMapper<F> {
    /// The first table of level one that maps addresses from `from` on, with its entries up to `end`. `None` if there
    /// is none. The caller knows that nobody unlinks it meanwhile.
    #[inline]
    pub fn slots(&self, from: VirtAddr, end: VirtAddr) -> Option<Slots<'_, F>> {
        let mut at = from;
        while at < end {
            let (table, level) = self.lowest(at);
            if level == Level::One {
                let first = level.index(at);
                let last = (first + (end.as_usize() - at.as_usize()).div_ceil(PAGE_SIZE)).min(table.len());
                return Some(Slots::new(at, &table[first..last], &self.format));
            }
            at = level.end(at)?;
        }
        None
    }

    /// The entry of level one of the page at `at` alone, with its table, which is made of `spare` if it is missing; as
    /// [`prepare`](Self::prepare) of that table. One caller alone links tables, and nobody unlinks one meanwhile.
    ///
    /// # Errors
    /// `TableMissing`: a table is missing, and `spare` is used up. `AlreadyMapped`: by a large page.
    #[inline]
    pub fn slot(&self, at: VirtAddr, spare: &mut Option<Pfn>) -> Result<Slots<'_, F>, MapError> {
        let table = self.make_table(at, Level::One, spare)?;
        let first = Level::One.index(at);
        Ok(Slots::new(at, &table[first..=first], &self.format))
    }

    /// Unlinks the tables that map a part of `from..end` and nothing outside of `gap`, but for the root; calls `each`
    /// with their frames. They map nothing, as the caller knows; TLBs may still lead through them. Nobody else walks
    /// there meanwhile.
    pub fn unlink_tables(&self, from: VirtAddr, end: VirtAddr, gap: Gap, each: &mut impl FnMut(Pfn)) {
        self.unlink_below(self.table(self.root), F::TOP, (from, end), gap, each);
    }

    fn unlink_below(
        &self,
        table: &Table,
        level: Level,
        (from, end): (VirtAddr, VirtAddr),
        gap: Gap,
        each: &mut impl FnMut(Pfn),
    ) {
        let mut at = from;
        while at < end {
            let slot = &table[level.index(at)];
            let next = level.end(at).unwrap_or(end);
            if level > Level::One
                && let Entry::Table(frame) = self.format.read(slot.load(Relaxed), level)
            {
                if level > Level::Two {
                    self.unlink_below(self.table(frame), level.below(), (at, next.min(end)), gap, each);
                }
                if gap.floor <= level.start(at) && gap.ceiling.is_none_or(|ceiling| next <= ceiling) {
                    slot.store(0, Release);
                    each(frame);
                }
            }
            at = next;
        }
    }
}
