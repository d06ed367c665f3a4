//! The page tables beneath the allocators, for vmalloc, ioremap and kmap.
//!
//! Key types: [`KernelTables`]; ready for use: [`NoTables`], and [`LockedTables`](super::LockedTables) over a format.

use crate::addr::{Pfn, VirtAddr};
use crate::error::MapError;
use crate::flush::{AddressSpace, MustFlush};
use crate::mapper::{Access, Frames, Mapping, Spares, Unlinked};

/// The kernel's own page tables, which all address spaces share.
///
/// # Safety
/// (a) After [`map`](Self::map) the pages that it counted show the frames that were named and nothing else, until
/// [`unmap`](Self::unmap) of them; it maps no page that is mapped already. (b) `unmap` names each frame that a page of
/// the run showed, and no other. (c) A frame in `spare` or `spares` that is taken serves as a table until it is
/// unlinked, and only then is it named by [`unlink_empty`](Self::unlink_empty), once. (d) A flush returns when no CPU
/// uses one of the translations any more, or of the tables on the way to them.
pub unsafe trait KernelTables: Sync + 'static {
    /// Maps pages from `at` on to `frames`, and returns how many that were: all, or as many as could be before a table
    /// was missing. Never sleeps. Neighbours are mapped by large pages where their alignment and that of `at` allow it.
    ///
    /// Where a page table is missing it takes the zeroed frame in `spare` for it.
    ///
    /// # Errors
    /// Nothing was mapped. [`MapError::TableMissing`]: offer a zeroed frame and call again.
    /// [`MapError::TableInTheWay`]: [`unlink_empty`](Self::unlink_empty) may help.
    ///
    /// # Safety
    /// The addresses are the caller's, and so is the frame in `spare`. What may be done with the memory that shows
    /// there is the caller's affair.
    unsafe fn map(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError>;

    /// Removes the mappings of the `pages` pages from `at` on, and calls `each` with the first frame and the number of
    /// pages of each leaf that was there. The translations may live on in TLBs until [`flush`](Self::flush).
    ///
    /// `each` is called under the lock of the page tables: it must neither lock nor take long.
    ///
    /// # Safety
    /// The addresses are the caller's, and nobody uses what shows there any more.
    unsafe fn unmap(&self, at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush;

    /// Sets how the `pages` pages from `at` on, all of which are mapped, may be accessed; splits large pages of which
    /// they are only a part. The old rights may live on in TLBs until [`flush`](Self::flush). Never sleeps.
    ///
    /// # Errors
    /// Nothing was changed. [`MapError::TableMissing`]: add a zeroed frame to `spares` and call again.
    /// [`MapError::NotMapped`], [`MapError::OutOfRange`]: not all of the pages are mapped, or can be; so where rights
    /// cannot be changed.
    ///
    /// # Safety
    /// The pages are the caller's, and so are the frames in `spares`.
    unsafe fn protect(
        &self,
        _at: VirtAddr,
        _pages: usize,
        _access: Access,
        _spares: &mut Spares,
    ) -> Result<MustFlush, MapError> {
        Err(MapError::NotMapped)
    }

    /// Makes one large page of those around `at` that [`protect`](Self::protect) has split, if all have the same
    /// rights again; after the flush the caller owns the table's frame. `None` where that cannot be.
    ///
    /// # Safety
    /// The pages are the caller's, or have the rights that they had before they were split.
    unsafe fn merge(&self, _at: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        None
    }

    /// The frame that the page at `at` is mapped to.
    fn translate(&self, at: VirtAddr) -> Option<Pfn>;

    /// Unlinks an empty page table that maps part of `from..end`; after the flush the caller owns its frame. `None`
    /// when every table maps something.
    ///
    /// # Safety
    /// The tables of these addresses are the caller's: he gave the frames for them.
    unsafe fn unlink_empty(&self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)>;

    /// Whether [`flush`](Self::flush) may be called in any context: true where one CPU runs. Then GFP_ATOMIC reaches
    /// the lazy frames of freed areas too, down to the last page.
    const FLUSH_ANYWHERE: bool = false;

    /// Drops every cached translation of `must_flush`, and every cached page-table entry on the way to them, on every
    /// CPU; ends with [`MustFlush::flushed`]. It may wait for other CPUs: process context, not pinned, without a lock
    /// held, unless [`FLUSH_ANYWHERE`](Self::FLUSH_ANYWHERE).
    fn flush(&self, must_flush: MustFlush);

    /// Drops every cached translation of `must_flush` on this CPU; ends with [`MustFlush::flushed`]. Any context,
    /// pinned: it is for addresses that no other CPU uses.
    fn flush_local(&self, must_flush: MustFlush);
}

/// For a kernel without page tables that the allocators may change: vmalloc, vmap, ioremap and kmap fail.
pub struct NoTables;

// SAFETY: nothing is ever mapped, so no TLB shows anything.
unsafe impl KernelTables for NoTables {
    unsafe fn map(&self, _: VirtAddr, _: Frames<'_>, _: Mapping, _: &mut Option<Pfn>) -> Result<usize, MapError> {
        Err(MapError::OutOfRange)
    }

    unsafe fn unmap(&self, at: VirtAddr, pages: usize, _: impl FnMut(Pfn, usize)) -> MustFlush {
        MustFlush::new(AddressSpace::Kernel, at, pages)
    }

    fn translate(&self, _: VirtAddr) -> Option<Pfn> {
        None
    }

    unsafe fn unlink_empty(&self, _: VirtAddr, _: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        None
    }

    const FLUSH_ANYWHERE: bool = true;

    fn flush(&self, must_flush: MustFlush) {
        must_flush.flushed();
    }

    fn flush_local(&self, must_flush: MustFlush) {
        must_flush.flushed();
    }
}
