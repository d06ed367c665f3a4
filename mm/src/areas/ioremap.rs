//! ioremap and iounmap: device memory at synthetic addresses. (Chapter: "vmalloc and Friends".)

use core::panic::Location;

use super::Memory;
use crate::addr::{Pfn, PfnRange, PhysAddr, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::mapper::{Frames, Level};
use crate::page::{PageMap, SECTION_FRAMES};
use crate::platform::{Mapping, Platform};
use crate::vm::{AreaKind, Purpose};

impl<P: Platform> Memory<P> {
    /// Maps the device memory at `phys`, `size` bytes, uncached; allocates nothing but page tables.
    ///
    /// The address need not be page-aligned: the result points to the same offset in the first mapped page. Refused:
    /// 0 bytes, a range that wraps around, memory that the allocators own or the kernel lies in, a context that may not
    /// sleep. Undo it with [`iounmap`](Self::iounmap).
    #[track_caller]
    pub fn ioremap(&'static self, phys: PhysAddr, size: usize) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.check_may_sleep("ioremap", caller)?;
        let last = size.checked_sub(1).and_then(|rest| phys.checked_add(rest as u64)).and_then(PhysAddr::frame);
        let (Some(first), Some(last)) = (phys.frame(), last.filter(|last| last.as_u32() < u32::MAX)) else {
            return Err(self.refuse("ioremap", "size is zero or the range leaves the physical address space", caller));
        };
        let range = PfnRange::new(first, last.add(1));
        if has_blocks(&self.map, range) {
            return Err(self.refuse("ioremap", "the range is memory of the allocators", caller));
        }
        if self.platform.is_own(range) {
            return Err(self.refuse("ioremap", "the range is memory of the kernel", caller));
        }
        let kind = AreaKind::Ioremap(first.phys());
        let area = self.reserve_area("ioremap", (range.frames(), alignment(range)), kind, caller)?;
        let mapped = self.map_all("ioremap", area.start, Frames::Run(range), Mapping::Device, caller);
        if mapped < range.frames() {
            self.dissolve(area);
            return Err(AllocError);
        }
        Ok(self.open(area).add(phys.page_offset()))
    }

    /// [`ioremap`](Self::ioremap), whose mappings are uncached anyway.
    #[track_caller]
    pub fn ioremap_nocache(&'static self, phys: PhysAddr, size: usize) -> Result<VirtAddr, AllocError> {
        self.ioremap(phys, size)
    }

    /// Undoes [`ioremap`](Self::ioremap); takes the address that it returned. May sleep: process context only.
    #[track_caller]
    pub fn iounmap(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        let caller = Location::caller();
        if addr.as_usize() == 0 {
            return Ok(());
        }
        self.check_may_sleep("iounmap", caller).map_err(|_| FreeError::WrongContext)?;
        self.free_area("iounmap", addr.page_down(), Purpose::Ioremap, caller)
    }
}

/// Whether a frame of `range` is memory of the allocators. Asks by whole sections where none is there.
fn has_blocks(map: &PageMap, range: PfnRange) -> bool {
    let end = range.end.as_u32().min(map.frames());
    let mut frame = range.start.as_u32();
    while frame < end {
        match map.get(Pfn::new(frame)) {
            None => frame = (frame / SECTION_FRAMES + 1) * SECTION_FRAMES,
            Some(_) if map.block_of(Pfn::new(frame)).is_some() => return true,
            Some(_) => frame += 1,
        }
    }
    false
}

/// The alignment that lets the largest pages be used that fit into a range.
pub(super) fn alignment(range: PfnRange) -> usize {
    let fits = |level: &Level| range.frames() >= level.pages() && range.start.is_aligned(level.pages() as u32);
    [Level::Three, Level::Two].into_iter().find(fits).unwrap_or(Level::One).bytes()
}
