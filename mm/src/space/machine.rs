//! What an address space needs of the processor.

use core::ops::Range;

use super::swap::SwapStore;
use crate::addr::{Pfn, VirtAddr};
use crate::flush::MustFlush;
use crate::mapper::{Table, UserFormat};

/// The processor, as far as it knows the tables of processes.
///
/// # Safety
/// (a) The tables have the format [`Format`](Self::Format), and [`range`](Self::range) lies in the users' half: no
/// entry of a root that maps a part of it is the kernel's. (b) [`share_kernel`](Self::share_kernel) writes entries of
/// the kernel's half alone. (c) When [`flush`](Self::flush) returns no CPU uses one of the translations any more, nor a
/// table on the way to them, until it loads the root anew and finds what the tables say then. (d) After
/// [`retire`](Self::retire) no CPU has the root.
pub unsafe trait UserMachine: Copy + Send + Sync + 'static {
    /// How entries are written down.
    type Format: UserFormat + Send + Sync;

    /// The format.
    fn format(&self) -> Self::Format;

    /// The addresses that programs may have: page-aligned, without page 0.
    fn range(&self) -> Range<VirtAddr>;

    /// Has a new root, which is all zeros, lead to the kernel's half.
    fn share_kernel(&self, root: &Table);

    /// Drops the translations of these pages by the tables of this root, where a CPU may have some; ends with
    /// [`MustFlush::flushed`]. Process context, no lock of `mm` is held; reclaim flushes too, whatever locks the caller
    /// has who needs memory.
    fn flush(&self, root: Pfn, must_flush: MustFlush);

    /// Entries of these `pages` pages from `at` on were written that were empty before: lets the CPUs that have the
    /// root see them, where the architecture asks for an instruction. (x86 asks for none.)
    fn after_map(&self, _root: Pfn, _at: VirtAddr, _pages: usize) {}

    /// Where pages go for which memory has no room, if anywhere. The same each time.
    fn swap(&self) -> Option<&'static dyn SwapStore> {
        None
    }

    /// The root is about to be freed: no CPU keeps it loaded. Process context.
    fn retire(&self, root: Pfn);
}
