//! Whole pages: alloc_pages, get_free_pages and their kin.
//!
//! (Chapter: "get_free_page and Friends".)

use core::panic::Location;

use super::Memory;
use super::events::Event;
use super::sleepers::Place;
use crate::addr::{Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::page::{BlockKey, Page, PageState};
use crate::platform::{Lock, Platform, Report};
use crate::slab::DebugFlags;
use crate::zone::{Granted, Zone};

/// How often a request that may sleep tries again although nothing could be reclaimed.
const RETRIES: usize = 16;
/// The same for blocks of several pages, where waiting helps less.
const RETRIES_LARGE: usize = 2;
/// Single pages that a bulk call takes from the magazines in one go.
const BULK_RUN: usize = 64;

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
        self.alloc_bulk(gfp, pages, caller)
    }

    /// [`alloc_pages_bulk`](Self::alloc_pages_bulk) behind the context check.
    pub(super) fn alloc_bulk(
        &'static self,
        gfp: GfpFlags,
        pages: &mut [Pfn],
        caller: &'static Location<'static>,
    ) -> usize {
        let key = BlockKey::new(self.first_zone(gfp), Order::ZERO);
        let mut filled = 0;
        while filled < pages.len() {
            let wanted = (pages.len() - filled).min(BULK_RUN);
            let rest = &mut pages[filled..filled + wanted];
            // Asked page by page: what is granted is either in a magazine or the next single page.
            let mut admitted = true;
            let admits = |_: &&mut Pfn| {
                admitted = self.platform.admits(Order::ZERO);
                admitted
            };
            let count = self.alloc_cached(key, rest.iter_mut().take_while(admits));
            rest[..count].iter().for_each(|&frame| self.platform.on_alloc(frame, Order::ZERO, key.zone()));
            filled += count;
            if count < wanted {
                let single = if admitted { Self::alloc_uncached } else { Self::alloc_slow };
                let Ok(frame) = single(self, gfp, Order::ZERO, caller) else { break };
                pages[filled] = frame;
                filled += 1;
            }
        }
        filled
    }

    /// Frees single pages; returns how many were refused. Each refusal is reported. Never sleeps; any context.
    #[track_caller]
    pub fn free_pages_bulk(&self, pages: &[Pfn]) -> usize {
        let (mut rest, mut refused) = (pages, 0);
        while !rest.is_empty() {
            let cached = self.free_cached_run(&rest[..rest.len().min(BULK_RUN)]);
            rest = &rest[cached..];
            if cached == 0 {
                refused += usize::from(self.free_frames(rest[0], Order::ZERO).is_err());
                rest = &rest[1..];
            }
        }
        refused
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
        self.release_frames(frame, order).map_err(|error| self.bad_frame("__free_pages", frame, error, caller))
    }

    /// Frees a block from [`get_free_pages`](Self::get_free_pages) by its address. Never sleeps; any context.
    /// Address 0 is accepted and ignored. Errors as [`free_frames`](Self::free_frames).
    #[track_caller]
    pub fn free_pages(&self, addr: VirtAddr, order: Order) -> Result<(), FreeError> {
        if addr.as_usize() == 0 {
            return Ok(());
        }
        let caller = Location::caller();
        let freed = match self.direct_frame(addr) {
            Some(frame) if addr.page_offset() == 0 => self.release_frames(frame, order),
            Some(frame) if self.map.get(frame).is_some() => Err(FreeError::Misaligned),
            _ => Err(FreeError::Wild),
        };
        freed.map_err(|error| self.bad_free("free_pages", addr, error, caller))
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
        let key = BlockKey::new(self.first_zone(gfp), order);
        match self.pop_cached(key) {
            Some(frame) => {
                self.platform.on_alloc(frame, order, key.zone());
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
    pub(super) fn alloc_admitted(&'static self, gfp: GfpFlags, order: Order) -> Option<Pfn> {
        let key = BlockKey::new(self.first_zone(gfp), order);
        let mut frame = [Pfn::new(0)];
        if self.alloc_cached(key, frame.iter_mut()) == 1 {
            self.platform.on_alloc(frame[0], order, key.zone());
            return Some(frame[0]);
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
            let (Granted::Plenty(frame) | Granted::Scarce(frame) | Granted::Reserve(frame)) = granted else { continue };
            self.count(Event::Direct, 1);
            if matches!(granted, Granted::Reserve(_)) {
                self.count(Event::Reserve, 1);
            }
            if !matches!(granted, Granted::Plenty(_)) {
                self.drain_own_magazines();
                self.platform.wake_reclaimer();
            }
            self.platform.on_alloc(frame, order, kind);
            return self.zeroed_if_wanted(frame, order);
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
            let place = self.sleepers.join(gfp, order);
            let frame = self.alloc_in_turn(gfp, order, &place);
            self.sleepers.leave(place);
            // There may be memory for the next in line too.
            self.wake_sleepers();
            if let Some(frame) = frame {
                return Ok(frame);
            }
        }
        self.count(Event::Failure, 1);
        self.with_zone(self.first_zone(gfp), Zone::count_failure);
        self.platform.report(&Report::OutOfMemory { order, gfp }, caller);
        Err(AllocError)
    }

    /// Reclaims, sleeps and tries again, until it is this request's turn and there is memory, or until its patience ends.
    fn alloc_in_turn(&'static self, gfp: GfpFlags, order: Order, place: &Place) -> Option<Pfn> {
        let mut patience = if order == Order::ZERO { RETRIES } else { RETRIES_LARGE };
        let mut stood_back = false;
        while patience > 0 {
            if self.reclaim(gfp) == 0 || stood_back {
                patience -= 1;
                self.sleep_for_memory(gfp, order, place);
            }
            let frame = self.platform.admits(order).then(|| self.alloc_admitted(gfp, order)).flatten();
            let Some(frame) = frame else { continue };
            stood_back = patience > 0 && self.is_wanted_before(place, frame, order, gfp);
            if !stood_back {
                return Some(frame);
            }
            let freed = self.release_frames(frame, order);
            debug_assert!(freed.is_ok());
        }
        None
    }

    /// Sleeps until a zone might serve the request and nobody is before it, or a short while.
    fn sleep_for_memory(&self, gfp: GfpFlags, order: Order, place: &Place) {
        self.count(Event::Sleep, 1);
        self.with_zone(self.first_zone(gfp), Zone::count_sleep);
        self.platform.wait_for_memory(&mut || self.would_grant(gfp, order) && self.is_next(place));
    }

    /// Whether some zone would serve the request now.
    fn would_grant(&self, gfp: GfpFlags, order: Order) -> bool {
        gfp.zones().iter().any(|&kind| self.zone(kind).with(|zone| zone.would_grant(order, gfp.priority())))
    }

    /// Whether nobody who came earlier could be served now.
    fn is_next(&self, place: &Place) -> bool {
        !self.sleepers.before(place).any(|(gfp, order)| self.would_grant(gfp, order))
    }

    /// Whether a block that was got would do for somebody who came earlier: it is that one's then.
    fn is_wanted_before(&self, place: &Place, frame: Pfn, order: Order, gfp: GfpFlags) -> bool {
        let zone = self.zone_of(frame);
        let would_do = |(other, wanted): (GfpFlags, Order)| {
            wanted <= order && other.priority() <= gfp.priority() && other.zones().contains(&zone)
        };
        self.sleepers.before(place).any(would_do)
    }

    /// Lets sleepers look again whether there is memory for them.
    fn wake_sleepers(&self) {
        if self.sleepers.any() {
            self.platform.wake_waiters();
        }
    }

    /// Checks a block and gives it back: a leaf of the call tree, if this CPU's magazines have room.
    #[inline]
    pub(crate) fn release_frames(&self, frame: Pfn, order: Order) -> Result<(), FreeError> {
        let page = self.map.get(frame).ok_or(FreeError::Wild)?;
        if self.push_cached(frame, page, order) { Ok(()) } else { self.release_uncached(frame, page, order) }
    }

    /// Gives a block to this CPU's magazines, emptied if need be, or else to its zone, or explains why it is none.
    #[cold]
    #[inline(never)]
    fn release_uncached(&self, frame: Pfn, page: &Page, order: Order) -> Result<(), FreeError> {
        if self.free_cached(frame, page, order) { Ok(()) } else { self.release_to_zone(frame, page, order) }
    }

    /// Gives one reference to a block back, and with the last one the block to its zone.
    fn release_to_zone(&self, frame: Pfn, page: &Page, order: Order) -> Result<(), FreeError> {
        if self.zeroing.is_wanted_at(DebugFlags::ZERO_ON_FREE) {
            self.release_cleared(frame, page, order)?;
        } else {
            self.drop_reference(frame, page, order, |zone| zone.free(&self.map, frame, order))?;
        }
        self.wake_sleepers();
        Ok(())
    }

    /// Gives one reference to a block back; when it was the last one, the zone `put`s the block away. Says whether it was.
    #[inline]
    pub(super) fn drop_reference(
        &self,
        frame: Pfn,
        page: &Page,
        order: Order,
        put: impl FnOnce(&mut Zone),
    ) -> Result<bool, FreeError> {
        let kind = self.zone_of(frame);
        self.with_zone(kind, |zone| {
            if page.state() != PageState::Allocated(order) {
                return Err(self.explain(frame, page));
            }
            let is_last = !page.put_shared();
            if is_last {
                self.platform.on_free(frame, order, kind);
                put(zone);
            }
            Ok(is_last)
        })
    }
}
