//! Whole pages: alloc_pages, get_free_pages and their kin.
//!
//! (Chapter: "get_free_page and Friends".)

use super::PageAllocator;
use super::percpu::BULK_RUN;
use crate::addr::{Pfn, VirtAddr};
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::page::BlockKey;
use crate::platform::Platform;
use crate::report::Call;
use crate::tag::Tag;

impl<P: Platform> PageAllocator<P> {
    /// Allocates 2^`order` physically contiguous pages; their content is undefined.
    #[inline]
    pub(crate) fn alloc_pages(&'static self, gfp: GfpFlags, order: Order, call: Call) -> Result<Pfn, AllocError> {
        self.check_context(gfp, call)?;
        self.alloc_block(gfp, order, Tag::None, call)
    }

    /// Allocates 2^`order` contiguous pages and returns the address of the first, aligned to the block's size.
    #[inline]
    pub(crate) fn get_free_pages(
        &'static self,
        gfp: GfpFlags,
        order: Order,
        call: Call,
    ) -> Result<VirtAddr, AllocError> {
        self.check_addressable(gfp, call)?;
        self.check_context(gfp, call)?;
        self.alloc_block(gfp, order, Tag::None, call).map(|frame| self.direct.virt(frame))
    }

    /// Allocates one page filled with zeros.
    #[inline]
    pub(crate) fn get_zeroed_page(&'static self, gfp: GfpFlags, call: Call) -> Result<VirtAddr, AllocError> {
        self.check_addressable(gfp, call)?;
        self.check_context(gfp, call)?;
        self.alloc_zeroed(gfp, Tag::None, call).map(|frame| self.direct.virt(frame))
    }

    /// Allocates one page filled with zeros, also from high memory. Context as
    /// [`alloc_pages`](crate::Memory::alloc_pages).
    ///
    /// # Errors
    /// As alloc_pages.
    #[track_caller]
    pub fn alloc_zeroed_page(&'static self, gfp: GfpFlags) -> Result<Pfn, AllocError> {
        let call = Call::here(&"alloc_zeroed_page");
        self.check_context(gfp, call)?;
        self.alloc_zeroed(gfp, Tag::None, call)
    }

    /// Allocates a page of zeros for a page table.
    pub(crate) fn alloc_table(&'static self, call: Call) -> Result<Pfn, AllocError> {
        self.alloc_zeroed(GfpFlags::KERNEL, Tag::PageTable, call)
    }

    /// One page filled with zeros, after the context check.
    #[inline]
    pub(super) fn alloc_zeroed(&'static self, gfp: GfpFlags, tag: Tag, call: Call) -> Result<Pfn, AllocError> {
        if let Some(frame) = self.take_prezeroed(gfp, tag) {
            return Ok(frame);
        }
        let frame = self.alloc_block(gfp, Order::ZERO, tag, call)?;
        if frame < self.direct.highmem_start() {
            self.platform.clear_page(self.direct.virt(frame));
            return Ok(frame);
        }
        self.cleared(frame, Order::ZERO, tag).ok_or(AllocError)
    }

    /// Allocates one page, content undefined, that only who gives this tag frees.
    #[track_caller]
    pub(crate) fn alloc_tagged_page(&'static self, gfp: GfpFlags, tag: Tag) -> Result<Pfn, AllocError> {
        let call = Call::here(&"alloc_pages");
        self.check_context(gfp, call)?;
        self.alloc_block(gfp, Order::ZERO, tag, call)
    }

    /// Allocates single pages until `pages` is full and returns how many that were: fewer only when memory ran out.
    /// Context as [`alloc_pages`](crate::Memory::alloc_pages).
    #[track_caller]
    pub fn alloc_pages_bulk(&'static self, gfp: GfpFlags, pages: &mut [Pfn]) -> usize {
        let call = Call::here(&"alloc_pages_bulk");
        if self.check_context(gfp, call).is_ok() { self.alloc_bulk(gfp, Tag::None, pages, call) } else { 0 }
    }

    /// [`alloc_pages_bulk`](Self::alloc_pages_bulk) of tagged pages, after the context check.
    pub(crate) fn alloc_bulk(&'static self, gfp: GfpFlags, tag: Tag, pages: &mut [Pfn], call: Call) -> usize {
        let key = BlockKey::new(self.first_zone(gfp), Order::ZERO);
        let mut filled = 0;
        while filled < pages.len() {
            let wanted = (pages.len() - filled).min(BULK_RUN);
            let rest = &mut pages[filled..filled + wanted];
            // One check a page: each page comes from a magazine, or is the single page after them.
            let mut admitted = true;
            let admits = |_: &&mut Pfn| {
                admitted = self.platform.admits(Order::ZERO);
                admitted
            };
            let count = self.alloc_cached(key, tag, rest.iter_mut().take_while(admits));
            rest[..count].iter().for_each(|&frame| self.platform.on_alloc(frame, Order::ZERO, key.zone()));
            filled += count;
            if count < wanted {
                let single = if admitted { Self::alloc_uncached } else { Self::alloc_slow };
                let Ok(frame) = single(self, gfp, Order::ZERO, tag, call) else { break };
                pages[filled] = frame;
                filled += 1;
            }
        }
        filled
    }

    /// Allocation after the context check: it calls no other function unless this CPU's magazines are empty.
    #[inline]
    pub(crate) fn alloc_block(
        &'static self,
        gfp: GfpFlags,
        order: Order,
        tag: Tag,
        call: Call,
    ) -> Result<Pfn, AllocError> {
        if !self.platform.admits(order) {
            return self.alloc_slow(gfp, order, tag, call);
        }
        let key = BlockKey::new(self.first_zone(gfp), order);
        match self.pop_cached(key, tag) {
            Some(frame) => {
                self.platform.on_alloc(frame, order, key.zone());
                Ok(frame)
            }
            None => self.alloc_uncached(gfp, order, tag, call),
        }
    }

    #[cold]
    #[inline(never)]
    fn alloc_uncached(&'static self, gfp: GfpFlags, order: Order, tag: Tag, call: Call) -> Result<Pfn, AllocError> {
        match self.alloc_admitted(gfp, order, tag) {
            Some(frame) => {
                self.note_owner(frame, call.at());
                Ok(frame)
            }
            None => self.alloc_slow(gfp, order, tag, call),
        }
    }
}
