//! ioremap and iounmap: device memory at synthetic addresses.
//! (Chapter: "vmalloc and Friends".)

use super::AreaAllocator;
use crate::addr::{Pfn, PfnRange, PhysAddr, VirtAddr};
use crate::areas::area::{AreaKind, Owner, Purpose};
use crate::error::{AllocError, FreeError};
use crate::mapper::Frames;
use crate::page::{PageMap, SECTION_FRAMES};
use crate::platform::Platform;
use crate::report::Call;
use crate::tag::Tag;

impl<P: Platform> AreaAllocator<P> {
    /// Maps the device memory at `phys`, `size` bytes, uncached; allocates nothing but page tables. The result points
    /// to the same offset in the first mapped page, and is freed in the name of `tag`.
    pub(crate) fn ioremap(
        &'static self,
        phys: PhysAddr,
        size: usize,
        tag: Tag,
        call: Call,
    ) -> Result<VirtAddr, AllocError> {
        self.pages.check_may_sleep(call)?;
        let last = size.checked_sub(1).and_then(|rest| phys.checked_add(rest as u64)).and_then(PhysAddr::frame);
        let (Some(first), Some(last)) = (phys.frame(), last.filter(|last| last.as_u32() < u32::MAX)) else {
            return Err(self.pages.refuse(call, "size is zero or the range leaves the physical address space"));
        };
        let range = PfnRange::new(first, last.add(1));
        if has_blocks(self.direct.map(), range) {
            return Err(self.pages.refuse(call, "the range is memory of the allocators"));
        }
        if self.platform().is_own(range) {
            return Err(self.pages.refuse(call, "the range is memory of the kernel"));
        }
        let kind = AreaKind::Ioremap(first.phys());
        self.map_area(Frames::Run(range), kind, tag, call).map(|start| start.add(phys.page_offset()))
    }

    /// [`ioremap`](crate::Memory::ioremap) for an owner of its own: nobody but
    /// [`iounmap_tagged`](Self::iounmap_tagged) with the same tag undoes it. Refused: the tag of values.
    ///
    /// # Errors
    /// As ioremap. No tag, or that of values, is refused and reported.
    #[track_caller]
    pub fn ioremap_tagged(&'static self, phys: PhysAddr, size: usize, tag: Tag) -> Result<VirtAddr, AllocError> {
        let call = Call::here(&"ioremap");
        if tag == Tag::Value {
            return Err(self.pages.refuse(call, "the tag is no owner's"));
        }
        self.ioremap(phys, size, tag, call)
    }

    /// [`iounmap`](crate::Memory::iounmap) of a mapping from [`ioremap_tagged`](Self::ioremap_tagged), by its tag
    /// alone.
    ///
    /// # Errors
    /// As iounmap; another tag than the area has.
    #[track_caller]
    pub fn iounmap_tagged(&'static self, addr: VirtAddr, tag: Tag) -> Result<(), FreeError> {
        // What belongs to values is nobody's here.
        let tag = if tag == Tag::Value { Tag::Vmalloc } else { tag };
        self.iounmap(addr, tag, Call::here(&"iounmap"))
    }

    /// Undoes [`ioremap`](Self::ioremap); takes the address that it returned. May sleep: process context only.
    pub(crate) fn iounmap(&'static self, addr: VirtAddr, tag: Tag, call: Call) -> Result<(), FreeError> {
        self.free_at(addr, addr.page_down(), Owner { purpose: Purpose::Ioremap, tag }, call)
    }
}

/// Whether a frame of `range` is memory of the allocators. Skips whole sections without entries.
fn has_blocks(map: &PageMap, range: PfnRange) -> bool {
    let end = range.end.as_u32().min(map.frames());
    let mut frame = range.start.as_u32();
    while frame < end {
        match map.get(Pfn::new(frame)) {
            // Not beyond the last number: the end is at most that.
            None => frame = (frame | (SECTION_FRAMES - 1)).saturating_add(1),
            Some(_) if map.block_of(Pfn::new(frame)).is_some() => return true,
            Some(_) => frame += 1,
        }
    }
    false
}
