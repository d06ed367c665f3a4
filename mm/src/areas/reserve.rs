//! What the calls on vm areas share: taking a range of addresses, finding an area, taking it apart.

use core::panic::Location;
use core::ptr::NonNull;

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::platform::{Lock, Platform};
use crate::vm::{AreaChain, AreaKind, AreaRef, AreaState, Purpose, VmArea};

/// A snapshot of one vm area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AreaInfo {
    /// First address.
    pub start: VirtAddr,
    /// Bytes, guard page included.
    pub bytes: usize,
    /// What it shows.
    pub kind: AreaKind,
    /// Who asked for it.
    pub caller: &'static Location<'static>,
    /// Whose it is.
    pub state: AreaState,
}

impl AreaInfo {
    /// Address of the area's guard page.
    pub fn guard(&self) -> VirtAddr {
        self.start.add(self.bytes - PAGE_SIZE)
    }
}

impl From<AreaRef> for AreaInfo {
    fn from(area: AreaRef) -> Self {
        Self {
            start: area.start,
            bytes: area.bytes() + PAGE_SIZE,
            kind: area.kind(),
            caller: area.caller(),
            state: area.state(),
        }
    }
}

impl<P: Platform> Memory<P> {
    /// The area that holds `addr`, guard page included.
    pub fn area_at(&self, addr: VirtAddr) -> Option<AreaInfo> {
        self.areas.with(|areas| areas.find(addr).map(AreaInfo::from)).filter(|area| area.state != AreaState::Free)
    }

    /// [`area_at`](Self::area_at) for reports of faults, freed areas included: `None` also when the tree is in use at this
    /// moment.
    pub fn try_area_at(&self, addr: VirtAddr) -> Option<AreaInfo> {
        self.areas.try_with(|areas| areas.find(addr).map(AreaInfo::from))?
    }

    /// The frame behind an address of a vm area.
    pub fn vmalloc_to_frame(&self, addr: VirtAddr) -> Option<Pfn> {
        self.area_at(addr).and_then(|_| self.platform.translate(addr.page_down()))
    }

    /// A snapshot of each area, lowest address first. Nothing is locked between two of them, so the caller may allocate
    /// and print.
    pub fn areas(&self) -> impl Iterator<Item = AreaInfo> {
        let next = |from: VirtAddr| self.areas.with(|areas| areas.first_from(from).map(AreaInfo::from));
        core::iter::successors(next(self.config.vmalloc_start), move |area| next(area.start.add(area.bytes)))
    }

    /// Takes a range of addresses, guard page included, that starts at a multiple of `align`, with its descriptor. Nobody
    /// can free the area before it is opened.
    pub(super) fn reserve_area(
        &'static self,
        call: &'static str,
        (pages, align): (usize, usize),
        kind: AreaKind,
        caller: &'static Location<'static>,
    ) -> Result<AreaRef, AllocError> {
        let at_hand = self.pin_ranges().and_then(|here| here.ranges.take(pages));
        let area = match at_hand {
            Some(area) => area,
            None => self.find_area(call, (pages, align), caller)?,
        };
        area.assign(kind, caller);
        Ok(area)
    }

    /// Takes a range from the depot or a new one, and leaves some to this CPU for the next callers: what the depot has, or
    /// ranges that follow the new one.
    #[cold]
    #[inline(never)]
    fn find_area(
        &'static self,
        call: &'static str,
        (pages, align): (usize, usize),
        caller: &'static Location<'static>,
    ) -> Result<AreaRef, AllocError> {
        let parcel = self.range_depot.with(|depot| depot.take(pages));
        let (area, more) = match parcel.pop() {
            Some(area) => (area, parcel),
            None => {
                let area = self.insert_first(call, (pages, align), caller)?;
                (area, self.insert_neighbours(area))
            }
        };
        // There may be no room on another CPU, to which the caller has come meanwhile.
        if !self.pin_ranges().is_some_and(|here| here.ranges.refill(pages, &more)) {
            self.pass_on(&more);
        }
        Ok(area)
    }

    /// Takes a new range.
    fn insert_first(
        &'static self,
        call: &'static str,
        (pages, align): (usize, usize),
        caller: &'static Location<'static>,
    ) -> Result<AreaRef, AllocError> {
        let descriptor = self.take_object(&self.boot_caches.areas, GfpFlags::KERNEL, caller)?;
        let insert = || self.insert_area(descriptor, (pages, align), |_| true);
        let retry = || {
            self.drain_ranges();
            insert()
        };
        insert().or_else(retry).ok_or_else(|| {
            self.return_descriptor(descriptor);
            self.refuse(call, "no room in the address range", caller)
        })
    }

    /// Takes ranges as large as `area` that follow it: as many as it is time for, as far as they are the lowest ones, and
    /// descriptors are at hand.
    fn insert_neighbours(&'static self, area: AreaRef) -> AreaChain {
        let wanted = self.pin_ranges().map_or(1, |here| here.ranges.plan_refill(area.pages));
        let (neighbours, mut last) = (AreaChain::new(), area);
        while neighbours.len() + 1 < wanted
            && let Some(descriptor) = self.take_from_slab(&self.boot_caches.areas)
        {
            let next = self.insert_area(descriptor, (area.pages, PAGE_SIZE), |start| start == last.end());
            let Some(next) = next else {
                self.return_descriptor(descriptor);
                break;
            };
            neighbours.push(next);
            last = next;
        }
        neighbours
    }

    /// Takes the lowest range that there is, if it is `right`, with `descriptor` as its descriptor.
    fn insert_area(
        &'static self,
        descriptor: NonNull<u8>,
        (pages, align): (usize, usize),
        right: impl FnOnce(VirtAddr) -> bool,
    ) -> Option<AreaRef> {
        self.areas.with(|areas| {
            let start = areas.find_gap(pages, align).filter(|&start| right(start))?;
            // SAFETY: the object is the caller's, aligned to a cache line and as large as a descriptor.
            let write = |area| unsafe { AreaRef::init(descriptor, area) };
            let area = areas.insert(VmArea::new(start, pages), write);
            self.memo.remember(area);
            Some(area)
        })
    }

    /// Lets an area that is complete be freed. Returns its address.
    #[inline]
    pub(super) fn open(&self, area: AreaRef) -> VirtAddr {
        self.memo.open(area)
    }

    /// Finds the area with this purpose that starts at `addr`, a page's address, makes it unknown, and takes it apart.
    #[inline]
    pub(super) fn free_area(
        &'static self,
        call: &'static str,
        addr: VirtAddr,
        purpose: Purpose,
        caller: &'static Location<'static>,
    ) -> Result<(), FreeError> {
        let Some(area) = self.memo.close(addr, purpose).or_else(|| self.close_in_tree(addr, purpose)) else {
            return Err(self.bad_free(call, addr, FreeError::NoArea, caller));
        };
        self.take_apart(area, purpose);
        Ok(())
    }

    /// Closes the area with this purpose that starts at `addr` and is not in the index.
    #[cold]
    #[inline(never)]
    fn close_in_tree(&'static self, addr: VirtAddr, purpose: Purpose) -> Option<AreaRef> {
        self.areas.with(|areas| {
            let right = |area: &AreaRef| {
                let open = area.start == addr && area.state() == AreaState::Open;
                open && area.purpose() == purpose && !self.memo.knows(*area)
            };
            let area = areas.find(addr).filter(right)?;
            self.memo.remember(area);
            // At once: the next one to come this way must see it.
            area.close();
            Some(area)
        })
    }

    /// Takes an area apart that was not opened, as far as it was built.
    #[cold]
    pub(super) fn dissolve(&'static self, area: AreaRef) {
        self.take_apart(area, area.purpose());
    }

    /// Bytes of the range that vm areas come from.
    pub fn vmalloc_total(&self) -> usize {
        self.config.vmalloc_end.as_usize() - self.config.vmalloc_start.as_usize()
    }
}
