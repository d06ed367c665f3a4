//! The parameters that are fixed when the allocators start.

use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::StartError;
use crate::gfp::DMA_END;
use crate::order::Order;
use crate::pages::AtomicFloor;

/// Where memory and addresses begin and end, and what is reserved: [`new`](Self::new), and what differs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// First frame outside of the direct map, not below 16 MiB, or the end of memory when there is none.
    pub highmem_start: Pfn,
    /// First address for vm areas, page-aligned and not 0.
    pub vmalloc_start: VirtAddr,
    /// End of the addresses for vm areas, page-aligned.
    pub vmalloc_end: VirtAddr,
    /// First address for areas of modules, page-aligned and not 0.
    pub code_start: VirtAddr,
    /// End of the addresses for areas of modules, page-aligned.
    pub code_end: VirtAddr,
    /// First of the [`KMAP_PAGES`](crate::kmap::KMAP_PAGES) pages of addresses for windows onto high memory, aligned to
    /// 2 MiB.
    pub kmap_start: VirtAddr,
    /// Where GFP_ATOMIC stops.
    pub atomic_floor: AtomicFloor,
}

impl Config {
    /// All memory shows in the direct map, and there are no addresses for areas: a kernel without vmalloc. GFP_ATOMIC
    /// reaches the last page.
    pub const fn new() -> Self {
        Self {
            highmem_start: Pfn::new(u32::MAX),
            vmalloc_start: VirtAddr::new(0),
            vmalloc_end: VirtAddr::new(0),
            code_start: VirtAddr::new(0),
            code_end: VirtAddr::new(0),
            kmap_start: VirtAddr::new(0),
            atomic_floor: AtomicFloor::LastPage,
        }
    }

    /// Areas have these addresses, page-aligned at both ends.
    pub const fn with_vmalloc(self, start: VirtAddr, end: VirtAddr) -> Self {
        Self { vmalloc_start: start, vmalloc_end: end, ..self }
    }

    /// Areas of modules have these addresses, page-aligned at both ends and apart from those of other areas: where a
    /// call from the kernel's text reaches.
    pub const fn with_code(self, start: VirtAddr, end: VirtAddr) -> Self {
        Self { code_start: start, code_end: end, ..self }
    }

    /// Memory from `start` on is high memory: the direct map does not show it. `windows` is
    /// [`kmap_start`](Self::kmap_start).
    pub const fn with_highmem(self, start: Pfn, windows: VirtAddr) -> Self {
        Self { highmem_start: start, kmap_start: windows, ..self }
    }

    /// Whether allocators can start with this, on a machine with this direct map.
    pub(crate) fn check(&self, direct_map: VirtAddr) -> Result<(), StartError> {
        let largest = Order::MAX.bytes();
        if !direct_map.is_aligned(largest) {
            return Err(StartError::DirectMap);
        }
        // All that lies below is of the zone DMA, which the direct map shows.
        let has_highmem = self.highmem_start != Self::new().highmem_start;
        if has_highmem && (self.highmem_start < DMA_END || !self.kmap_start.is_aligned(largest)) {
            return Err(StartError::HighMemory);
        }
        let (areas, code) = ((self.vmalloc_start, self.vmalloc_end), (self.code_start, self.code_end));
        let is_right = |(start, end): (VirtAddr, VirtAddr)| {
            let is_whole = start.is_aligned(PAGE_SIZE) && end.is_aligned(PAGE_SIZE);
            // Address 0 is what no area has.
            start == end || is_whole && start < end && start.as_usize() >= PAGE_SIZE
        };
        let are_apart = areas.1 <= code.0 || code.1 <= areas.0;
        if is_right(areas) && is_right(code) && are_apart { Ok(()) } else { Err(StartError::AreaAddresses) }
    }

    /// GFP_ATOMIC stops there.
    pub const fn with_atomic_floor(self, floor: AtomicFloor) -> Self {
        Self { atomic_floor: floor, ..self }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
