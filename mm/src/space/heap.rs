//! Where the heap is that brk moves.

use crate::addr::{PAGE_SIZE, VirtAddr};

/// Where the heap begins and ends, to the byte.
#[derive(Clone, Copy)]
pub(super) struct Heap {
    pub(super) start: VirtAddr,
    pub(super) end: VirtAddr,
}

impl Heap {
    /// None: brk moves nothing.
    pub(super) const NONE: Self = Self { start: VirtAddr::new(0), end: VirtAddr::new(0) };
}

/// The first page boundary at or behind an address.
pub(super) fn page_up(at: VirtAddr) -> Option<VirtAddr> {
    at.checked_add(PAGE_SIZE - 1).map(VirtAddr::page_down)
}
