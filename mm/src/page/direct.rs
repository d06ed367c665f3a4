//! The direct map: from a frame to its address, entry and zone, and back.

use super::map::PageMap;
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::gfp::{DMA_END, ZoneKind};

/// The page map, and where the direct map shows its frames. A handle: each part of the allocators has a copy.
#[derive(Clone, Copy)]
pub struct DirectMap {
    map: PageMap,
    /// Where physical address 0 shows.
    start: VirtAddr,
    /// First frame that does not show: of high memory, or the end.
    end: Pfn,
    /// Bytes from the start on whose pages all have entries.
    gapless: usize,
}

impl DirectMap {
    /// The frames below `highmem_start` show from `start` on.
    pub fn new(map: PageMap, start: VirtAddr, highmem_start: Pfn) -> Self {
        let gapless = map.gapless().min(highmem_start.as_u32()) as usize * PAGE_SIZE;
        Self { map, start, end: highmem_start, gapless }
    }

    /// Where physical address 0 shows.
    #[inline]
    pub(crate) const fn start(&self) -> VirtAddr {
        self.start
    }

    /// The page map.
    #[inline]
    pub const fn map(&self) -> &PageMap {
        &self.map
    }

    /// The zone that `frame` belongs to.
    #[inline]
    pub fn zone_of(&self, frame: Pfn) -> ZoneKind {
        if frame < DMA_END {
            ZoneKind::Dma
        } else if frame < self.end {
            ZoneKind::Normal
        } else {
            ZoneKind::HighMem
        }
    }

    /// The frames whose zone is `zone`, holes among them.
    pub(crate) fn frames_of(&self, zone: ZoneKind) -> PfnRange {
        let (all, low) = (Pfn::new(self.map.frames()), self.end.max(DMA_END));
        let (start, end) = match zone {
            ZoneKind::Dma => (Pfn::new(0), DMA_END),
            ZoneKind::Normal => (DMA_END, low),
            ZoneKind::HighMem => (low, all),
        };
        PfnRange::new(start.min(all), end.min(all))
    }

    /// The zone that a request which allows high memory tries first.
    pub(crate) fn highest_zone(&self) -> ZoneKind {
        if self.end.as_u32() < self.map.frames() { ZoneKind::HighMem } else { ZoneKind::Normal }
    }

    /// The zones that may have frames, lowest first: high memory only where there is some.
    #[inline]
    pub(crate) fn zones(&self) -> &'static [ZoneKind] {
        const ALL: &[ZoneKind] = &ZoneKind::ALL;
        &ALL[..=self.highest_zone() as usize]
    }

    /// First frame of high memory.
    pub const fn highmem_start(&self) -> Pfn {
        self.end
    }

    /// The address of `frame`; `None` for high memory, which needs a window, and for a frame without an entry.
    #[inline]
    pub fn page_address(&self, frame: Pfn) -> Option<VirtAddr> {
        (frame < self.end && self.map.get(frame).is_some()).then(|| self.virt(frame))
    }

    /// [`page_address`](Self::page_address) of a frame that is known to be of low memory.
    #[inline]
    pub(crate) fn virt(&self, frame: Pfn) -> VirtAddr {
        debug_assert!(frame < self.end, "{frame:?} is high memory");
        self.start.add(frame.phys().as_u64() as usize)
    }

    /// The frame that shows in the page of `addr`, if the page map knows it.
    #[inline]
    pub fn frame_of(&self, addr: VirtAddr) -> Option<Pfn> {
        self.frame_at(addr).filter(|&frame| self.map.get(frame).is_some())
    }

    /// The frame that would show in the page of `addr`, whether or not it exists.
    #[inline]
    pub(crate) fn frame_at(&self, addr: VirtAddr) -> Option<Pfn> {
        let offset = addr.as_usize().checked_sub(self.start.as_usize())?;
        let frame = offset / PAGE_SIZE;
        (frame < self.end.index()).then_some(Pfn::new(frame as u32))
    }

    /// Whether every page up to this offset from the start has an entry, so that [`PageMap::at_offset`] may be asked.
    #[inline]
    pub(crate) fn is_gapless(&self, offset: usize) -> bool {
        offset < self.gapless
    }
}
