//! Page tables behind the platform's lock, ready for a kernel with vmalloc.
//!
//! Key types: [`LockedTables`], [`Tlb`].

use super::lock::Lock;
use super::machine::Platform;
use super::tables::KernelTables;
use crate::addr::{Pfn, VirtAddr};
use crate::error::MapError;
use crate::flush::MustFlush;
use crate::mapper::{Access, Format, Frames, Mapping, PageMapper, Spares, Unlinked};

/// The translations that processors keep, and the format in which they read tables.
///
/// # Safety
/// [`flush`](Self::flush) and [`flush_local`](Self::flush_local) return when no CPU, or not this CPU, uses one of the
/// translations any more, nor a table on the way to them. Where a processor keeps absent entries, or old ones of pages
/// that were never mapped, [`after_map`](Self::after_map) drops these.
pub unsafe trait Tlb: Sync + 'static {
    /// How entries are written down.
    type Format: Format + Send;

    /// [`KernelTables::FLUSH_ANYWHERE`]: true where one CPU runs.
    const FLUSH_ANYWHERE: bool = false;

    /// Drops the translations of these pages on every CPU. Context as [`KernelTables::flush`].
    fn flush(&self, pages: &MustFlush);

    /// Drops them on this CPU alone: what [`flush`](Self::flush) does, where one CPU runs. Any context, pinned.
    fn flush_local(&self, pages: &MustFlush);

    /// Entries of these `pages` pages from `at` on were written that were empty before: lets every CPU see them, where
    /// the architecture asks for an instruction. (x86 asks for none; riscv64 for a fence.) Any context.
    fn after_map(&self, _at: VirtAddr, _pages: usize) {}
}

/// The kernel's page tables, in the format of `T`, behind the lock of `P`.
pub struct LockedTables<P: Platform, T: Tlb> {
    mapper: P::Lock<PageMapper<T::Format>>,
    tlb: T,
}

impl<P: Platform, T: Tlb> LockedTables<P, T> {
    /// The tables that `mapper` writes and that the CPUs use. Nobody else changes entries of the addresses that the
    /// allocators were given.
    pub fn new(mapper: PageMapper<T::Format>, tlb: T) -> Self {
        Self { mapper: Lock::new(mapper), tlb }
    }
}

// SAFETY: the mapper writes and clears what it says, one caller at a time; `T` promises the flushes.
unsafe impl<P: Platform, T: Tlb> KernelTables for LockedTables<P, T> {
    #[inline]
    unsafe fn map(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        let rights = T::Format::rights(mapping);
        let mapped = self.mapper.with(|mapper| mapper.map(at, frames, rights, spare));
        mapped.inspect(|&pages| self.tlb.after_map(at, pages))
    }

    #[inline]
    unsafe fn unmap(&self, at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush {
        self.mapper.with(|mapper| mapper.unmap(at, pages, each))
    }

    unsafe fn protect(
        &self,
        at: VirtAddr,
        pages: usize,
        access: Access,
        spares: &mut Spares,
    ) -> Result<MustFlush, MapError> {
        let change = |rights| T::Format::with_access(rights, access);
        self.mapper.with(|mapper| mapper.protect(at, pages, change, spares))
    }

    unsafe fn merge(&self, at: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        self.mapper.with(|mapper| mapper.merge(at))
    }

    fn translate(&self, at: VirtAddr) -> Option<Pfn> {
        self.mapper.with(|mapper| mapper.translate(at))?.0.frame()
    }

    unsafe fn unlink_empty(&self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        self.mapper.with(|mapper| mapper.unlink_empty(from, end))
    }

    const FLUSH_ANYWHERE: bool = T::FLUSH_ANYWHERE;

    fn flush(&self, must_flush: MustFlush) {
        self.tlb.flush(&must_flush);
        must_flush.flushed();
    }

    fn flush_local(&self, must_flush: MustFlush) {
        self.tlb.flush_local(&must_flush);
        must_flush.flushed();
    }
}
