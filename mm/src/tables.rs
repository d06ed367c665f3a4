//! Runs of pages in the kernel's page tables, and the tables that they need.
//!
//! [`PageTables`] stands on the page allocator: the platform writes entries, and where it lacks a table this part
//! allocates one. Areas and windows share it.

use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::error::{AllocError, MapError};
use crate::flush::MustFlush;
use crate::mapper::{Access, Frames, Level, Mapping, Spares};
use crate::order::Order;
use crate::page::BlockChain;
use crate::pages::PageAllocator;
use crate::platform::{KernelTables, OwnMappings, Platform};
use crate::report::Call;
use crate::tag::Tag;

/// The supply of page tables.
pub struct PageTables<P: Platform> {
    pages: &'static PageAllocator<P>,
    count: AtomicUsize,
}

/// Why a run cannot go on.
enum Blocked {
    /// No memory for a table.
    NoMemory,
    /// Something else is mapped, or nothing can be.
    Mapped(MapError),
}

impl<P: Platform> PageTables<P> {
    /// No tables yet.
    pub(crate) fn new(pages: &'static PageAllocator<P>) -> Self {
        Self { pages, count: AtomicUsize::new(0) }
    }

    /// Maps pages from `at` on to `frames`, at least one, with new page tables where they are missing. Process context.
    ///
    /// # Errors
    /// None of them is mapped, no TLB shows one, and the failure has been reported: the frames may have new owners.
    #[inline]
    pub(crate) fn map(&self, at: VirtAddr, frames: Frames<'_>, mapping: Mapping, call: Call) -> Result<(), AllocError> {
        match self.pages.platform().map(at, frames, mapping, &mut None) {
            Ok(pages) if pages == frames.len() => Ok(()),
            begun => self.map_rest(at, frames, begun.unwrap_or(0), mapping, call),
        }
    }

    /// [`map`](Self::map) where the first pages are mapped and the next could not be.
    #[cold]
    #[inline(never)]
    fn map_rest(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        begun: usize,
        mapping: Mapping,
        call: Call,
    ) -> Result<(), AllocError> {
        let (mut done, mut spare) = (begun, None);
        while done < frames.len() {
            let next = at.add(done * PAGE_SIZE);
            match self.pages.platform().map(next, frames.after(done), mapping, &mut spare) {
                Ok(pages) => done += pages,
                Err(error) => match self.make_way(error, next, frames.len() - done, call) {
                    Ok(table) => spare = spare.or(table),
                    Err(Blocked::NoMemory) => break,
                    Err(Blocked::Mapped(error)) => {
                        self.pages.refuse(call, error.reason());
                        break;
                    }
                },
            }
        }
        if let Some(unused) = spare {
            self.drop_table(unused);
        }
        if done == frames.len() {
            return Ok(());
        }
        if done > 0 {
            // At once: the frames are the caller's again when this returns.
            self.pages.platform().tables().flush(self.pages.platform().unmap(at, done, |_, _| ()));
        }
        // A large run may have taken all memory for its tables.
        self.unlink_empty(at, at.add(frames.len() * PAGE_SIZE));
        Err(AllocError)
    }

    /// Lets a run go on after this error: allocates a table, or frees empty ones that are in the way.
    #[cold]
    #[inline(never)]
    fn make_way(&self, error: MapError, at: VirtAddr, pages: usize, call: Call) -> Result<Option<Pfn>, Blocked> {
        match error {
            MapError::TableMissing => self.new_table(call).map(Some).map_err(|AllocError| Blocked::NoMemory),
            MapError::TableInTheWay if self.unlink_empty(at, at.add(pages * PAGE_SIZE)) > 0 => Ok(None),
            // The table maps something.
            MapError::TableInTheWay => Err(Blocked::Mapped(MapError::AlreadyMapped)),
            MapError::AlreadyMapped | MapError::NotMapped | MapError::OutOfRange => Err(Blocked::Mapped(error)),
        }
    }

    /// Changes the access rights of mapped pages, with as many new tables as that takes. Process context.
    ///
    /// # Errors
    /// Nothing was changed. [`MapError::TableMissing`]: no memory, which has been reported.
    pub(crate) fn protect(
        &self,
        at: VirtAddr,
        pages: usize,
        access: Access,
        call: Call,
    ) -> Result<MustFlush, MapError> {
        let mut spares = Spares::EMPTY;
        let changed = loop {
            match self.pages.platform().protect(at, pages, access, &mut spares) {
                Err(MapError::TableMissing) => {
                    let added = self
                        .new_table(call)
                        .is_ok_and(|table| spares.add(table).inspect_err(|&surplus| self.drop_table(surplus)).is_ok());
                    if !added {
                        break Err(MapError::TableMissing);
                    }
                }
                result => break result,
            }
        };
        while let Some(unused) = spares.take() {
            self.drop_table(unused);
        }
        changed
    }

    /// Makes large pages again of the pages from `at` on and those around them that [`protect`](Self::protect) has
    /// split, where all have the same rights. Process context.
    pub(crate) fn merge(&self, at: VirtAddr, pages: usize) {
        let end = at.add(pages * PAGE_SIZE);
        let mut edge = at;
        while edge < end {
            while let Some((unlinked, must_flush)) = self.pages.platform().merge(edge) {
                self.pages.platform().tables().flush(must_flush);
                // A table of boot stays boot's.
                if self.pages.map().get(unlinked.table).is_some_and(|page| page.tag() == Tag::PageTable) {
                    self.drop_table(unlinked.table);
                }
            }
            let Some(next) = edge.checked_add(Level::Two.bytes() - edge.as_usize() % Level::Two.bytes()) else {
                return;
            };
            edge = next;
        }
    }

    /// A new table, empty. Process context.
    pub(crate) fn new_table(&self, call: Call) -> Result<Pfn, AllocError> {
        let table = self.pages.alloc_table(call)?;
        self.count.fetch_add(1, Relaxed);
        Ok(table)
    }

    /// Frees a table that no TLB leads through any more.
    pub(crate) fn drop_table(&self, table: Pfn) {
        self.count.fetch_sub(1, Relaxed);
        let freed = self.pages.free_block(table, Order::ZERO, Tag::PageTable);
        debug_assert!(freed.is_ok());
    }

    /// Frees tables that no TLB leads through any more.
    pub(crate) fn drop_tables(&self, tables: BlockChain) {
        self.count.fetch_sub(tables.len() as usize, Relaxed);
        self.pages.free_chain(tables);
    }

    /// Frees the page tables that map part of `from..end` and are empty; returns how many. Process context.
    pub(crate) fn unlink_empty(&self, from: VirtAddr, end: VirtAddr) -> usize {
        let (mut at, mut tables) = (from, BlockChain::EMPTY);
        let mut must_flush: Option<MustFlush> = None;
        while let Some((unlinked, flush)) = self.pages.platform().unlink_empty(at, end) {
            tables.push(self.pages.map(), unlinked.table);
            must_flush = Some(match must_flush {
                Some(before) => before.merge(flush),
                None => flush,
            });
            at = unlinked.next;
        }
        if let Some(must_flush) = must_flush {
            self.pages.platform().tables().flush(must_flush);
        }
        let count = tables.len() as usize;
        self.drop_tables(tables);
        count
    }

    /// Page tables from the allocator: those of areas and windows, and those of large pages that were split.
    pub fn count(&self) -> usize {
        self.count.load(Relaxed)
    }
}
