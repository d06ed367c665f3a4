//! Runs of pages and the tables that they need.

use core::panic::Location;

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::error::{AllocError, MapError};
use crate::gfp::GfpFlags;
use crate::mapper::Frames;
use crate::order::Order;
use crate::platform::{Mapping, MustFlush, Platform};
use crate::vm::FrameChain;

impl<P: Platform> Memory<P> {
    /// Maps pages from `at` on to `frames`, which are not none, with new page tables where they are missing; returns how
    /// many that were. Fewer than all only after a failure, which has been reported.
    #[inline]
    pub(in crate::memory) fn map_all(
        &'static self,
        call: &'static str,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        caller: &'static Location<'static>,
    ) -> usize {
        match self.platform.map(at, frames, mapping, &mut None) {
            Ok(pages) if pages == frames.len() => pages,
            begun => self.map_rest(call, at, (frames, begun.unwrap_or(0)), mapping, caller),
        }
    }

    /// [`map_all`](Self::map_all) where something is in the way, and the first pages are mapped already.
    #[cold]
    #[inline(never)]
    fn map_rest(
        &'static self,
        call: &'static str,
        at: VirtAddr,
        (frames, mut done): (Frames<'_>, usize),
        mapping: Mapping,
        caller: &'static Location<'static>,
    ) -> usize {
        let mut spare = None;
        while done < frames.len() {
            let here = at.add(done * PAGE_SIZE);
            match self.platform.map(here, frames.after(done), mapping, &mut spare) {
                Ok(pages) => done += pages,
                Err(error) => match self.make_way(error, here, frames.len() - done, caller) {
                    Ok(table) => spare = spare.or(table),
                    Err(Blocked::NoMemory) => break,
                    Err(Blocked::Mapped) => {
                        self.refuse(call, "the page is mapped already", caller);
                        break;
                    }
                },
            }
        }
        if let Some(unused) = spare {
            self.drop_table(unused);
        }
        done
    }

    /// Does what a run waits for that could not go on: a new table, or that an empty one goes.
    #[cold]
    #[inline(never)]
    fn make_way(
        &'static self,
        error: MapError,
        at: VirtAddr,
        pages: usize,
        caller: &'static Location<'static>,
    ) -> Result<Option<Pfn>, Blocked> {
        match error {
            MapError::TableMissing => self.new_table(caller).map(Some).map_err(|AllocError| Blocked::NoMemory),
            MapError::TableInTheWay if self.unlink_tables(at, at.add(pages * PAGE_SIZE)) > 0 => Ok(None),
            MapError::TableInTheWay | MapError::AlreadyMapped | MapError::NotMapped | MapError::OutOfRange => {
                Err(Blocked::Mapped)
            }
        }
    }

    pub(super) fn new_table(&'static self, caller: &'static Location<'static>) -> Result<Pfn, AllocError> {
        let table = self.alloc_frames(GfpFlags::KERNEL, Order::ZERO, caller)?;
        self.platform.clear_page(self.virt(table));
        self.tables.fetch_add(1, Relaxed);
        Ok(table)
    }

    pub(super) fn drop_table(&self, table: Pfn) {
        self.tables.fetch_sub(1, Relaxed);
        self.give_frames(&[table]);
    }

    /// Frees the page tables that map part of `from..end` and are empty; returns how many. Process context.
    fn unlink_tables(&self, from: VirtAddr, end: VirtAddr) -> usize {
        let (mut at, mut tables) = (from, FrameChain::EMPTY);
        let mut must_flush: Option<MustFlush> = None;
        while let Some((unlinked, flush)) = self.platform.unlink_empty_table(at, end) {
            tables.push(&self.map, unlinked.table, 1);
            must_flush = Some(match must_flush {
                Some(before) => before.merge(flush),
                None => flush,
            });
            at = unlinked.next;
        }
        if let Some(must_flush) = must_flush {
            self.platform.flush(must_flush);
        }
        let count = tables.blocks();
        while let Some(table) = tables.pop(&self.map) {
            self.drop_table(table);
        }
        count
    }

    /// Frees the page tables of the vm range that map nothing; returns how many. Process context.
    pub(in crate::memory) fn prune_tables(&self) -> usize {
        self.unlink_tables(self.config.vmalloc_start, self.config.vmalloc_end)
    }

    /// Page tables from the allocator: those of the vm range, and those of large pages that were split.
    pub fn page_tables(&self) -> usize {
        self.tables.load(Relaxed)
    }
}

/// Why a run cannot go on.
enum Blocked {
    /// No memory for a table.
    NoMemory,
    /// Something else is mapped.
    Mapped,
}
