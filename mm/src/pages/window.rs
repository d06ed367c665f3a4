//! Windows of a CPU onto pages outside the direct map: kmap_atomic, clearing.
//!
//! Each CPU has a few pages of addresses of its own. The caller stays on the CPU while a page shows there, so only that
//! CPU's TLB ever knows of it, and flushing it needs no other CPU. Windows close in the opposite order in which they
//! opened: an interrupt that opens some closes them before it ends.

use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::error::AllocError;
use crate::mapper::Frames;
use crate::percpu::MAX_CPUS;
use crate::platform::{Mapping, Pinned, Platform};

/// How many kmap_atomic opens on one CPU.
const DEPTH: usize = 4;
/// Windows of a CPU. Those beyond [`DEPTH`] are for clearing: one each for a thread, a soft interrupt and an interrupt.
pub(super) const WINDOWS: usize = 8;
/// Pages of addresses that the windows of all CPUs need.
pub(crate) const WINDOW_PAGES: usize = MAX_CPUS * WINDOWS;

/// The windows of all CPUs.
pub(super) struct Windows {
    start: VirtAddr,
    /// How many each CPU has open.
    open: [AtomicUsize; MAX_CPUS],
}

/// A window that is open; its owner is pinned to the CPU.
pub(super) struct Window<P: Platform> {
    addr: VirtAddr,
    pin: P::Pin,
}

impl<P: Platform> Window<P> {
    /// Where the page shows.
    pub(super) fn addr(&self) -> VirtAddr {
        self.addr
    }
}

impl Windows {
    /// Windows whose addresses start here.
    pub(super) fn new(start: VirtAddr) -> Self {
        Self { start, open: [const { AtomicUsize::new(0) }; MAX_CPUS] }
    }

    /// Opens a window of this CPU onto `frame`, unless it has `most` open.
    pub(super) fn open<P: Platform>(&self, platform: &P, frame: Pfn, most: usize) -> Result<Window<P>, AllocError> {
        let pin = platform.pin().ok_or(AllocError)?;
        // An interrupt in between restores the number before it ends.
        let open = self.open.get(pin.cpu()).ok_or(AllocError)?;
        let place = open.fetch_add(1, Relaxed);
        let addr = self.start.add((pin.cpu() * WINDOWS + place) * PAGE_SIZE);
        let frames = [frame];
        if place >= most || platform.map(addr, Frames::Each(&frames), Mapping::Memory, &mut None) != Ok(1) {
            open.fetch_sub(1, Relaxed);
            return Err(AllocError);
        }
        Ok(Window { addr, pin })
    }

    /// Closes the window that was opened last on its CPU.
    pub(super) fn close<P: Platform>(&self, platform: &P, window: &Window<P>) {
        platform.flush_local(platform.unmap(window.addr, 1, |_, _| ()));
        if let Some(open) = self.open.get(window.pin.cpu()) {
            open.fetch_sub(1, Relaxed);
        }
    }

    /// Shows a page until the result is dropped.
    pub(super) fn show<P: Platform>(
        &'static self,
        platform: &'static P,
        frame: Pfn,
    ) -> Result<KmapAtomic<P>, AllocError> {
        let window = self.open(platform, frame, DEPTH)?;
        Ok(KmapAtomic { addr: window.addr, window: Some((self, platform, window)) })
    }
}

/// A page that kmap_atomic shows. The caller stays on its CPU until this is dropped, last one first.
#[must_use = "the page is shown until this is dropped"]
pub struct KmapAtomic<P: Platform> {
    addr: VirtAddr,
    /// `None` for a page of low memory, which needs no window.
    window: Option<(&'static Windows, &'static P, Window<P>)>,
}

impl<P: Platform> KmapAtomic<P> {
    /// A page that shows at `addr` anyway.
    pub(super) fn shown(addr: VirtAddr) -> Self {
        Self { addr, window: None }
    }

    /// Where the page shows.
    pub fn addr(&self) -> VirtAddr {
        self.addr
    }
}

impl<P: Platform> Drop for KmapAtomic<P> {
    fn drop(&mut self) {
        if let Some((windows, platform, window)) = &self.window {
            windows.close(*platform, window);
        }
    }
}
