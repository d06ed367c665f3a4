//! Page tables: one walker for pages of every size and entries of any format.
//!
//! Key types: [`PageMapper`], [`Format`], [`Frames`], [`Level`]. A table has 512 entries and fills a page frame; an
//! entry is empty, leads to a table of the level below, or is a leaf that maps as much as such a table could. How a
//! processor writes that down is its [`Format`]. Runs of pages are written table by table: one walk from the root, then
//! entry after entry.
//!
//! A run that covers a large page only in part leaves that alone, unless it was split before (`split.rs`).
//!
//! The mapper allocates nothing, and knows no lock and no TLB. The caller offers zeroed frames for tables, and asks for
//! empty tables to be unlinked. A call that takes a leaf or a table away, or changes a leaf, returns a [`MustFlush`]:
//! the caller flushes before the frame gets another owner.
//!
//! Entries are atomics because the processor reads them at any time; only the owner of the mapper writes them, and
//! those of processes ([`Slots`]) whoever has their lock.

mod entry;
mod slots;
mod split;
mod swap_slot;
#[cfg(test)]
mod tests;
mod user;
mod user_format;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::Release};

use crate::addr::{PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr};
use crate::error::MapError;
use crate::flush::{AddressSpace, MustFlush};

pub use entry::{Access, ENTRIES, Entry, Format, Frames, LeafRun, Level, Mapping, Unlinked};
pub use slots::Slots;
pub use split::Spares;
pub use swap_slot::SwapSlot;
pub use user::Gap;
pub use user_format::{Protection, UserEntry, UserFormat};

/// A page table. Its place is a page frame of its own.
pub type Table = [AtomicU64; ENTRIES];

/// The page tables of an address space, and a window through which they can be reached.
pub struct PageMapper<F> {
    space: AddressSpace,
    root: Pfn,
    window: VirtAddr,
    format: F,
}

impl<F: Format> PageMapper<F> {
    /// The tables of an address space whose root lies in the frame `root`, as seen through `window`, where physical
    /// address 0 shows.
    ///
    /// # Safety
    /// The root and every table that it leads to can be read and written through the window for as long as the value
    /// lives, and no other code writes to them. A frame that is offered for a table is zeroed and shows there too.
    pub const unsafe fn new(space: AddressSpace, root: Pfn, window: VirtAddr, format: F) -> Self {
        Self { space, root, window, format }
    }

    /// The root table.
    pub fn root_table(&self) -> &Table {
        self.table(self.root)
    }

    /// The frame of the root table.
    pub const fn root(&self) -> Pfn {
        self.root
    }

    /// Where the tables are seen: the address that shows physical address 0.
    pub const fn window(&self) -> VirtAddr {
        self.window
    }

    /// The format of the entries.
    pub const fn format(&self) -> &F {
        &self.format
    }

    #[inline]
    fn table(&self, frame: Pfn) -> &Table {
        let table = self.window.add(frame.phys().as_u64() as usize).as_mut_ptr::<Table>();
        // SAFETY: the frame is the root or was read from an entry that leads to a table; `new` promised that those can
        // be reached through the window. A frame is aligned, and entries are atomics, so sharing them is sound.
        unsafe { &*table }
    }

    #[inline]
    fn read(&self, table: &Table, level: Level, index: usize) -> Entry<F::Rights> {
        self.format.read(table[index].load(Relaxed), level)
    }

    /// Maps pages from `at` on, which is page-aligned, to `frames`; returns how many pages that were.
    ///
    /// Where a table is missing the zeroed frame in `spare` becomes it; if there is none, the run ends, and the caller
    /// goes on once it has filled `spare`.
    ///
    /// # Errors
    /// Nothing could be mapped: `TableMissing`; `AlreadyMapped`, something else is mapped at `at`; `TableInTheWay`, a
    /// large page would fit where a table of smaller ones is.
    #[inline]
    pub fn map(
        &mut self,
        at: VirtAddr,
        frames: Frames<'_>,
        rights: F::Rights,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        let mut done = 0;
        while done < frames.len() {
            match self.map_in_table(at.add(done * PAGE_SIZE), frames.after(done), rights, spare) {
                Ok(pages) => done += pages,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// [`map`](Self::map) within one table.
    #[inline]
    fn map_in_table(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        rights: F::Rights,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        match frames {
            Frames::Each(frames) => {
                let leaf = |&frame: &Pfn| self.format.leaf(frame, Level::One, rights);
                self.fill(at, Level::One, frames.iter().map(leaf), spare)
            }
            Frames::Run(range) => {
                let leaf = |level| move |frame| self.format.leaf(Pfn::new(frame), level, rights);
                let pages = range.start.as_u32()..range.end.as_u32();
                // In two arms, so that the compiler knows the level in the first.
                match self.largest_fit(at, range) {
                    Level::One => self.fill(at, Level::One, pages.map(leaf(Level::One)), spare),
                    level => {
                        let whole = pages.len() / level.pages();
                        self.fill(at, level, pages.step_by(level.pages()).take(whole).map(leaf(level)), spare)
                    }
                }
            }
        }
    }

    /// Writes entries of `level` into empty slots from that of `at` on, up to the first that is not empty or the end of
    /// the table; returns how many pages they map.
    #[inline(always)]
    fn fill(
        &self,
        at: VirtAddr,
        level: Level,
        entries: impl Iterator<Item = u64>,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        let table = self.make_table(at, level, spare)?;
        let first = level.index(at);
        let mut filled = 0;
        for (slot, entry) in table[first..].iter().zip(entries) {
            if slot.load(Relaxed) != 0 {
                break;
            }
            slot.store(entry, Release);
            filled += level.pages();
        }
        match self.read(table, level, first) {
            _ if filled > 0 => Ok(filled),
            Entry::Table(_) => Err(MapError::TableInTheWay),
            Entry::Leaf(..) | Entry::Empty => Err(MapError::AlreadyMapped),
        }
    }

    /// The level of the largest leaf that starts at `at` and `range` and is no longer than it.
    fn largest_fit(&self, at: VirtAddr, range: PfnRange) -> Level {
        let fits = |level: Level| {
            let aligned = (at.as_usize() | range.start.phys().as_u64() as usize) & (level.bytes() - 1) == 0;
            level <= self.format.largest() && aligned && level.pages() <= range.frames()
        };
        [Level::Three, Level::Two].into_iter().find(|&level| fits(level)).unwrap_or(Level::One)
    }

    /// The table of `level` on the way to `at`, with all tables above it: one that is missing is made of `spare`.
    #[inline(always)]
    fn make_table(&self, at: VirtAddr, level: Level, spare: &mut Option<Pfn>) -> Result<&Table, MapError> {
        // Step by step, so that the compiler knows the level in each.
        let table = self.table(self.root);
        let table = self.make_below(table, Level::Four, level, at, spare)?;
        let table = self.make_below(table, Level::Three, level, at, spare)?;
        self.make_below(table, Level::Two, level, at, spare)
    }

    /// One step of the way from `table`, whose entries are of level `here`, to the table of level `to`.
    #[inline(always)]
    fn make_below<'a>(
        &'a self,
        table: &'a Table,
        here: Level,
        to: Level,
        at: VirtAddr,
        spare: &mut Option<Pfn>,
    ) -> Result<&'a Table, MapError> {
        if here > F::TOP || here <= to {
            return Ok(table);
        }
        let frame = match self.read(table, here, here.index(at)) {
            Entry::Table(frame) => frame,
            Entry::Leaf(..) => return Err(MapError::AlreadyMapped),
            Entry::Empty => {
                let frame = spare.take().ok_or(MapError::TableMissing)?;
                table[here.index(at)].store(self.format.table(frame), Release);
                frame
            }
        };
        Ok(self.table(frame))
    }

    /// Makes the tables of `level` and above on the way to `at`. `TableMissing` when `spare` is used up.
    ///
    /// # Errors
    /// As [`map`](Self::map). Nothing was changed.
    pub fn prepare(&mut self, at: VirtAddr, level: Level, spare: &mut Option<Pfn>) -> Result<(), MapError> {
        self.make_table(at, level, spare).map(|_| ())
    }

    /// The lowest table on the way to `at`, and its level.
    #[inline(always)]
    fn lowest(&self, at: VirtAddr) -> (&Table, Level) {
        let four = self.table(self.root);
        let Some(three) = self.below(four, Level::Four, at) else { return (four, Level::Four) };
        let Some(two) = self.below(three, Level::Three, at) else { return (three, Level::Three) };
        let Some(one) = self.below(two, Level::Two, at) else { return (two, Level::Two) };
        (one, Level::One)
    }

    /// The table that the entry of level `here` for `at` in `table` leads to; above the level of the root, `table`
    /// itself.
    #[inline(always)]
    fn below<'a>(&'a self, table: &'a Table, here: Level, at: VirtAddr) -> Option<&'a Table> {
        if here > F::TOP {
            return Some(table);
        }
        match self.read(table, here, here.index(at)) {
            Entry::Table(frame) => Some(self.table(frame)),
            Entry::Leaf(..) | Entry::Empty => None,
        }
    }

    /// Removes the mappings of the `pages` pages from `at` on, and calls `each` with the first frame and the number of
    /// pages of each leaf that was there. A large page that the run covers only in part stays, unless
    /// [`protect`](Self::protect) has split it before.
    // Inlined, so that the variables of `each` stay in registers.
    #[inline(always)]
    pub fn unmap(&mut self, at: VirtAddr, pages: usize, mut each: impl FnMut(Pfn, usize)) -> MustFlush {
        let mut done = 0;
        while done < pages {
            let here = at.add(done * PAGE_SIZE);
            let (table, level) = self.lowest(here);
            let first = level.index(here);
            if level == Level::One {
                let slots = &table[first..(first + pages - done).min(ENTRIES)];
                self.clear(slots, &mut each);
                done += slots.len();
                continue;
            }
            let skipped = (here.as_usize() & (level.bytes() - 1)) / PAGE_SIZE;
            if let (Entry::Leaf(frame, _), 0) = (self.read(table, level, first), skipped)
                && level.pages() <= pages - done
            {
                table[first].store(0, Release);
                each(frame, level.pages());
            }
            done += level.pages() - skipped;
        }
        MustFlush::new(self.space, at, pages)
    }

    /// Empties entries of level one. A function of its own: the loop then has all registers.
    #[inline(never)]
    fn clear(&self, slots: &[AtomicU64], each: &mut impl FnMut(Pfn, usize)) {
        for slot in slots {
            if let Entry::Leaf(frame, _) = self.format.read(slot.load(Relaxed), Level::One) {
                slot.store(0, Release);
                each(frame, 1);
            }
        }
    }

    /// The physical address that `at` is mapped to, by a page of any size, and its rights.
    pub fn translate(&self, at: VirtAddr) -> Option<(PhysAddr, F::Rights)> {
        let (table, level) = self.lowest(at);
        match self.read(table, level, level.index(at)) {
            Entry::Leaf(frame, rights) => {
                let offset = at.as_usize() & (level.bytes() - 1);
                Some((frame.phys().checked_add(offset as u64)?, rights))
            }
            Entry::Table(_) | Entry::Empty => None,
        }
    }

    /// The first leaf at or after `from` and below `end`, and its like beside it in the same table.
    pub fn next_run(&self, from: VirtAddr, end: VirtAddr) -> Option<LeafRun<F::Rights>> {
        let mut at = from;
        while at < end {
            let (table, level) = self.lowest(at);
            let first = level.index(at);
            if let Entry::Leaf(_, rights) = self.read(table, level, first) {
                let alike = |&index: &usize| matches!(self.read(table, level, index), Entry::Leaf(_, r) if r == rights);
                let leaves = (first..ENTRIES).take_while(alike).count();
                return Some(LeafRun { start: level.start(at), bytes: leaves * level.bytes(), level, rights });
            }
            at = level.end(at)?;
        }
        None
    }

    /// Unlinks an empty table of level one or two that maps part of `from..end`. Tables above stay for ever: other
    /// address spaces may share them.
    pub fn unlink_empty(&mut self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        let mut at = from;
        while at < end {
            let (table, level) = self.lowest(at);
            let empty = level <= Level::Two && table.iter().all(|slot| slot.load(Relaxed) == 0);
            if empty && let Some(frame) = self.replace_table(at, level, 0) {
                let must_flush = MustFlush::new(self.space, at.page_down(), 1);
                return Some((Unlinked { table: frame, next: at }, must_flush));
            }
            // A table of leaves is done with.
            at = (if level == Level::One { level.above() } else { level }).end(at)?;
        }
        None
    }

    /// Puts `entry` where one leads to the table of `level` on the way to `at`; returns the table.
    fn replace_table(&mut self, at: VirtAddr, level: Level, entry: u64) -> Option<Pfn> {
        let (mut table, mut here) = (self.table(self.root), F::TOP);
        while let Entry::Table(frame) = self.read(table, here, here.index(at)) {
            if here == level.above() {
                table[here.index(at)].store(entry, Release);
                return Some(frame);
            }
            (table, here) = (self.table(frame), here.below());
        }
        None
    }
}
