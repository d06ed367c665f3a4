//! Freeing pages: into this CPU's magazines, or else to their zone.

use super::PageAllocator;
use super::percpu::BULK_RUN;
use super::zeroing::ZeroPages;
use super::zone::Zone;
use crate::addr::{Pfn, PfnRange, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::{BlockChain, BlockKey, Page, PageState, Whose, Word};
use crate::platform::{Lock, Platform};
use crate::report::Call;
use crate::tag::Tag;

impl<P: Platform> PageAllocator<P> {
    /// Frees a block by its first frame. Never sleeps; any context. A wrong free is reported.
    #[inline]
    pub(crate) fn free_frames(&self, frame: Pfn, order: Order, call: Call) -> Result<(), FreeError> {
        self.free_block(frame, order, Tag::None).map_err(|error| self.bad_frame(call, frame, error))
    }

    /// Frees a block by its address, unless that is 0. Never sleeps; any context. A wrong free is reported.
    #[inline]
    pub(crate) fn free_pages(&self, addr: VirtAddr, order: Order, call: Call) -> Result<(), FreeError> {
        if addr.as_usize() == 0 {
            return Ok(());
        }
        let freed = match self.direct.frame_at(addr) {
            Some(frame) if addr.page_offset() == 0 => self.free_block(frame, order, Tag::None),
            Some(frame) if self.map().get(frame).is_some() => Err(FreeError::Misaligned),
            _ => Err(FreeError::Wild),
        };
        freed.map_err(|error| self.bad_free(call, addr, None, error))
    }

    /// Frees single pages; returns how many were refused, each with a report. Never sleeps; any context.
    ///
    /// # Safety
    /// Those that are live are the caller's, and nobody uses them any more.
    #[track_caller]
    pub unsafe fn free_pages_bulk(&self, pages: &[Pfn]) -> usize {
        let call = Call::here(&"__free_pages");
        let (mut rest, mut refused) = (pages, 0);
        while !rest.is_empty() {
            let cached = self.free_cached_run(&rest[..rest.len().min(BULK_RUN)]);
            rest = &rest[cached..];
            if cached == 0 {
                refused += usize::from(self.free_frames(rest[0], Order::ZERO, call).is_err());
                rest = &rest[1..];
            }
        }
        refused
    }

    /// Frees blocks that the caller owns, whatever their tags, and that no TLB shows any more; most are single pages.
    pub(crate) fn free_chain(&self, mut chain: BlockChain) {
        while chain.len() > 0 {
            if self.free_cached_chain(&mut chain, BULK_RUN) == 0 {
                chain = self.free_chain_to_zone(chain);
            }
        }
    }

    /// Frees the first blocks of a chain that no magazine takes, single pages of a zone together; returns the others.
    #[cold]
    #[inline(never)]
    fn free_chain_to_zone(&self, mut chain: BlockChain) -> BlockChain {
        let Some(first) = chain.first() else { return chain };
        let (kind, before) = (self.direct.zone_of(first), chain.len());
        if !self.zeroing.is_wanted_at(ZeroPages::ON_FREE | ZeroPages::POISON) {
            self.with_zone(kind, |zone| self.free_singles(&mut chain, kind, zone));
            self.wake_waiters();
        }
        if chain.len() == before
            && let Some(block) = chain.pop(self.map())
        {
            // A large block, a page with further references, or pages are filled when they are freed.
            let order = self.block_order(block).unwrap_or(Order::ZERO);
            let freed = self.free_block(block, order, self.map().at(block).tag());
            debug_assert!(freed.is_ok());
        }
        chain
    }

    /// Frees single pages of a chain to their zone, up to the first that is none, or of another zone.
    fn free_singles(&self, chain: &mut BlockChain, kind: ZoneKind, zone: &mut Zone) {
        for _ in 0..BULK_RUN {
            let mut rest = *chain;
            let Some(frame) = rest.pop(self.map()) else { break };
            let key = self.map().at(frame).word().owned_key(Order::ZERO);
            if key.is_none_or(|key| key.zone() != kind) {
                break;
            }
            self.platform.on_free(frame, Order::ZERO, kind);
            zone.free(self.map(), frame, Order::ZERO);
            *chain = rest;
        }
    }

    /// Frees a run of pages, a part of an allocated block that the caller owns, in blocks aligned to their size.
    pub(crate) fn free_run(&self, run: PfnRange) {
        let mut at = run.start;
        while at < run.end {
            let order = Order::largest_at(at.as_u32(), run.end.as_u32() - at.as_u32());
            let key = BlockKey::new(self.direct.zone_of(at), order);
            self.map().at(at).set_word(Word::allocated(key, Tag::None));
            let freed = self.free_block(at, order, Tag::None);
            debug_assert!(freed.is_ok());
            at = at.add(order.pages());
        }
    }

    /// Takes one more reference to the block that starts at `frame`, tagged or not. Returns whether there is one.
    pub(crate) fn get_page(&self, frame: Pfn) -> bool {
        self.map().get(frame).is_some_and(|page| match page.state() {
            PageState::Allocated(_) => self.zone(self.direct.zone_of(frame)).with(|_| page.get()),
            _ => false,
        })
    }

    /// Takes one more reference to a block, for a caller that has one: no lock is needed. Whether it could be counted.
    #[inline]
    pub(crate) fn get_another(&self, frame: Pfn) -> bool {
        self.map().at(frame).get()
    }

    /// References to a block, for a caller that has one.
    #[inline]
    pub(crate) fn references(&self, frame: Pfn) -> u32 {
        self.map().at(frame).count()
    }

    /// The order of the allocated block that starts at `frame`.
    pub(crate) fn block_order(&self, frame: Pfn) -> Option<Order> {
        match self.map().get(frame)?.state() {
            PageState::Allocated(order) => Some(order),
            _ => None,
        }
    }

    /// Checks a block with this tag and frees it: calls no other function if the tag is none and this CPU's magazines
    /// have room.
    #[inline]
    pub(crate) fn free_block(&self, frame: Pfn, order: Order, tag: Tag) -> Result<(), FreeError> {
        let page = self.map().get(frame).ok_or(FreeError::Wild)?;
        if tag == Tag::None && self.push_cached(frame, page, order) {
            return Ok(());
        }
        self.free_uncached(frame, page, order, tag)
    }

    /// Frees a block to this CPU's magazines, after a trade if they are full, or else to its zone.
    #[cold]
    #[inline(never)]
    fn free_uncached(&self, frame: Pfn, page: &Page, order: Order, tag: Tag) -> Result<(), FreeError> {
        if tag == Tag::None && self.free_cached(frame, page, order) {
            return Ok(());
        }
        self.free_to_zone(frame, page, order, tag)
    }

    /// Gives one reference to a block back, and with the last one the block to its zone.
    pub(super) fn free_to_zone(&self, frame: Pfn, page: &Page, order: Order, tag: Tag) -> Result<(), FreeError> {
        if self.zeroing.is_wanted_at(ZeroPages::ON_FREE | ZeroPages::POISON) {
            self.free_filled(frame, page, order, tag)?;
        } else {
            self.drop_reference(frame, page, order, tag, |zone| zone.free(self.map(), frame, order))?;
        }
        self.wake_waiters();
        Ok(())
    }

    /// Gives one reference to a block back, and with the last one fills the block before its zone gets it.
    #[cold]
    #[inline(never)]
    fn free_filled(&self, frame: Pfn, page: &Page, order: Order, tag: Tag) -> Result<(), FreeError> {
        let kind = self.direct.zone_of(frame);
        // Cached, but in no magazine: no allocation finds it until it is filled.
        let hide = |_: &mut Zone| page.set_word(Word::cached(BlockKey::new(kind, order)));
        if self.drop_reference(frame, page, order, tag, hide)? {
            // It fails only where the platform breaks its promise to give every caller a CPU with windows.
            let _: Result<(), AllocError> = if self.zeroing.is_wanted_at(ZeroPages::POISON) {
                self.poison_block(frame, order)
            } else {
                self.clear_block(frame, order)
            };
            self.with_zone(kind, |zone| zone.free(self.map(), frame, order));
        }
        Ok(())
    }

    /// Gives one reference to a block back, and with the last one `put`s the block into its zone. Says whether it was
    /// the last.
    ///
    /// Any caller may give back a reference beside the owner's. With the owner's own one the tag goes.
    #[inline]
    fn drop_reference(
        &self,
        frame: Pfn,
        page: &Page,
        order: Order,
        tag: Tag,
        put: impl FnOnce(&mut Zone),
    ) -> Result<bool, FreeError> {
        let kind = self.direct.zone_of(frame);
        self.with_zone(kind, |zone| {
            if page.state() != PageState::Allocated(order) {
                return Err(self.map().explain(frame));
            }
            let is_owner = tag == page.tag();
            let whose = if is_owner { Whose::Owners } else { Whose::Another };
            if page.is_shared() && self.put_shared(frame, page, whose) {
                return Ok(false);
            }
            if !is_owner {
                return Err(FreeError::Owned(page.tag()));
            }
            self.platform.on_free(frame, order, kind);
            put(zone);
            Ok(true)
        })
    }

    /// Wakes the waiters, if there are any, to try again.
    pub(super) fn wake_waiters(&self) {
        if self.waiters.any() {
            self.platform.wake_waiters();
        }
    }
}
