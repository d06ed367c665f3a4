//! The page tables that all threads share, changed by one caller at a time.
//!
//! The walker is `mm`'s ([`PageMapper`](::mm::mapper::PageMapper)), the entries are [`paging`]'s. The calls here change
//! the tables while the kernel runs, below those that boot made. They are what `mm::Platform` asks for. Nothing here
//! allocates.

use ::mm::mapper::LeafRun;
use ::mm::{Access, Frames, MapError, Mapping, MustFlush, Pfn, Spares, Unlinked, VirtAddr};
use x86_64::structures::paging::PageTableFlags as Flags;

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

/// Maps pages from `at` on to `frames`; see `mm::Platform::map`. Never sleeps; any context.
#[inline]
pub fn map(at: VirtAddr, frames: Frames<'_>, mapping: Mapping, spare: &mut Option<Pfn>) -> Result<usize, MapError> {
    let flags = paging::leaf_flags(mapping);
    with_kernel(|kernel| kernel.map(at, frames, flags, spare))
}

/// Removes the mappings of `pages` pages from `at` on and calls `each` with each leaf's first frame and pages; see
/// `mm::Platform::unmap`.
#[inline(always)]
pub fn unmap(at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush {
    with_kernel(|kernel| kernel.unmap(at, pages, each))
}

/// Lets mapped pages be accessed in this way alone; see `mm::Platform::protect`. Never sleeps; any context.
pub fn protect(at: VirtAddr, pages: usize, access: Access, spares: &mut Spares) -> Result<MustFlush, MapError> {
    // Elsewhere nothing is a caller's; and the tables know no more than 48 bits of an address.
    if !matches!(Area::of(at), Area::DirectMap | Area::Vmalloc) {
        return Err(MapError::NotMapped);
    }
    with_kernel(|kernel| kernel.protect(at, pages, |flags| paging::with_access(flags, access), spares))
}

/// The frame that the page at `at` is mapped to.
pub fn translate(at: VirtAddr) -> Option<Pfn> {
    with_kernel(|kernel| kernel.translate(at))?.0.frame()
}

/// The first leaf at or after `from` and below `end`, and its like beside it in the same table.
pub fn next_run(from: VirtAddr, end: VirtAddr) -> Option<LeafRun<Flags>> {
    with_kernel(|kernel| kernel.next_run(from, end))
}

/// Takes an empty table out that maps part of `from..end`.
pub fn unlink_empty(from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
    with_kernel(|kernel| kernel.unlink_empty(from, end))
}
