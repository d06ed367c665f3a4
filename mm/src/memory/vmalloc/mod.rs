//! vmalloc and vfree: memory whose addresses are neighbours and whose pages need not be.
//!
//! (Chapter: "vmalloc and Friends".) `areas.rs` has what all calls on vm areas share, `tables.rs` what they do to page
//! tables, `lazy.rs` when they flush, `ioremap.rs` the calls for device memory.

mod areas;
mod ioremap;
mod lazy;
mod tables;

use core::panic::Location;

pub use areas::AreaInfo;

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::mapper::Frames;
use crate::platform::{Mapping, Platform};
use crate::vm::{AreaKind, AreaRef};

/// Frames that are taken or given back at once: an array on the stack.
const BATCH: usize = 64;

impl<P: Platform> Memory<P> {
    /// Allocates at least `size` bytes of contiguous addresses; each page is taken by itself. Content undefined.
    ///
    /// The size is rounded up to whole pages, and one unmapped page follows. Refused: 0 bytes, more than the machine's
    /// memory, a context that may not sleep. Useless for DMA. Free it with [`vfree`](Self::vfree).
    #[track_caller]
    pub fn vmalloc(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.vmalloc_area(size).map(|area| area.start)
    }

    /// [`vmalloc`](Self::vmalloc) for an owner that keeps the descriptor.
    #[track_caller]
    pub(crate) fn vmalloc_area(&'static self, size: usize) -> Result<AreaRef, AllocError> {
        let caller = Location::caller();
        self.check_may_sleep("vmalloc", caller)?;
        let pages = size.div_ceil(PAGE_SIZE);
        if pages == 0 || pages > self.managed_pages() {
            return Err(self.refuse("vmalloc", "size is zero or exceeds the machine's memory", caller));
        }
        let area = self.reserve_area("vmalloc", (pages, PAGE_SIZE), AreaKind::Vmalloc, caller)?;
        self.populate(area, GfpFlags::KERNEL | GfpFlags::HIGHMEM, caller).inspect_err(|_| self.dissolve(area))?;
        self.open(area);
        Ok(area)
    }

    /// Frees an area from [`vmalloc`](Self::vmalloc). May sleep: process context only. Address 0 is accepted and
    /// ignored; anything but the first address of such an area is reported and left as it was.
    #[track_caller]
    pub fn vfree(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        let caller = Location::caller();
        if addr.as_usize() == 0 {
            return Ok(());
        }
        self.check_may_sleep("vfree", caller).map_err(|_| FreeError::WrongContext)?;
        if addr.page_offset() != 0 {
            return Err(self.bad_free("vfree", addr, FreeError::Misaligned, caller));
        }
        self.free_area("vfree", addr, |kind| kind == AreaKind::Vmalloc, caller)
    }

    /// Gives each page of an area a frame of its own. After a failure some have one.
    fn populate(
        &'static self,
        area: AreaRef,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        let mut frames = [Pfn::new(0); BATCH];
        let mut done = 0;
        while done < area.pages {
            let wanted = (area.pages - done).min(BATCH);
            let taken = self.alloc_bulk(gfp, &mut frames[..wanted], caller);
            let at = area.start.add(done * PAGE_SIZE);
            let all = Frames::Each(&frames[..taken]);
            let mapped = if taken == wanted { self.map_all("vmalloc", at, all, Mapping::Memory, caller) } else { 0 };
            if mapped < wanted {
                self.give_frames(&frames[mapped..taken]);
                return Err(AllocError);
            }
            done += mapped;
        }
        Ok(())
    }

    /// Gives single frames back.
    fn give_frames(&self, frames: &[Pfn]) {
        let refused = self.free_pages_bulk(frames);
        debug_assert_eq!(refused, 0);
    }
}
