//! kmap, kunmap, kmap_atomic: windows onto pages that the direct map does not show.
//!
//! (Chapter: "Memory zones"; the calls are 2.4's.) A page of low memory needs no window: its address is the direct map's.
//! A window is unmapped and flushed when its last user leaves, so it never shows a page to anybody but its users.

use core::panic::Location;

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::error::{AllocError, FreeError};
use crate::gfp::{GfpFlags, ZoneKind};
use crate::magazine::MAX_CPUS;
use crate::mapper::Frames;
use crate::order::Order;
use crate::platform::{Lock, Mapping, Pinned, Platform};

/// Windows of kmap, for all CPUs together.
const WINDOWS: usize = 256;
/// How deep kmap_atomic goes on one CPU.
const DEPTH: usize = 4;
/// The window through which pages are cleared, behind those of all CPUs.
pub(super) const CLEARING: usize = WINDOWS + MAX_CPUS * DEPTH;
/// Pages of the address range that the windows need; they lie in one aligned range of 2 MiB.
pub const KMAP_PAGES: usize = CLEARING + 1;

/// No frame is shown.
const NONE: u32 = u32::MAX;

/// The windows of kmap: which frame each shows, and to how many.
pub(super) struct Windows {
    frames: [u32; WINDOWS],
    users: [u32; WINDOWS],
}

impl Windows {
    pub(super) const fn new() -> Self {
        Self { frames: [NONE; WINDOWS], users: [0; WINDOWS] }
    }

    /// The window that shows `frame`, or else a free one.
    fn place_for(&self, frame: Pfn) -> Option<usize> {
        let showing = |wanted: u32| self.frames.iter().position(|&shown| shown == wanted);
        showing(frame.as_u32()).or_else(|| showing(NONE))
    }

    fn find(&self, frame: Pfn) -> Option<usize> {
        self.frames.iter().position(|&shown| shown == frame.as_u32())
    }
}

/// A page that [`Memory::kmap_atomic`] shows. The caller stays on its CPU until this is dropped, last one first.
#[must_use = "the page is shown until this is dropped"]
pub struct KmapAtomic<P: Platform> {
    memory: &'static Memory<P>,
    addr: VirtAddr,
    /// The CPU whose window it is; `None` for a page of low memory, which needs none.
    pin: Option<P::Pin>,
}

impl<P: Platform> KmapAtomic<P> {
    /// Where the page shows.
    pub fn addr(&self) -> VirtAddr {
        self.addr
    }
}

impl<P: Platform> Drop for KmapAtomic<P> {
    fn drop(&mut self) {
        let Some(pin) = &self.pin else { return };
        let must_flush = self.memory.platform.unmap(self.addr, 1, |_, _| ());
        self.memory.platform.flush(must_flush);
        self.memory.kmap_depths[pin.cpu()].fetch_sub(1, Relaxed);
    }
}

impl<P: Platform> Memory<P> {
    /// An address at which the page in `frame` shows until [`kunmap`](Self::kunmap). A page that shows already gets the same
    /// address again, and needs as many kunmaps. Sleeps while all windows are taken: process context only.
    #[track_caller]
    pub fn kmap(&'static self, frame: Pfn) -> Result<VirtAddr, AllocError> {
        let caller = Location::caller();
        self.check_may_sleep("kmap", caller)?;
        if self.zone_of(frame) != ZoneKind::HighMem {
            return Ok(self.virt(frame));
        }
        if self.map.get(frame).is_none() {
            return Err(self.refuse("kmap", "no such page", caller));
        }
        loop {
            if let Some(addr) = self.kmaps.with(|windows| self.show(windows, frame)) {
                return addr.map_err(|AllocError| self.refuse("kmap", "the windows have no page table", caller));
            }
            self.platform.wait_for_memory(&mut || self.kmaps.with(|windows| windows.place_for(frame).is_some()));
        }
    }

    /// Shows `frame` to one more; `None` when all windows are taken.
    fn show(&self, windows: &mut Windows, frame: Pfn) -> Option<Result<VirtAddr, AllocError>> {
        let place = windows.place_for(frame)?;
        let addr = self.config.kmap_start.add(place * PAGE_SIZE);
        if windows.users[place] == 0
            && self.platform.map(addr, Frames::Each(&[frame]), Mapping::Memory, &mut None) != Ok(1)
        {
            return Some(Err(AllocError));
        }
        windows.frames[place] = frame.as_u32();
        windows.users[place] += 1;
        Some(Ok(addr))
    }

    /// Ends a [`kmap`](Self::kmap) of the page in `frame`. Never sleeps; any context. A page of high memory that is not
    /// shown is reported.
    #[track_caller]
    pub fn kunmap(&self, frame: Pfn) -> Result<(), FreeError> {
        if self.zone_of(frame) != ZoneKind::HighMem {
            return Ok(());
        }
        let left = self.kmaps.with(|windows| {
            let place = windows.find(frame)?;
            windows.users[place] -= 1;
            if windows.users[place] == 0 {
                windows.frames[place] = NONE;
                let addr = self.config.kmap_start.add(place * PAGE_SIZE);
                self.platform.flush(self.platform.unmap(addr, 1, |_, _| ()));
            }
            Some(windows.users[place])
        });
        match left {
            Some(0) => self.platform.wake_waiters(),
            Some(_) => {}
            None => return Err(self.bad_frame("kunmap", frame, FreeError::DoubleFree, Location::caller())),
        }
        Ok(())
    }

    /// [`kmap`](Self::kmap) for a moment, in any context: the caller stays on its CPU until the result is dropped. Fails
    /// beyond four at a time on a CPU.
    pub fn kmap_atomic(&'static self, frame: Pfn) -> Result<KmapAtomic<P>, AllocError> {
        if self.zone_of(frame) != ZoneKind::HighMem {
            return Ok(KmapAtomic { memory: self, addr: self.virt(frame), pin: None });
        }
        let pin = self.platform.pin().ok_or(AllocError)?;
        self.map.get(frame).ok_or(AllocError)?;
        // Interrupts that come in between leave the depth as they found it.
        let depth = self.kmap_depths.get(pin.cpu()).ok_or(AllocError)?;
        let place = depth.fetch_add(1, Relaxed);
        let addr = self.config.kmap_start.add((WINDOWS + pin.cpu() * DEPTH + place) * PAGE_SIZE);
        let frames = [frame];
        if place >= DEPTH || self.platform.map(addr, Frames::Each(&frames), Mapping::Memory, &mut None) != Ok(1) {
            depth.fetch_sub(1, Relaxed);
            return Err(AllocError);
        }
        Ok(KmapAtomic { memory: self, addr, pin: Some(pin) })
    }

    /// Allocates a page filled with zeros that the direct map need not show:
    /// [`get_zeroed_page`](Self::get_zeroed_page) for every zone. Context as [`alloc_pages`](Self::alloc_pages).
    #[track_caller]
    pub fn alloc_zeroed_page(&'static self, gfp: GfpFlags) -> Result<Pfn, AllocError> {
        let caller = Location::caller();
        self.check_context("alloc_zeroed_page", gfp, caller)?;
        if let Some(frame) = self.take_cleared(gfp) {
            return Ok(frame);
        }
        let frame = self.alloc_frames(gfp, Order::ZERO, caller)?;
        self.zeroed(frame, Order::ZERO).ok_or(AllocError)
    }

    /// Makes the page tables of the windows, if there is high memory. Boot.
    pub(super) fn init_windows(&'static self, caller: &'static Location<'static>) -> Result<(), AllocError> {
        if self.zone(ZoneKind::HighMem).with(|zone| zone.managed()) == 0 {
            return Ok(());
        }
        let (start, frames) = (self.config.kmap_start, [self.config.highmem_start]);
        let mapped = self.map_all("kmap", start, Frames::Each(&frames), Mapping::Memory, caller);
        self.platform.flush(self.platform.unmap(start, 1, |_, _| ()));
        if mapped == 1 { Ok(()) } else { Err(AllocError) }
    }
}

/// How many windows of kmap_atomic each CPU has in use.
pub(super) type Depths = [AtomicUsize; MAX_CPUS];
