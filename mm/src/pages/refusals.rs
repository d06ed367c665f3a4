//! Refusals and their reports: wrong contexts, bad arguments, wrong frees.
//!
//! Each is reported once, with its caller, and has changed nothing. Nothing here is called with a lock held.

use core::panic::Location;

use super::PageAllocator;
use super::events::Event;
use crate::addr::{Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::{GfpFlags, ZoneKind};
use crate::platform::{Cpus, Lock, Pinned, Platform};
use crate::report::{Call, Incident, Report};

impl<P: Platform> PageAllocator<P> {
    /// Refuses a call that may sleep where the caller may not, whether or not it would have slept.
    #[inline]
    pub(crate) fn check_context(&self, gfp: GfpFlags, call: Call) -> Result<(), AllocError> {
        // In this order: where every caller may sleep, the flags are not read.
        if !self.platform.may_sleep() && gfp.may_sleep() {
            return Err(self.wrong_context(call));
        }
        Ok(())
    }

    /// Refuses a call that may sleep whatever its flags.
    #[inline]
    pub(crate) fn check_may_sleep(&self, call: Call) -> Result<(), AllocError> {
        if self.platform.may_sleep() { Ok(()) } else { Err(self.wrong_context(call)) }
    }

    /// Reports a call that may sleep, made where it may not.
    #[cold]
    #[inline(never)]
    pub(crate) fn wrong_context(&self, call: Call) -> AllocError {
        self.count(Event::WrongContext, 1);
        self.report(call, Incident::WrongContext(self.platform.context()));
        AllocError
    }

    /// Refuses a request whose result needs an address, but that high memory might serve.
    #[inline]
    pub(crate) fn check_addressable(&self, gfp: GfpFlags, call: Call) -> Result<(), AllocError> {
        if self.first_zone(gfp) == ZoneKind::HighMem { self.refuse_high(call) } else { Ok(()) }
    }

    /// Refuses a request for high memory, if there is any.
    #[cold]
    #[inline(never)]
    fn refuse_high(&self, call: Call) -> Result<(), AllocError> {
        let is_empty = self.zone(ZoneKind::HighMem).with(|zone| zone.managed() == 0);
        if is_empty { Ok(()) } else { Err(self.refuse(call, "high memory has no address")) }
    }

    /// Refuses a call whose arguments no state of memory could satisfy.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&self, call: Call, reason: &'static str) -> AllocError {
        self.report(call, Incident::BadArgument(reason));
        AllocError
    }

    /// Reports a wrong free of a page, which is named by its address or, in high memory, by its physical one.
    #[cold]
    #[inline(never)]
    pub(crate) fn bad_frame(&self, call: Call, frame: Pfn, error: FreeError) -> FreeError {
        let physical = VirtAddr::new(frame.phys().as_u64() as usize);
        self.bad_free(call, self.direct.page_address(frame).unwrap_or(physical), None, error)
    }

    /// Reports a wrong free, with the name of the cache that it concerns, if any.
    #[cold]
    #[inline(never)]
    pub(crate) fn bad_free(&self, call: Call, addr: VirtAddr, cache: Option<&str>, error: FreeError) -> FreeError {
        self.bad_object(call, addr, cache, error, None)
    }

    /// [`bad_free`](Self::bad_free) of an object that was freed before, at a place that is known.
    pub(crate) fn bad_object(
        &self,
        call: Call,
        addr: VirtAddr,
        cache: Option<&str>,
        error: FreeError,
        freed: Option<&'static Location<'static>>,
    ) -> FreeError {
        self.count(Event::BadFree, 1);
        self.report(call, Incident::BadFree { addr, cache, error, freed });
        error
    }

    /// Writes a report to the kernel log.
    pub(crate) fn report(&self, call: Call, incident: Incident<'_>) {
        self.platform.report(&Report { call, incident });
    }

    /// Counts `times` events on this CPU.
    pub(super) fn count(&self, event: Event, times: u64) {
        let cpu = self.platform.cpus().pin().map(|pin| pin.cpu());
        self.events.count(cpu, event, times);
    }
}
