//! What the calls on vm areas share: taking a range of addresses, finding an area, taking it apart.

use core::panic::Location;

use super::tables::NO_FRAME;
use super::{BATCH, Memory};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::platform::{Lock, Platform};
use crate::vm::{AreaKind, AreaRef, VmArea};

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
}

impl AreaInfo {
    /// Address of the area's guard page.
    pub fn guard(&self) -> VirtAddr {
        self.start.add(self.bytes - PAGE_SIZE)
    }
}

impl From<AreaRef> for AreaInfo {
    fn from(area: AreaRef) -> Self {
        Self { start: area.start, bytes: area.bytes() + PAGE_SIZE, kind: area.kind, caller: area.caller }
    }
}

impl<P: Platform> Memory<P> {
    /// The area that holds `addr`, guard page included.
    pub fn area_at(&self, addr: VirtAddr) -> Option<AreaInfo> {
        self.areas.with(|areas| areas.find(addr).map(AreaInfo::from))
    }

    /// [`area_at`](Self::area_at) for reports of faults: `None` also when the tree is in use at this moment.
    pub fn try_area_at(&self, addr: VirtAddr) -> Option<AreaInfo> {
        self.areas.try_with(|areas| areas.find(addr).map(AreaInfo::from))?
    }

    /// A snapshot of each area, lowest address first. Nothing is locked between two of them, so the caller may allocate
    /// and print.
    pub fn areas(&self) -> impl Iterator<Item = AreaInfo> {
        let next = |from: VirtAddr| self.areas.with(|areas| areas.first_from(from).map(AreaInfo::from));
        core::iter::successors(next(self.config.vmalloc_start), move |area| next(area.start.add(area.bytes)))
    }

    /// Takes a range of addresses, guard page included, and its descriptor. Nobody can free the area before it is opened.
    pub(super) fn reserve_area(
        &'static self,
        call: &'static str,
        pages: usize,
        kind: AreaKind,
        caller: &'static Location<'static>,
    ) -> Result<AreaRef, AllocError> {
        let memory = self.take_object(&self.boot_caches.areas, GfpFlags::KERNEL, caller)?;
        let area = self.areas.with(|areas| {
            let start = areas.find_gap(pages)?;
            // SAFETY: the object is ours, aligned to 8 and as large as a descriptor.
            let write = |area| unsafe { AreaRef::init(memory, area) };
            Some(areas.insert(VmArea::new(start, pages, kind, caller), write))
        });
        area.ok_or_else(|| {
            self.return_descriptor(VirtAddr::from_ptr(memory.as_ptr()));
            self.refuse(call, "no room in the address range", caller)
        })
    }

    /// Lets an area that is complete be found and freed.
    pub(super) fn open(&self, area: AreaRef) {
        self.areas.with(|_| area.closed.set(false));
    }

    /// Finds the area that starts at `addr`, makes it unknown, and takes it apart.
    pub(super) fn free_area(
        &'static self,
        call: &'static str,
        addr: VirtAddr,
        kind: impl FnOnce(AreaKind) -> bool,
        caller: &'static Location<'static>,
    ) -> Result<(), FreeError> {
        let found = self.areas.with(|areas| {
            let area = areas.find(addr).filter(|area| area.start == addr && kind(area.kind))?;
            (!area.closed.replace(true)).then_some(area)
        });
        match found {
            Some(area) => {
                self.dissolve(area);
                Ok(())
            }
            None => Err(self.bad_free(call, addr, FreeError::NoArea, caller)),
        }
    }

    /// Takes an area apart, as far as it was built. Frames and addresses get a new owner only after the flush.
    pub(super) fn dissolve(&'static self, area: AreaRef) {
        let mut chain = NO_FRAME;
        let own = area.kind == AreaKind::Vmalloc;
        let must_flush = self.platform.unmap(area.start, area.pages, |frame, _| {
            if own {
                self.map.at(frame).set_link(chain);
                chain = frame.as_u32().into();
            }
        });
        self.platform.flush(must_flush);
        self.give_chain(chain);
        self.areas.with(|areas| areas.remove(area));
        self.return_descriptor(VirtAddr::from_ptr(area.ptr().as_ptr()));
    }

    /// Gives the frames of a chain back, batch by batch.
    fn give_chain(&self, mut chain: u64) {
        let mut frames = [Pfn::new(0); BATCH];
        while chain != NO_FRAME {
            let mut count = 0;
            while chain != NO_FRAME && count < BATCH {
                frames[count] = Pfn::new(chain as u32);
                chain = self.map.at(frames[count]).link();
                count += 1;
            }
            self.give_frames(&frames[..count]);
        }
    }

    fn return_descriptor(&'static self, descriptor: VirtAddr) {
        let freed = self.put_object(descriptor, Some(&self.boot_caches.areas));
        debug_assert!(freed.is_ok());
    }

    /// Bytes of the range that vm areas come from.
    pub fn vmalloc_total(&self) -> usize {
        self.config.vmalloc_end.as_usize() - self.config.vmalloc_start.as_usize()
    }
}
