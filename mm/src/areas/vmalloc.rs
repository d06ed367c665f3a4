//! vmalloc and vfree: memory whose addresses are neighbours and whose pages need not be.
//!
//! (Chapter: "vmalloc and Friends".) `areas.rs` has what all calls on vm areas share, `tables.rs` what they do to page
//! tables, `lazy.rs` when they flush; `family.rs` has vmalloc's kin, `ioremap.rs` the calls for device
//! memory, `rights.rs` what makes pages read-only.

#[path = "reserve.rs"]
mod areas;
#[cfg(feature = "testing")]
#[path = "empty.rs"]
mod empty;
#[path = "vmap.rs"]
mod family;
#[path = "ioremap.rs"]
mod ioremap;
#[path = "lazy.rs"]
mod lazy;
#[path = "rights.rs"]
mod rights;
#[path = "../tables.rs"]
mod tables;

use core::ops::Range;
use core::panic::Location;

pub use areas::AreaInfo;

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::mapper::Frames;
use crate::platform::{Mapping, Platform};
use crate::vm::{AreaKind, AreaRef, Purpose};

/// Frames that are taken or given back at once: an array on the stack.
const BATCH: usize = 64;
/// Why a size is refused.
const NO_SIZE: &str = "size is zero or exceeds the machine's memory";

impl<P: Platform> Memory<P> {
    /// Allocates at least `size` bytes of contiguous addresses; each page is taken by itself. Content undefined.
    ///
    /// The size is rounded up to whole pages, and one unmapped page follows. Refused: 0 bytes, more than the machine's
    /// memory, a context that may not sleep. Useless for DMA. Free it with [`vfree`](Self::vfree).
    #[track_caller]
    pub fn vmalloc(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        let gfp = GfpFlags::KERNEL | GfpFlags::HIGHMEM;
        self.build_area("vmalloc", size, gfp, Location::caller()).map(|area| self.open(area))
    }

    /// [`vmalloc`](Self::vmalloc) for an owner that keeps the descriptor.
    #[track_caller]
    pub(crate) fn vmalloc_area(&'static self, size: usize) -> Result<AreaRef, AllocError> {
        let area = self.build_area("vmalloc", size, GfpFlags::KERNEL | GfpFlags::HIGHMEM, Location::caller())?;
        self.open(area);
        Ok(area)
    }

    /// Takes a range for `size` bytes and gives each page of it a frame of its own. Nobody can free it before it is opened.
    #[inline]
    fn build_area(
        &'static self,
        call: &'static str,
        size: usize,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<AreaRef, AllocError> {
        self.check_may_sleep(call, caller)?;
        let pages = self.check_pages(call, size, caller)?;
        let area = self.reserve_area(call, (pages, PAGE_SIZE), AreaKind::Vmalloc, caller)?;
        self.populate(area, 0..pages, gfp, caller).inspect_err(|_| self.dissolve(area))?;
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
        self.free_area("vfree", addr, Purpose::Vmalloc, caller)
    }

    /// Gives some pages of an area frames of their own. After a failure some have one.
    fn populate(
        &'static self,
        area: AreaRef,
        pages: Range<usize>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        let mut frames = [Pfn::new(0); BATCH];
        let mut done = pages.start;
        while done < pages.end {
            let wanted = (pages.end - done).min(BATCH);
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
