//! Windows of a CPU onto pages outside the direct map: kmap_atomic, clearing.
//!
//! Each CPU has a few pages of addresses of its own. The caller stays on the CPU while a page shows there, so only that
//! CPU's TLB ever knows of it, and flushing it needs no other CPU. Windows close in the opposite order in which they
//! opened: an interrupt that opens some closes them before it ends.

use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::error::AllocError;
use crate::mapper::{Frames, Mapping};
use crate::percpu::Pin;
use crate::platform::MAX_CPUS;
use crate::platform::{Cpus, KernelTables, OwnMappings, Pinned, Platform};

/// How many pages kmap_atomic shows at once on one CPU.
const DEPTH: usize = 4;
/// Windows of a CPU. Beside those of kmap_atomic, clearing has one in a thread, a soft interrupt and an interrupt.
const WINDOWS: usize = 8;
/// Pages of addresses that the windows of all CPUs need.
pub(crate) const WINDOW_PAGES: usize = MAX_CPUS * WINDOWS;

/// What a window is opened for, as it counts: open windows in the low byte, those of kmap_atomic in the next one.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(super) enum Use {
    /// Clearing a page.
    Clear = 1,
    /// kmap_atomic, of which a CPU has [`DEPTH`].
    KmapAtomic = 1 | 1 << 8,
}

/// The windows of all CPUs.
pub(super) struct Windows {
    start: VirtAddr,
    /// How many each CPU has open, as sums of [`Use`].
    open: [AtomicUsize; MAX_CPUS],
}

/// A window that is open; its owner is pinned to the CPU.
pub(super) struct Window<P: Platform> {
    addr: VirtAddr,
    pin: Pin<P>,
    user: Use,
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

    /// Opens a window of this CPU onto `frame`, unless too many are open.
    pub(super) fn open<P: Platform>(&self, platform: &P, frame: Pfn, user: Use) -> Result<Window<P>, AllocError> {
        let pin = platform.cpus().pin().ok_or(AllocError)?;
        // An interrupt in between restores the number before it ends.
        let open = self.open.get(pin.cpu()).ok_or(AllocError)?;
        let before = open.fetch_add(user as usize, Relaxed);
        let (place, atomics) = (before & 0xff, before >> 8);
        let is_full = place >= WINDOWS || (matches!(user, Use::KmapAtomic) && atomics >= DEPTH);
        let addr = self.start.add((pin.cpu() * WINDOWS + place) * PAGE_SIZE);
        let frames = [frame];
        if is_full || platform.map(addr, Frames::Each(&frames), Mapping::Memory, &mut None) != Ok(1) {
            open.fetch_sub(user as usize, Relaxed);
            return Err(AllocError);
        }
        Ok(Window { addr, pin, user })
    }

    /// Closes the window that was opened last on its CPU.
    pub(super) fn close<P: Platform>(&self, platform: &P, window: &Window<P>) {
        platform.tables().flush_local(platform.unmap(window.addr, 1, |_, _| ()));
        if let Some(open) = self.open.get(window.pin.cpu()) {
            open.fetch_sub(window.user as usize, Relaxed);
        }
    }

    /// Shows a page until the result is dropped.
    pub(super) fn show<P: Platform>(
        &'static self,
        platform: &'static P,
        frame: Pfn,
    ) -> Result<KmapAtomic<P>, AllocError> {
        let window = self.open(platform, frame, Use::KmapAtomic)?;
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
