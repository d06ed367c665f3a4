//! vmalloc, vfree and their kin: neighbouring addresses on scattered pages.

use core::ops::Range;

use super::AreaAllocator;
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::areas::area::{AreaKind, AreaRef, Fit, Owner, Purpose};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::mapper::Mapping;
use crate::mapper::{Frames, Level};
use crate::order::Order;
use crate::platform::Platform;
use crate::report::Call;
use crate::tag::Tag;

/// Frames that are allocated at once, in an array on the stack.
const BATCH: usize = 64;
/// Pages of a block of the largest order, which a large page maps.
const LARGE: usize = Order::MAX.pages() as usize;

impl<P: Platform> AreaAllocator<P> {
    /// Allocates at least `size` bytes of contiguous addresses; each page is allocated by itself, with these flags.
    /// Descriptor and page tables are allocated with GFP_KERNEL: process context only. Content undefined.
    #[inline]
    pub(crate) fn vmalloc(&'static self, size: usize, gfp: GfpFlags, call: Call) -> Result<VirtAddr, AllocError> {
        self.build_area(size, gfp, Tag::Vmalloc, call).map(|area| self.open(area))
    }

    /// [`vmalloc`](Self::vmalloc) for a value that keeps the descriptor.
    pub(crate) fn vmalloc_area(&'static self, size: usize, gfp: GfpFlags, call: Call) -> Result<AreaRef, AllocError> {
        let area = self.build_area(size, gfp, Tag::Value, call)?;
        self.open(area);
        Ok(area)
    }

    /// [`vmalloc`](crate::Memory::vmalloc) for an owner of its own: pages and area have this tag. Nobody but
    /// [`vfree_tagged`](Self::vfree_tagged) with the same tag frees it. Refused: no tag, with which anybody frees the
    /// pages, and that of values.
    ///
    /// # Errors
    /// As vmalloc. What is refused is reported.
    #[track_caller]
    pub fn vmalloc_tagged(&'static self, size: usize, tag: Tag) -> Result<VirtAddr, AllocError> {
        let (call, gfp) = (Call::here(&"vmalloc"), GfpFlags::KERNEL | GfpFlags::HIGHMEM);
        if matches!(tag, Tag::None | Tag::Value) {
            return Err(self.pages.refuse(call, "the tag is no owner's"));
        }
        self.build_area(size, gfp, tag, call).map(|area| self.open(area))
    }

    /// [`vmalloc`](Self::vmalloc), filled with zeros.
    pub(crate) fn vzalloc(&'static self, size: usize, gfp: GfpFlags, call: Call) -> Result<VirtAddr, AllocError> {
        let area = self.build_area(size, gfp, Tag::Vmalloc, call)?;
        (0..area.pages).for_each(|page| self.platform().clear_page(area.start.add(page * PAGE_SIZE)));
        Ok(self.open(area))
    }

    /// [`vmalloc`](Self::vmalloc) at a multiple of `align`, a power of two, for the owner of this tag.
    pub(crate) fn vmalloc_aligned(
        &'static self,
        size: usize,
        align: usize,
        gfp: GfpFlags,
        tag: Tag,
        call: Call,
    ) -> Result<VirtAddr, AllocError> {
        if !align.is_power_of_two() {
            return Err(self.pages.refuse(call, "the alignment is no power of two"));
        }
        let area = if align <= PAGE_SIZE {
            self.build_area(size, gfp, tag, call)?
        } else {
            let pages = self.check_size(size, call)?;
            let area = self.reserve_aligned(Fit { pages, align }, AreaKind::Vmalloc, tag, call)?;
            self.populate(area, 0..pages, gfp, tag, call).inspect_err(|_| self.undo(area))?;
            area
        };
        Ok(self.open(area))
    }

    /// [`vmalloc`](crate::Memory::vmalloc) by blocks of 2 MiB as far as there are any, each mapped by one large page;
    /// the rest page by page.
    ///
    /// # Errors
    /// As vmalloc.
    #[track_caller]
    pub fn vmalloc_huge(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        let (call, gfp) = (Call::here(&"vmalloc_huge"), GfpFlags::KERNEL | GfpFlags::HIGHMEM);
        let pages = self.check_size(size, call)?;
        let align = if pages < LARGE { PAGE_SIZE } else { Level::Two.bytes() };
        let area = self.reserve_area(Fit { pages, align }, AreaKind::Vmalloc, Tag::Vmalloc, call)?;
        let whole = pages / LARGE;
        let filled = (0..whole).try_for_each(|nth| {
            if self.place_block(area.start.add(nth * LARGE * PAGE_SIZE), gfp, call) {
                return Ok(());
            }
            self.populate(area, nth * LARGE..(nth + 1) * LARGE, gfp, Tag::Vmalloc, call)
        });
        filled
            .and_then(|()| self.populate(area, whole * LARGE..pages, gfp, Tag::Vmalloc, call))
            .inspect_err(|_| self.undo(area))?;
        Ok(self.open(area))
    }

    /// Frees an area from [`vmalloc`](Self::vmalloc). May sleep: process context only. Address 0 is accepted and
    /// ignored; a wrong free is reported.
    #[inline]
    pub(crate) fn vfree(&'static self, addr: VirtAddr, call: Call) -> Result<(), FreeError> {
        self.free_at(addr, addr, Owner::VFREE, call)
    }

    /// [`vfree`](crate::Memory::vfree) of an area from [`vmalloc_tagged`](Self::vmalloc_tagged), by its tag alone.
    ///
    /// # Errors
    /// As vfree; another tag than the area has.
    #[track_caller]
    pub fn vfree_tagged(&'static self, addr: VirtAddr, tag: Tag) -> Result<(), FreeError> {
        // What belongs to values has an owner that is nobody here: no area of vmalloc is without a tag.
        let tag = if tag == Tag::Value { Tag::None } else { tag };
        self.free_at(addr, addr, Owner { purpose: Purpose::Vmalloc, tag }, Call::here(&"vfree"))
    }

    /// Frees the area of a value that is dropped.
    #[track_caller]
    pub(crate) fn vfree_value(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.free_at(addr, addr, Owner::VALUE, Call::here(&"vfree"))
    }

    /// Takes a range for `size` bytes and gives each page of it a frame of its own. It cannot be freed before it is
    /// opened.
    #[inline]
    fn build_area(&'static self, size: usize, gfp: GfpFlags, tag: Tag, call: Call) -> Result<AreaRef, AllocError> {
        let pages = self.check_size(size, call)?;
        let area = self.reserve_area(Fit::pages(pages), AreaKind::Vmalloc, tag, call)?;
        self.populate(area, 0..pages, gfp, tag, call).inspect_err(|_| self.undo(area))?;
        Ok(area)
    }

    /// The pages that `size` bytes take, if the machine has so many and the caller may sleep.
    #[inline]
    pub(super) fn check_size(&self, size: usize, call: Call) -> Result<usize, AllocError> {
        self.pages.check_may_sleep(call)?;
        let pages = size.div_ceil(PAGE_SIZE);
        if pages > 0 && pages <= self.pages.managed_pages() {
            return Ok(pages);
        }
        Err(self.pages.refuse(call, "size is zero or exceeds the machine's memory"))
    }

    /// Gives some pages of an area frames of their own. After a failure some have one.
    #[inline(always)]
    pub(super) fn populate(
        &'static self,
        area: AreaRef,
        pages: Range<usize>,
        gfp: GfpFlags,
        tag: Tag,
        call: Call,
    ) -> Result<(), AllocError> {
        let mut frames = [Pfn::new(0); BATCH];
        let mut done = pages.start;
        while done < pages.end {
            let wanted = (pages.end - done).min(BATCH);
            let taken = self.pages.alloc_bulk(gfp, tag, &mut frames[..wanted], call);
            let (at, all) = (area.start.add(done * PAGE_SIZE), Frames::Each(&frames[..taken]));
            let mapped =
                if taken == wanted { self.tables.map(at, all, Mapping::Memory, call) } else { Err(AllocError) };
            mapped.inspect_err(|_| self.free_unmapped(&frames[..taken], tag))?;
            done += wanted;
        }
        Ok(())
    }

    /// Frees the pages of a batch, none of which is mapped.
    #[cold]
    fn free_unmapped(&self, frames: &[Pfn], tag: Tag) {
        for &frame in frames {
            let freed = self.pages.free_block(frame, Order::ZERO, tag);
            debug_assert!(freed.is_ok());
        }
    }

    /// Allocates a block of 2 MiB without waiting and maps it at `at`; says whether that was possible.
    fn place_block(&'static self, at: VirtAddr, gfp: GfpFlags, call: Call) -> bool {
        let admitted = self.platform().admits(Order::MAX);
        let block = admitted.then(|| self.pages.alloc_admitted(gfp, Order::MAX, Tag::Vmalloc)).flatten();
        let Some(block) = block else { return false };
        let range = PfnRange::new(block, block.add(Order::MAX.pages()));
        let mapped = self.tables.map(at, Frames::Run(range), Mapping::Memory, call).is_ok();
        if !mapped {
            let freed = self.pages.free_block(block, Order::MAX, Tag::Vmalloc);
            debug_assert!(freed.is_ok());
        }
        mapped
    }
}
