//! The page tables that all threads share, changed by one caller at a time.
//!
//! The walker is `mm`'s ([`PageMapper`](::mm::mapper::PageMapper)), the entries are `pagetable`'s. The calls here
//! change the tables while the kernel runs, below those that boot made: [`KernelSpace`] is what `mm` knows of them.
//! Nothing here allocates.

use ::mm::mapper::{Format, LeafRun};
use ::mm::{Access, Frames, KernelTables, MapError, Mapping, MustFlush, Pfn, Spares, Unlinked, VirtAddr};
use pagetable::X86_64;
use pagetable::x86_64::Flags;

use crate::arch::layout::Area;
use crate::arch::paging::{self, Space};
use crate::sync::SpinLock;

/// The tables. A leaf of the lock order.
static KERNEL: SpinLock<Option<Space>> = SpinLock::new(None);

/// Says which tables the CPU is about to use.
pub(super) fn set(space: Space) {
    KERNEL.with(|kernel| *kernel = Some(space));
}

/// Runs `f` with the tables, alone.
///
/// # Panics
/// Before [`set`].
#[inline]
fn with_kernel<R>(f: impl FnOnce(&mut Space) -> R) -> R {
    KERNEL.with(|kernel| {
        let Some(space) = kernel else { panic!("the kernel has no page tables of its own yet") };
        f(space)
    })
}

/// The tables in use, as the allocators see them.
pub struct KernelSpace;

// SAFETY: the mapper writes and clears what it says, one caller at a time, and the tables below those that boot made
// are changed here alone; one CPU runs, whose TLB is flushed.
unsafe impl KernelTables for KernelSpace {
    #[inline]
    unsafe fn map(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        let flags = X86_64::rights(mapping);
        with_kernel(|kernel| kernel.map(at, frames, flags, spare))
    }

    #[inline(always)]
    unsafe fn unmap(&self, at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush {
        with_kernel(|kernel| kernel.unmap(at, pages, each))
    }

    unsafe fn protect(
        &self,
        at: VirtAddr,
        pages: usize,
        access: Access,
        spares: &mut Spares,
    ) -> Result<MustFlush, MapError> {
        // Elsewhere nothing is a caller's, and code runs in modules alone; the tables know no more than 48 bits of an
        // address.
        match (Area::of(at), access) {
            (Area::Modules, _) | (Area::DirectMap | Area::Vmalloc, Access::Read | Access::ReadWrite) => {}
            _ => return Err(MapError::NotMapped),
        }
        with_kernel(|kernel| kernel.protect(at, pages, |flags| X86_64::with_access(flags, access), spares))
    }

    unsafe fn merge(&self, at: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        with_kernel(|kernel| kernel.merge(at))
    }

    fn translate(&self, at: VirtAddr) -> Option<Pfn> {
        translate(at)
    }

    unsafe fn unlink_empty(&self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        with_kernel(|kernel| kernel.unlink_empty(from, end))
    }

    /// One CPU runs: a flush waits for none.
    const FLUSH_ANYWHERE: bool = true;

    fn flush(&self, must_flush: MustFlush) {
        paging::flush(must_flush);
    }

    fn flush_local(&self, must_flush: MustFlush) {
        paging::flush(must_flush);
    }
}

/// The frame that the page at `at` is mapped to.
pub fn translate(at: VirtAddr) -> Option<Pfn> {
    with_kernel(|kernel| kernel.translate(at))?.0.frame()
}

/// The first leaf at or after `from` and below `end`, and its like beside it in the same table.
pub fn next_run(from: VirtAddr, end: VirtAddr) -> Option<LeafRun<Flags>> {
    with_kernel(|kernel| kernel.next_run(from, end))
}
