//! What the calls on vm areas share: taking a range of addresses, finding an area, taking it apart.

use core::panic::Location;

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::platform::{Lock, Platform};
use crate::vm::{AreaKind, AreaRef, AreaState, Closing, Purpose, VmArea};

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
        let area = match self.pin_ranges().and_then(|(_pin, ranges)| ranges.take(pages, align)) {
            Some(area) => area,
            None => self.insert_area(call, (pages, align), caller)?,
        };
        area.assign(kind, caller);
        Ok(area)
    }

    /// Takes a new range, with a new descriptor.
    #[cold]
    #[inline(never)]
    fn insert_area(
        &'static self,
        call: &'static str,
        (pages, align): (usize, usize),
        caller: &'static Location<'static>,
    ) -> Result<AreaRef, AllocError> {
        let memory = self.take_object(&self.boot_caches.areas, GfpFlags::KERNEL, caller)?;
        let insert = || {
            self.areas.with(|areas| {
                let start = areas.find_gap(pages, align)?;
                // SAFETY: the object is ours, aligned to a cache line and as large as a descriptor.
                let write = |area| unsafe { AreaRef::init(memory, area) };
                let area = areas.insert(VmArea::new(start, pages), write);
                self.memo.remember(area);
                Some(area)
            })
        };
        let retry = || {
            self.drain_ranges();
            insert()
        };
        insert().or_else(retry).ok_or_else(|| {
            self.return_descriptor(VirtAddr::from_ptr(memory.as_ptr()));
            self.refuse(call, "no room in the address range", caller)
        })
    }

    /// Lets an area that is complete be found and freed.
    #[inline]
    pub(super) fn open(&self, area: AreaRef) {
        self.memo.open(area);
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
        let closed = self.memo.close(addr, purpose).or_else(|| self.close_area(addr, purpose));
        let Some(area) = closed else { return Err(self.bad_free(call, addr, FreeError::NoArea, caller)) };
        area.set_state(AreaState::Closed);
        self.take_apart(area, purpose);
        Ok(())
    }

    /// Closes the area that starts at `addr`, by way of the tree.
    #[cold]
    #[inline(never)]
    fn close_area(&self, addr: VirtAddr, purpose: Purpose) -> Option<AreaRef> {
        self.areas.with(|areas| {
            let area = areas.find(addr).filter(|area| area.start == addr)?;
            if area.state() != AreaState::Open || area.purpose() != purpose {
                return None;
            }
            match self.memo.close_area(area, purpose) {
                Closing::Done => {}
                Closing::Lost => return None,
                Closing::Unknown => self.memo.remember(area),
            }
            // At once: the next one to come this way must see it.
            area.set_state(AreaState::Closed);
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
