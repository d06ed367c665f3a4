//! What is refused, and how that is told: calls in the wrong context, bad arguments, wrong frees.
//!
//! Each is reported once, with who called, and what was refused has changed nothing. Nothing here is called with a lock held.

use core::panic::Location;

use super::Memory;
use super::events::Event;
use crate::addr::{Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::{GfpFlags, ZoneKind};
use crate::page::{Page, PageState};
use crate::platform::{Context, Lock, Platform, Report};
use crate::slab::CacheName;

impl<P: Platform> Memory<P> {
    /// Refuses a call that may sleep where the caller may not, whether or not it would have slept.
    #[inline]
    pub(super) fn check_context(
        &self,
        call: &'static str,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        // In this order: where everybody may sleep, the flags need not be looked at.
        if !self.platform.may_sleep() && gfp.may_sleep() {
            return Err(self.wrong_context(call, self.platform.context(), caller));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn check_may_sleep(
        &self,
        call: &'static str,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        if self.platform.may_sleep() { Ok(()) } else { Err(self.wrong_context(call, self.platform.context(), caller)) }
    }

    #[cold]
    #[inline(never)]
    fn wrong_context(&self, call: &'static str, context: Context, caller: &'static Location<'static>) -> AllocError {
        self.count(Event::WrongContext, 1);
        self.platform.report(&Report::WrongContext { call, context }, caller);
        AllocError
    }

    /// Refuses a request whose result needs an address, but that high memory might serve.
    #[inline]
    pub(super) fn check_addressable(
        &self,
        call: &'static str,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        if self.first_zone(gfp) == ZoneKind::HighMem { self.refuse_high(call, caller) } else { Ok(()) }
    }

    /// Refuses a request for high memory, if there is any.
    #[cold]
    #[inline(never)]
    fn refuse_high(&self, call: &'static str, caller: &'static Location<'static>) -> Result<(), AllocError> {
        let is_empty = self.zone(ZoneKind::HighMem).with(|zone| zone.managed() == 0);
        if is_empty { Ok(()) } else { Err(self.refuse(call, "high memory has no address", caller)) }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn refuse(
        &self,
        call: &'static str,
        reason: &'static str,
        caller: &'static Location<'static>,
    ) -> AllocError {
        self.platform.report(&Report::BadArgument { call, reason }, caller);
        AllocError
    }

    /// Why `frame` is not the start of an allocated block of the order that was given.
    pub(super) fn explain(&self, frame: Pfn, page: &Page) -> FreeError {
        match page.state() {
            PageState::Allocated(_) => FreeError::WrongOrder,
            PageState::Free(_) | PageState::Parked(_) => FreeError::DoubleFree,
            PageState::Slab => FreeError::SlabPage,
            PageState::Inner => match self.map.block_of(frame) {
                Some((_, PageState::Free(_) | PageState::Parked(_))) => FreeError::DoubleFree,
                Some(_) => FreeError::Interior,
                None => FreeError::Reserved,
            },
        }
    }

    /// [`bad_free`](Self::bad_free) of a page, named by its address or, in high memory, by its physical one.
    #[cold]
    #[inline(never)]
    pub(super) fn bad_frame(
        &self,
        call: &'static str,
        frame: Pfn,
        error: FreeError,
        caller: &'static Location<'static>,
    ) -> FreeError {
        let addr = self.page_address(frame).unwrap_or(VirtAddr::new(frame.phys().as_u64() as usize));
        self.bad_free(call, addr, error, caller)
    }

    /// Reports a wrong free of memory that is no object.
    #[cold]
    #[inline(never)]
    pub(super) fn bad_free(
        &self,
        call: &'static str,
        addr: VirtAddr,
        error: FreeError,
        caller: &'static Location<'static>,
    ) -> FreeError {
        self.report_bad_free(call, (addr, None), error, caller)
    }

    /// Reports a wrong free of an object, with the name of the cache whose slab it points into, if it does.
    #[cold]
    #[inline(never)]
    pub(super) fn bad_object(
        &self,
        call: &'static str,
        addr: VirtAddr,
        error: FreeError,
        caller: &'static Location<'static>,
    ) -> FreeError {
        let name = self.slab_of(addr).map(|slab| self.owner(slab).name);
        self.report_bad_free(call, (addr, name.as_ref().ok()), error, caller)
    }

    fn report_bad_free(
        &self,
        call: &'static str,
        (addr, cache): (VirtAddr, Option<&CacheName>),
        error: FreeError,
        caller: &'static Location<'static>,
    ) -> FreeError {
        self.count(Event::BadFree, 1);
        self.platform.report(&Report::BadFree { call, addr, cache: cache.map(CacheName::as_str), error }, caller);
        error
    }
}
