//! vmalloc's kin: cleared memory, memory for DMA or below HighMem, large pages, and pages that the caller has already.

use core::panic::Location;

use super::ioremap::alignment;
use super::{Memory, NO_SIZE};
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::mapper::{Frames, Level};
use crate::order::Order;
use crate::page::PageState;
use crate::platform::{Mapping, Platform};
use crate::vm::{AreaKind, Purpose};

/// Pages of a block of the largest order, which a large page maps.
const LARGE: usize = Order::MAX.pages() as usize;

impl<P: Platform> Memory<P> {
    /// [`vmalloc`](Self::vmalloc), filled with zeros.
    #[track_caller]
    pub fn vzalloc(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        let area = self.build_area("vzalloc", size, GfpFlags::KERNEL | GfpFlags::HIGHMEM, caller)?;
        (0..area.pages).for_each(|page| self.platform.clear_page(area.start.add(page * PAGE_SIZE)));
        Ok(self.open(area))
    }

    /// [`vmalloc`](Self::vmalloc) of pages that ISA DMA reaches, each by itself: below 16 MiB.
    #[track_caller]
    pub fn vmalloc_dma(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.build_area("vmalloc_dma", size, GfpFlags::KERNEL | GfpFlags::DMA, caller).map(|area| self.open(area))
    }

    /// [`vmalloc`](Self::vmalloc) of pages that the direct map shows too: none from HighMem.
    #[track_caller]
    pub fn vmalloc_32(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.build_area("vmalloc_32", size, GfpFlags::KERNEL, caller).map(|area| self.open(area))
    }

    /// [`vmalloc`](Self::vmalloc) of pages taken with these flags. The descriptor and the page tables are taken with
    /// GFP_KERNEL all the same: process context only.
    #[track_caller]
    pub fn __vmalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.build_area("__vmalloc", size, gfp, caller).map(|area| self.open(area))
    }

    /// [`vmalloc`](Self::vmalloc) by blocks of 2 MiB as far as there are any, each mapped by one large page; the rest page
    /// by page.
    #[track_caller]
    pub fn vmalloc_huge(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        const CALL: &str = "vmalloc_huge";
        let (caller, gfp) = (Location::caller(), GfpFlags::KERNEL | GfpFlags::HIGHMEM);
        self.check_may_sleep(CALL, caller)?;
        let pages = self.check_pages(CALL, size, caller)?;
        let align = if pages < LARGE { PAGE_SIZE } else { Level::Two.bytes() };
        let area = self.reserve_area(CALL, (pages, align), AreaKind::Vmalloc, caller)?;
        let whole = pages / LARGE;
        let filled = (0..whole).try_for_each(|nth| {
            if self.place_block(area.start.add(nth * LARGE * PAGE_SIZE), gfp, caller) {
                return Ok(());
            }
            self.populate(area, nth * LARGE..(nth + 1) * LARGE, gfp, caller)
        });
        filled
            .and_then(|()| self.populate(area, whole * LARGE..pages, gfp, caller))
            .inspect_err(|_| self.dissolve(area))?;
        Ok(self.open(area))
    }

    /// Maps a block of 2 MiB to `at`, if there is one at once.
    fn place_block(&'static self, at: VirtAddr, gfp: GfpFlags, caller: &'static Location<'static>) -> bool {
        let admitted = self.platform.admits(Order::MAX);
        let Some(block) = admitted.then(|| self.alloc_admitted(gfp, Order::MAX)).flatten() else { return false };
        let range = PfnRange::new(block, block.add(Order::MAX.pages()));
        let mapped = self.map_all("vmalloc_huge", at, Frames::Run(range), Mapping::Memory, caller) == LARGE;
        if !mapped {
            let freed = self.release_frames(block, Order::MAX);
            debug_assert!(freed.is_ok());
        }
        mapped
    }

    /// Makes contiguous addresses of pages that the caller has and keeps, by large pages if they are neighbours and aligned.
    /// Refused: no pages, a frame that is free or no memory, a context that may not sleep. Undo it with
    /// [`vunmap`](Self::vunmap).
    #[track_caller]
    pub fn vmap(&'static self, pages: &[Pfn]) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.check_may_sleep("vmap", caller)?;
        let free = |&frame: &Pfn| {
            let block = self.map.block_of(frame);
            self.map.get(frame).is_none() || matches!(block, Some((_, PageState::Free(_) | PageState::Parked(_))))
        };
        let Some(&first) = pages.first() else { return Err(self.refuse("vmap", "no pages", caller)) };
        if pages.iter().any(free) {
            return Err(self.refuse("vmap", "a frame is free or no memory", caller));
        }
        let range = PfnRange::new(first, first.add(pages.len() as u32));
        let neighbours = pages.windows(2).all(|two| two[0].add(1) == two[1]);
        let (frames, align) =
            if neighbours { (Frames::Run(range), alignment(range)) } else { (Frames::Each(pages), PAGE_SIZE) };
        let area = self.reserve_area("vmap", (pages.len(), align), AreaKind::Vmap, caller)?;
        if self.map_all("vmap", area.start, frames, Mapping::Memory, caller) < pages.len() {
            self.dissolve(area);
            return Err(AllocError);
        }
        Ok(self.open(area))
    }

    /// Undoes [`vmap`](Self::vmap); the pages stay their owner's, who may free them at once: no TLB shows them any more. May
    /// sleep: process context only. Errors as [`vfree`](Self::vfree).
    #[track_caller]
    pub fn vunmap(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        let caller = Location::caller();
        if addr.as_usize() == 0 {
            return Ok(());
        }
        self.check_may_sleep("vunmap", caller).map_err(|_| FreeError::WrongContext)?;
        if addr.page_offset() != 0 {
            return Err(self.bad_free("vunmap", addr, FreeError::Misaligned, caller));
        }
        self.free_area("vunmap", addr, Purpose::Vmap, caller)?;
        self.vm_unmap_aliases();
        Ok(())
    }

    /// The pages that `size` bytes take, if the machine has so many.
    pub(super) fn check_pages(
        &self,
        call: &'static str,
        size: usize,
        caller: &'static Location<'static>,
    ) -> Result<usize, AllocError> {
        let pages = size.div_ceil(PAGE_SIZE);
        let possible = pages > 0 && pages <= self.managed_pages();
        if possible { Ok(pages) } else { Err(self.refuse(call, NO_SIZE, caller)) }
    }
}
