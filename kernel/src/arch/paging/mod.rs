//! Page tables: those that the kernel builds for itself at boot, and the 4 KiB mappings made later.
//!
//! [`space`] walks tables, [`builder`] makes the kernel's own at boot; the calls here change them while the kernel runs,
//! below the tables that the builder made. They are what `mm::Platform` wants of an architecture. Nothing here allocates.

pub mod builder;
pub mod space;

use mm::{MapError, Mapping, PAGE_SIZE, Pfn, VirtAddr};
use spin::Once;
use x86_64::instructions::tlb;
use x86_64::structures::paging::PageTableFlags as Flags;

pub use builder::{Builder, Rights};
pub use space::{Level, Space};

static KERNEL: Once<Space> = Once::new();

/// Pages from which on it is cheaper to drop the whole TLB than page by page.
const FLUSH_ALL_FROM: usize = 16;

/// The address space that all threads share.
///
/// # Panics
/// Before [`Builder::activate`].
pub fn kernel() -> &'static Space {
    let Some(space) = KERNEL.get() else { panic!("the kernel has no page tables of its own yet") };
    space
}

/// Maps the page at `at` to `frame`. When a table is missing on the way it takes the zeroed frame in `table` for it.
/// Never sleeps, and may run on several CPUs at once.
pub fn map(at: VirtAddr, frame: Pfn, mapping: Mapping, table: &mut Option<Pfn>) -> Result<(), MapError> {
    let flags = Flags::PRESENT | Flags::WRITABLE | Flags::NO_EXECUTE | Flags::ACCESSED | Flags::DIRTY;
    let flags = match mapping {
        Mapping::Memory => flags,
        Mapping::Device => flags | Flags::NO_CACHE | Flags::WRITE_THROUGH,
    };
    kernel().entry(at, Level::One, table)?.set_if_empty(frame, flags)
}

/// Removes the mapping of the page at `at` and returns its frame. TLBs may still know it until [`flush`].
pub fn unmap(at: VirtAddr) -> Option<Pfn> {
    kernel().leaf(at)?.clear()
}

/// The frame that the page at `at` is mapped to.
pub fn translate(at: VirtAddr) -> Option<Pfn> {
    kernel().translate(at)?.frame()
}

/// Takes an empty level-one table out of `start..end` and returns its frame, which is the caller's once the TLB was
/// flushed as a whole. Must not run beside [`map`].
pub fn prune_table(start: VirtAddr, end: VirtAddr) -> Option<Pfn> {
    kernel().prune(start, end)
}

/// Drops all that the TLB knows of pages that are not global, and of the tables on the way to them.
pub fn flush_all() {
    tlb::flush_all();
}

/// Drops what the TLB knows of the `pages` pages from `start` on.
///
/// Mappings made by [`map`] are not global, so a reload of CR3 drops them all. Other CPUs, once they run, must be told by
/// an interrupt from here.
pub fn flush(start: VirtAddr, pages: usize) {
    if pages >= FLUSH_ALL_FROM {
        tlb::flush_all();
        return;
    }
    for page in 0..pages {
        let addr = start.add(page * PAGE_SIZE).as_usize();
        tlb::flush(x86_64::VirtAddr::new_truncate(addr as u64));
    }
}
