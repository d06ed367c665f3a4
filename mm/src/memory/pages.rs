//! Whole pages: alloc_pages, get_free_pages and their kin.
//!
//! (Chapter: "get_free_page and Friends".)

use core::panic::Location;
use core::sync::atomic::Ordering::Relaxed;

use super::Memory;
use crate::addr::{Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::{GfpFlags, ZoneKind};
use crate::order::Order;
use crate::page::{Page, PageState, Word};
use crate::platform::{Lock, Platform, Report};
use crate::zone::Granted;

/// How often a request that may sleep tries again although nothing could be reclaimed.
const RETRIES: usize = 16;
/// The same for blocks of several pages, where waiting helps less.
const RETRIES_LARGE: usize = 2;

impl<P: Platform> Memory<P> {
    /// Allocates 2^`order` physically contiguous pages; their content is undefined.
    ///
    /// Sleeps if `gfp` has [`GfpFlags::WAIT`] and memory is short; refused where the caller may not sleep then.
    /// Free it with [`free_frames`](Self::free_frames).
    #[track_caller]
    pub fn alloc_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<Pfn, AllocError> {
        let caller = Location::caller();
        self.check_context("alloc_pages", gfp, caller)?;
        self.alloc_frames(gfp, order, caller)
    }

    /// Allocates 2^`order` contiguous pages and returns the address of the first, aligned to the block's size.
    ///
    /// `__get_free_pages` of the chapter. Context as [`alloc_pages`](Self::alloc_pages). Content undefined.
    #[track_caller]
    pub fn get_free_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.check_addressable("__get_free_pages", gfp, caller)?;
        self.check_context("__get_free_pages", gfp, caller)?;
        self.alloc_frames(gfp, order, caller).map(|frame| self.virt(frame))
    }

    /// Allocates one page filled with zeros. Context as [`alloc_pages`](Self::alloc_pages).
    #[track_caller]
    pub fn get_zeroed_page(&'static self, gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.check_addressable("get_zeroed_page", gfp, caller)?;
        self.check_context("get_zeroed_page", gfp, caller)?;
        if let Some(frame) = self.take_cleared(gfp) {
            return Ok(self.virt(frame));
        }
        let page = self.virt(self.alloc_frames(gfp, Order::ZERO, caller)?);
        self.platform.clear_page(page);
        Ok(page)
    }

    /// Allocates single pages until `pages` is full and returns how many that were: fewer only when memory ran out.
    /// Context as [`alloc_pages`](Self::alloc_pages).
    #[track_caller]
    pub fn alloc_pages_bulk(&'static self, gfp: GfpFlags, pages: &mut [Pfn]) -> usize {
        let caller = Location::caller();
        if self.check_context("alloc_pages_bulk", gfp, caller).is_err() {
            return 0;
        }
        let fill = |page: &mut Pfn| self.alloc_frames(gfp, Order::ZERO, caller).map(|frame| *page = frame);
        pages.iter_mut().map_while(|page| fill(page).ok()).count()
    }

    /// Frees single pages; returns how many were refused. Each refusal is reported. Never sleeps; any context.
    #[track_caller]
    pub fn free_pages_bulk(&self, pages: &[Pfn]) -> usize {
        pages.iter().filter(|&&page| self.free_frames(page, Order::ZERO).is_err()).count()
    }

    /// [`get_free_pages`](Self::get_free_pages) from memory that ISA DMA reaches, below 16 MiB.
    #[track_caller]
    pub fn get_dma_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<VirtAddr, AllocError> {
        self.get_free_pages(gfp | GfpFlags::DMA, order)
    }

    /// Frees a block from [`alloc_pages`](Self::alloc_pages) by its first frame. Never sleeps; any context.
    ///
    /// A block with further references ([`get_page`](Self::get_page)) is freed when the last one goes. Anything but
    /// an allocated block of this very order is reported and left as it was.
    #[track_caller]
    pub fn free_frames(&self, frame: Pfn, order: Order) -> Result<(), FreeError> {
        let caller = Location::caller();
        self.release_frames(frame, order)
            .map_err(|error| self.bad_free("__free_pages", self.virt(frame), error, caller))
    }

    /// Frees a block from [`get_free_pages`](Self::get_free_pages) by its address. Never sleeps; any context.
    /// Address 0 is accepted and ignored. Errors as [`free_frames`](Self::free_frames).
    #[track_caller]
    pub fn free_pages(&self, addr: VirtAddr, order: Order) -> Result<(), FreeError> {
        if addr.as_usize() == 0 {
            return Ok(());
        }
        let caller = Location::caller();
        let frame = self.frame_of(addr).ok_or(FreeError::Wild);
        let aligned =
            frame.and_then(|frame| if addr.page_offset() == 0 { Ok(frame) } else { Err(FreeError::Misaligned) });
        aligned
            .and_then(|frame| self.release_frames(frame, order))
            .map_err(|error| self.bad_free("free_pages", addr, error, caller))
    }

    /// [`free_pages`](Self::free_pages) of a single page.
    #[track_caller]
    pub fn free_page(&self, addr: VirtAddr) -> Result<(), FreeError> {
        self.free_pages(addr, Order::ZERO)
    }

    /// Takes one more reference to the block that starts at `frame`; each is given back with
    /// [`free_frames`](Self::free_frames). Returns whether `frame` starts an allocated block.
    pub fn get_page(&self, frame: Pfn) -> bool {
        self.map.get(frame).is_some_and(|page| match page.state() {
            PageState::Allocated(_) => self.zone(self.zone_of(frame)).with(|_| page.get()),
            _ => false,
        })
    }

    /// The order of the allocated block that starts at `frame`.
    pub(crate) fn block_order(&self, frame: Pfn) -> Option<Order> {
        match self.map.get(frame)?.state() {
            PageState::Allocated(order) => Some(order),
            _ => None,
        }
    }

    /// Allocation behind the context check: a leaf of the call tree, unless this CPU's magazines are empty.
    #[inline]
    pub(super) fn alloc_frames(
        &'static self,
        gfp: GfpFlags,
        order: Order,
        caller: &'static Location<'static>,
    ) -> Result<Pfn, AllocError> {
        if !self.platform.admits(order) {
            return self.alloc_slow(gfp, order, caller);
        }
        let first = self.first_zone(gfp);
        match self.pop_cached(first, order) {
            Some(frame) => {
                self.platform.on_alloc(frame, order, first);
                Ok(frame)
            }
            None => self.alloc_uncached(gfp, order, caller),
        }
    }

    #[cold]
    #[inline(never)]
    fn alloc_uncached(
        &'static self,
        gfp: GfpFlags,
        order: Order,
        caller: &'static Location<'static>,
    ) -> Result<Pfn, AllocError> {
        match self.alloc_admitted(gfp, order) {
            Some(frame) => Ok(frame),
            None => self.alloc_slow(gfp, order, caller),
        }
    }

    /// From this CPU's magazines, filled if need be, or else from the zones.
    fn alloc_admitted(&'static self, gfp: GfpFlags, order: Order) -> Option<Pfn> {
        let first = self.first_zone(gfp);
        if let Some(frame) = self.alloc_cached(first, order) {
            self.platform.on_alloc(frame, order, first);
            return Some(frame);
        }
        self.alloc_from_zones(gfp, order)
    }

    /// One walk over the zonelist.
    #[cold]
    fn alloc_from_zones(&'static self, gfp: GfpFlags, order: Order) -> Option<Pfn> {
        for &kind in gfp.zones() {
            let alloc = || self.with_zone(kind, |zone| zone.alloc(&self.map, order, gfp.priority()));
            let granted = match alloc() {
                // What freed areas left behind and what this CPU has set aside is free memory too.
                Granted::Refused if self.vm_unmap_aliases() + self.drain_own_magazines() > 0 => alloc(),
                granted => granted,
            };
            let frame = match granted {
                Granted::Refused => continue,
                Granted::Plenty(frame) => frame,
                Granted::Scarce(frame) => {
                    self.drain_own_magazines();
                    self.platform.wake_reclaimer();
                    frame
                }
            };
            self.platform.on_alloc(frame, order, kind);
            return Some(frame);
        }
        None
    }

    /// Memory is short: reclaim and wait if the caller may, else fail. (Spec: the 2.4 decision table, bounded.)
    #[cold]
    #[inline(never)]
    fn alloc_slow(
        &'static self,
        gfp: GfpFlags,
        order: Order,
        caller: &'static Location<'static>,
    ) -> Result<Pfn, AllocError> {
        self.platform.wake_reclaimer();
        if gfp.may_sleep() {
            let mut patience = if order == Order::ZERO { RETRIES } else { RETRIES_LARGE };
            while patience > 0 {
                if self.reclaim(gfp) == 0 {
                    patience -= 1;
                    self.sleep_for_memory(gfp, order);
                }
                let frame = self.platform.admits(order).then(|| self.alloc_admitted(gfp, order)).flatten();
                if let Some(frame) = frame {
                    return Ok(frame);
                }
            }
        }
        self.events.failures.fetch_add(1, Relaxed);
        self.platform.report(&Report::OutOfMemory { order, gfp }, caller);
        Err(AllocError)
    }

    /// Sleeps until a zone might serve the request, or a short while.
    fn sleep_for_memory(&self, gfp: GfpFlags, order: Order) {
        self.events.sleeps.fetch_add(1, Relaxed);
        self.waiters.fetch_add(1, Relaxed);
        self.platform.wait_for_memory(&mut || {
            gfp.zones().iter().any(|&kind| self.zone(kind).with(|zone| zone.would_grant(order, gfp.priority())))
        });
        self.waiters.fetch_sub(1, Relaxed);
    }

    /// Checks a block and gives it back: a leaf of the call tree, if this CPU's magazines have room.
    #[inline]
    pub(crate) fn release_frames(&self, frame: Pfn, order: Order) -> Result<(), FreeError> {
        let page = self.map.get(frame).ok_or(FreeError::Wild)?;
        // By the frame, not by the entry: a wrong free may race with the allocation of the same page elsewhere.
        let kind = self.zone_of(frame);
        if page.word() == Word::new(PageState::Allocated(order), kind) && self.push_cached(frame, order, kind) {
            return Ok(());
        }
        self.release_uncached(frame, order, kind)
    }

    /// Gives a block to this CPU's magazines, emptied if need be, or else to its zone.
    #[cold]
    #[inline(never)]
    fn release_uncached(&self, frame: Pfn, order: Order, kind: ZoneKind) -> Result<(), FreeError> {
        let allocated = self.map.at(frame).word() == Word::new(PageState::Allocated(order), kind);
        if allocated && self.free_cached(frame, order, kind) {
            Ok(())
        } else {
            self.release_to_zone(frame, order, kind)
        }
    }

    fn release_to_zone(&self, frame: Pfn, order: Order, kind: ZoneKind) -> Result<(), FreeError> {
        let page = self.map.at(frame);
        self.with_zone(kind, |zone| {
            if page.state() != PageState::Allocated(order) {
                return Err(self.explain(frame, page));
            }
            if !page.put_shared() {
                self.platform.on_free(frame, order, kind);
                zone.free(&self.map, frame, order);
            }
            Ok(())
        })?;
        if self.waiters.load(Relaxed) > 0 {
            self.platform.wake_waiters();
        }
        Ok(())
    }

    /// Why `frame` is not the start of an allocated block of the order that was given.
    fn explain(&self, frame: Pfn, page: &Page) -> FreeError {
        match page.state() {
            PageState::Allocated(_) => FreeError::WrongOrder,
            PageState::Free(_) | PageState::Parked(_) => FreeError::DoubleFree,
            PageState::SlabHead(_) | PageState::SlabTail => FreeError::SlabPage,
            PageState::Inner => match self.map.block_of(frame) {
                Some((_, PageState::Free(_) | PageState::Parked(_))) => FreeError::DoubleFree,
                Some((_, PageState::SlabHead(_))) => FreeError::SlabPage,
                Some(_) => FreeError::Interior,
                None => FreeError::Reserved,
            },
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn bad_free(
        &self,
        call: &'static str,
        addr: VirtAddr,
        error: FreeError,
        caller: &'static Location<'static>,
    ) -> FreeError {
        self.events.bad_frees.fetch_add(1, Relaxed);
        self.platform.report(&Report::BadFree { call, addr, cache: None, error }, caller);
        error
    }
}
