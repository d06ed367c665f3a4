//! Areas are reserved, opened for an owner, closed by the call that frees them.

use core::ptr::NonNull;

use super::AreaAllocator;
use crate::addr::VirtAddr;
use crate::areas::area::{AreaKind, AreaRef, AreaState, Fit, Owner, VmArea};
use crate::areas::area_chain::AreaChain;
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::platform::{Lock, Platform};
use crate::report::Call;
use crate::tag::Tag;

/// Said of areas to a kernel without addresses for them.
const NO_ADDRESSES: &str = "there are no addresses for areas (Config::with_vmalloc)";

impl<P: Platform> AreaAllocator<P> {
    /// Takes a range of addresses that `fit`s, guard page included, with its descriptor. It cannot be freed before it
    /// is opened.
    pub(super) fn reserve_area(
        &'static self,
        fit: Fit,
        kind: AreaKind,
        tag: Tag,
        call: Call,
    ) -> Result<AreaRef, AllocError> {
        let cached = self.pin_ranges().and_then(|own| own.ranges.take(fit.pages));
        let area = match cached {
            Some(area) => area,
            None => self.find_area(fit, call)?,
        };
        area.assign(kind, tag, call.at());
        Ok(area)
    }

    /// [`reserve_area`](Self::reserve_area) at an alignment that the ranges at hand need not have.
    #[cold]
    pub(super) fn reserve_aligned(
        &'static self,
        fit: Fit,
        kind: AreaKind,
        tag: Tag,
        call: Call,
    ) -> Result<AreaRef, AllocError> {
        let area = self.insert_first(fit, call)?;
        area.assign(kind, tag, call.at());
        Ok(area)
    }

    /// Takes a range from the pool or a new one, and adds more to this CPU's for the next callers: others of the pool,
    /// or ranges that follow the new one.
    #[cold]
    #[inline(never)]
    fn find_area(&'static self, fit: Fit, call: Call) -> Result<AreaRef, AllocError> {
        self.take_late_apart();
        let parcel = self.pool.with(|pool| pool.take(fit.pages));
        let (area, more) = match parcel.pop() {
            Some(area) => (area, parcel),
            None => {
                let area = self.insert_first(fit, call)?;
                (area, self.insert_neighbours(area))
            }
        };
        // The caller may run on another CPU by now, which may have no room.
        if !self.pin_ranges().is_some_and(|own| own.ranges.refill(fit.pages, &more)) {
            self.pass_on(&more);
        }
        Ok(area)
    }

    /// Takes a new range.
    fn insert_first(&'static self, fit: Fit, call: Call) -> Result<AreaRef, AllocError> {
        let descriptor = self.objects.take_own(&self.descriptors, GfpFlags::KERNEL, call)?;
        let insert = || self.insert_area(descriptor, fit, |_| true);
        let retry = || {
            self.drain_ranges();
            insert()
        };
        insert().or_else(retry).ok_or_else(|| {
            self.return_descriptor(descriptor);
            self.pages.refuse(call, if self.start == self.end { NO_ADDRESSES } else { "no room in the address range" })
        })
    }

    /// Takes ranges as large as `area` that follow it: as many as are planned, as far as they are the lowest ones, and
    /// the cache of descriptors has free objects.
    fn insert_neighbours(&'static self, area: AreaRef) -> AreaChain {
        let wanted = self.pin_ranges().map_or(1, |own| own.ranges.plan_refill(area.pages));
        let (neighbours, mut last) = (AreaChain::new(), area);
        while neighbours.len() + 1 < wanted
            && let Some(descriptor) = self.objects.take_from_slab(&self.descriptors)
        {
            let next = self.insert_area(descriptor, Fit::pages(area.pages), |start| start == last.end());
            let Some(next) = next else {
                self.return_descriptor(descriptor);
                break;
            };
            neighbours.push(next);
            last = next;
        }
        neighbours
    }

    /// Takes the lowest range that fits, if its start is `right`, with `descriptor` as its descriptor.
    fn insert_area(
        &'static self,
        descriptor: NonNull<u8>,
        fit: Fit,
        right: impl FnOnce(VirtAddr) -> bool,
    ) -> Option<AreaRef> {
        self.tree.with(|tree| {
            let start = tree.find_gap(fit).filter(|&start| right(start))?;
            // SAFETY: the object is the caller's, aligned to a cache line and as large as a descriptor.
            let write = |area| unsafe { AreaRef::init(descriptor, area) };
            let area = tree.insert(VmArea::new(start, fit.pages), write);
            self.index.add(area);
            Some(area)
        })
    }

    /// Opens a complete area, so that it can be freed. Returns its address.
    #[inline]
    pub(super) fn open(&self, area: AreaRef) -> VirtAddr {
        self.index.open(area)
    }

    /// Frees the area of this owner that starts at `start`, for which the caller named `addr`. May sleep: process
    /// context only. Address 0 is accepted and ignored; a wrong free is reported.
    #[inline]
    pub(super) fn free_at(
        &'static self,
        addr: VirtAddr,
        start: VirtAddr,
        owner: Owner,
        call: Call,
    ) -> Result<(), FreeError> {
        if addr.as_usize() == 0 {
            return Ok(());
        }
        if !self.platform().may_sleep() {
            return self.free_later(start, owner, call);
        }
        if start.page_offset() != 0 {
            return Err(self.pages.bad_free(call, addr, None, FreeError::Misaligned));
        }
        self.free_area(start, owner, call)
    }

    /// Refuses a free where the caller may not sleep. Only an area of a value, which is dropped there, is closed: the
    /// next caller that may sleep takes it apart.
    #[cold]
    #[inline(never)]
    fn free_later(&'static self, addr: VirtAddr, owner: Owner, call: Call) -> Result<(), FreeError> {
        if owner.tag != Tag::Value {
            self.pages.wrong_context(call);
            return Err(FreeError::WrongContext);
        }
        let area = self.close_area(addr.page_down(), owner, call)?;
        area.close();
        self.late.push(area);
        Ok(())
    }

    /// Closes the area of this owner that starts at `addr`, a page's address, and takes it apart.
    #[inline]
    pub(super) fn free_area(&'static self, addr: VirtAddr, owner: Owner, call: Call) -> Result<(), FreeError> {
        let area = self.close_area(addr, owner, call)?;
        self.take_apart(area, owner.purpose);
        Ok(())
    }

    /// Closes the area of this owner that starts at `addr`, a page's address; then only the caller uses it.
    #[inline]
    fn close_area(&'static self, addr: VirtAddr, owner: Owner, call: Call) -> Result<AreaRef, FreeError> {
        let closed = self.index.close(addr, owner).map_or_else(|| self.close_in_tree(addr, owner), Ok);
        closed.map_err(|error| self.pages.bad_free(call, addr, None, error))
    }

    /// Closes the area of this owner that starts at `addr` and is not in the index, or says why there is none.
    #[cold]
    #[inline(never)]
    fn close_in_tree(&'static self, addr: VirtAddr, owner: Owner) -> Result<AreaRef, FreeError> {
        self.tree.with(|tree| {
            let is_open = |area: &AreaRef| area.start == addr && area.state() == AreaState::Open;
            let area = tree.find(addr).filter(is_open).ok_or(FreeError::NoArea)?;
            match area.owner() {
                found if found == owner && !self.index.knows(area) => {}
                // The state follows the index: there it is closed.
                found if found == owner || found.purpose != owner.purpose => return Err(FreeError::NoArea),
                found => return Err(FreeError::Owned(found.tag)),
            }
            self.index.add(area);
            // Under the lock: the next free of this address must see it closed.
            area.close();
            Ok(area)
        })
    }

    /// Takes an area apart that was not opened, as far as it was built. What is mapped there is its own: of frames that
    /// others keep, [`PageTables::map`](crate::tables::PageTables::map) leaves none mapped.
    #[cold]
    pub(super) fn undo(&'static self, area: AreaRef) {
        self.take_apart(area, area.purpose());
    }
}
