//! The parameters that are fixed when the allocators start.

use crate::addr::{Pfn, VirtAddr};
use crate::pages::AtomicFloor;

/// Where memory and addresses begin and end, and what is reserved.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// First frame outside of the direct map, or the end of memory when there is none.
    pub highmem_start: Pfn,
    /// First address for vm areas, page-aligned.
    pub vmalloc_start: VirtAddr,
    /// End of the addresses for vm areas, page-aligned.
    pub vmalloc_end: VirtAddr,
    /// First of the [`KMAP_PAGES`](crate::kmap::KMAP_PAGES) pages of addresses for windows onto high memory, aligned to
    /// 2 MiB.
    pub kmap_start: VirtAddr,
    /// Where GFP_ATOMIC stops.
    pub atomic_floor: AtomicFloor,
}
