//! How the allocators change page tables: unsafe calls, for what they own.
//!
//! Key types: [`OwnMappings`].

use super::machine::Platform;
use super::tables::KernelTables;
use crate::addr::{Pfn, VirtAddr};
use crate::error::MapError;
use crate::flush::MustFlush;
use crate::mapper::{Access, Frames, Mapping, Spares, Unlinked};

/// The page tables as the allocators use them: for the addresses that they were given, and frames of their own or, by
/// vmap and ioremap, of somebody who keeps them.
pub(crate) trait OwnMappings {
    /// [`KernelTables::map`].
    fn map(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError>;

    /// [`KernelTables::unmap`].
    fn unmap(&self, at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush;

    /// [`KernelTables::protect`].
    fn protect(&self, at: VirtAddr, pages: usize, access: Access, spares: &mut Spares) -> Result<MustFlush, MapError>;

    /// [`KernelTables::merge`].
    fn merge(&self, at: VirtAddr) -> Option<(Unlinked, MustFlush)>;

    /// [`KernelTables::unlink_empty`].
    fn unlink_empty(&self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)>;
}

impl<P: Platform> OwnMappings for P {
    #[inline(always)]
    fn map(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        // SAFETY: the addresses are of an area or a window whose owner calls this, and so is the spare frame.
        unsafe { self.tables().map(at, frames, mapping, spare) }
    }

    #[inline(always)]
    fn unmap(&self, at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush {
        // SAFETY: the area or the window is closed: its user gave it up.
        unsafe { self.tables().unmap(at, pages, each) }
    }

    fn protect(&self, at: VirtAddr, pages: usize, access: Access, spares: &mut Spares) -> Result<MustFlush, MapError> {
        // SAFETY: the caller of `set_memory_ro` owns the pages; the spare frames were allocated for this.
        unsafe { self.tables().protect(at, pages, access, spares) }
    }

    fn merge(&self, at: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        // SAFETY: it changes no rights, and the owner of a page that was split calls this.
        unsafe { self.tables().merge(at) }
    }

    fn unlink_empty(&self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        // SAFETY: the addresses are of the allocators' ranges, whose tables they gave.
        unsafe { self.tables().unlink_empty(from, end) }
    }
}
