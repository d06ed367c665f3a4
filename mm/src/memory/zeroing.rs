//! Pages that are filled with zeros whenever they are allocated, or freed: `init_on_alloc=1`, `init_on_free=1`.
//!
//! Nothing of this is on the fast way. While either is wanted, no page waits in a magazine, so each request and each free
//! passes through its zone, and there the page is cleared: after the grant, or before the zone takes it back, never under
//! the zone's lock.

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn};
use crate::atomic::{AtomicBool, Ordering::Relaxed};
use crate::error::AllocError;
use crate::gfp::ZoneKind;
use crate::mapper::Frames;
use crate::order::Order;
use crate::platform::{Lock, Mapping, Platform};
use crate::slab::DebugFlags;

/// When pages are cleared.
pub(super) struct Zeroing<P: Platform> {
    on_alloc: AtomicBool,
    on_free: AtomicBool,
    /// Who clears a page of high memory, through the one window for that.
    window: P::Lock<()>,
}

impl<P: Platform> Zeroing<P> {
    pub(super) fn new() -> Self {
        Self { on_alloc: AtomicBool::new(false), on_free: AtomicBool::new(false), window: Lock::new(()) }
    }

    pub(super) fn is_on_alloc(&self) -> bool {
        self.on_alloc.load(Relaxed)
    }

    pub(super) fn is_on_free(&self) -> bool {
        self.on_free.load(Relaxed)
    }

    /// Whether every page must pass through its zone.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_on_alloc() || self.is_on_free()
    }
}

impl<P: Platform> Memory<P> {
    /// Has pages cleared from now on as `flags` say. Boot: what other CPUs have in magazines is handed out as it is.
    pub(super) fn set_zeroing(&self, flags: DebugFlags) {
        self.zeroing.on_alloc.store(flags.contains(DebugFlags::ZERO_ON_ALLOC), Relaxed);
        self.zeroing.on_free.store(flags.contains(DebugFlags::ZERO_ON_FREE), Relaxed);
        for kind in ZoneKind::ALL {
            // The zone says anew whether magazines may be filled.
            self.with_zone(kind, |zone| zone.drain(&self.map));
        }
        self.drain_magazines();
    }

    /// A block that was just allocated, cleared if that is wanted; it is given back when it cannot be.
    pub(super) fn zeroed_if_wanted(&self, block: Pfn, order: Order) -> Option<Pfn> {
        if self.zeroing.is_on_alloc() && self.clear_frames(block, order).is_err() {
            let freed = self.release_frames(block, order);
            debug_assert!(freed.is_ok());
            return None;
        }
        Some(block)
    }

    /// Fills a block that nobody else uses with zeros, in whatever zone it is. Any context, no lock held. Fails while high
    /// memory has no windows yet.
    pub(super) fn clear_frames(&self, block: Pfn, order: Order) -> Result<(), AllocError> {
        (0..order.pages()).try_for_each(|page| self.clear_frame(block.add(page)))
    }

    fn clear_frame(&self, frame: Pfn) -> Result<(), AllocError> {
        if self.zone_of(frame) != ZoneKind::HighMem {
            self.platform.clear_page(self.virt(frame));
            return Ok(());
        }
        let addr = self.config.kmap_start.add(super::kmap::CLEARING * PAGE_SIZE);
        self.zeroing.window.with(|()| {
            let mapped = self.platform.map(addr, Frames::Each(&[frame]), Mapping::Memory, &mut None);
            if mapped != Ok(1) {
                return Err(AllocError);
            }
            self.platform.clear_page(addr);
            self.platform.flush(self.platform.unmap(addr, 1, |_, _| ()));
            Ok(())
        })
    }
}
