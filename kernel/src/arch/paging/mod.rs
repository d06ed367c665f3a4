//! The kernel's page tables: those that it builds for itself at boot, and what is mapped later.
//!
//! The walker is `mm`'s ([`PageMapper`]); `format.rs` knows the entries, `builder.rs` makes the tables at boot. The calls
//! here change them while the kernel runs, below the tables that the builder made, one at a time under one lock. They are
//! what `mm::Platform` wants of an architecture. Nothing here allocates.

pub mod builder;
mod format;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mm::mapper::{LeafRun, PageMapper};
use mm::{Access, AddressSpace, Frames, MapError, Mapping, MustFlush, PAGE_SIZE, Pfn, Spares, Unlinked, VirtAddr};
use x86_64::instructions::tlb;
use x86_64::structures::paging::PageTableFlags as Flags;

pub use builder::{Builder, Rights};
pub use format::X86;

use crate::arch::cpu;
use crate::arch::layout::Area;
use crate::sync::SpinLock;

/// Page tables of this machine.
pub type Space = PageMapper<X86>;

/// The address space that all threads share. A leaf of the lock order.
static KERNEL: SpinLock<Option<Space>> = SpinLock::new(None);
/// How often translations were flushed.
static FLUSHES: AtomicU64 = AtomicU64::new(0);

/// Pages from which on it is cheaper to drop the whole TLB than page by page.
const FLUSH_ALL_FROM: usize = 16;

/// Runs `f` with the kernel's tables, alone.
///
/// # Panics
/// Before [`Builder::activate`].
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
    let flags = Flags::PRESENT | Flags::WRITABLE | Flags::NO_EXECUTE | Flags::ACCESSED | Flags::DIRTY;
    let flags = match mapping {
        Mapping::Memory => flags,
        Mapping::Device => flags | Flags::NO_CACHE | Flags::WRITE_THROUGH,
    };
    with_kernel(|kernel| kernel.map(at, frames, flags, spare))
}

/// Removes the mappings of `pages` pages from `at` on and calls `each` with each leaf's first frame and pages; see
/// `mm::Platform::unmap`.
#[inline(always)]
pub fn unmap(at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush {
    with_kernel(|kernel| kernel.unmap(at, pages, each));
    MustFlush::new(AddressSpace::Kernel, at, pages)
}

/// Lets mapped pages be accessed in this way alone; see `mm::Platform::protect`. Never sleeps; any context.
pub fn protect(at: VirtAddr, pages: usize, access: Access, spares: &mut Spares) -> Result<MustFlush, MapError> {
    // Elsewhere nothing is a caller's; and the tables know no more than 48 bits of an address.
    if !matches!(Area::of(at), Area::DirectMap | Area::Vmalloc) {
        return Err(MapError::NotMapped);
    }
    let change = |flags: Flags| match access {
        Access::Read => flags.difference(Flags::WRITABLE),
        Access::ReadWrite => flags.union(Flags::WRITABLE),
    };
    with_kernel(|kernel| kernel.protect(at, pages, change, spares))?;
    Ok(MustFlush::new(AddressSpace::Kernel, at, pages))
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
    let unlinked = with_kernel(|kernel| kernel.unlink_empty(from, end))?;
    Some((unlinked, MustFlush::new(AddressSpace::Kernel, unlinked.next.page_down(), 1)))
}

/// Drops what the TLB knows of the pages that `must_flush` tells of, and all that it knows of the ways to them.
///
/// Mappings made by [`map`] are not global, so a reload of CR3 drops them all; those that the builder made are. Other CPUs,
/// once they run, must be told by an interrupt from here.
pub fn flush(must_flush: MustFlush) {
    FLUSHES.store(FLUSHES.load(Relaxed) + 1, Relaxed);
    let (start, end) = (must_flush.start().as_usize(), must_flush.end().as_usize());
    if end - start >= FLUSH_ALL_FROM * PAGE_SIZE {
        match Area::of(must_flush.start()) {
            Area::Vmalloc | Area::Kmap => tlb::flush_all(),
            _ => cpu::reset_global_pages(),
        }
        return must_flush.flushed();
    }
    // One page's address drops a large page whole. Any of these drops the ways through tables too, whatever address they
    // were used for.
    for page in (start..end).step_by(PAGE_SIZE) {
        tlb::flush(x86_64::VirtAddr::new_truncate(page as u64));
    }
    must_flush.flushed();
}

/// How often translations were flushed since boot.
pub fn flushes() -> u64 {
    FLUSHES.load(Relaxed)
}
