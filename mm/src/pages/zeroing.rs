//! Pages that are filled with zeros whenever they are allocated, or freed: `init_on_alloc=1`, `init_on_free=1`.
//!
//! Nothing of this is on the fast way. While either is wanted, no page waits in a magazine, so each request and each free
//! passes through its zone, and there the page is cleared: after the grant, or before the zone takes it back, never under
//! the zone's lock.

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::Memory;
use crate::addr::{PAGE_SIZE, Pfn};
use crate::error::{AllocError, FreeError};
use crate::gfp::ZoneKind;
use crate::mapper::Frames;
use crate::order::Order;
use crate::page::{BlockKey, Page, Word};
use crate::platform::{Lock, Mapping, Platform};
use crate::slab::DebugFlags;

/// The events at which pages are cleared.
const EVENTS: DebugFlags = DebugFlags::ZERO_ON_ALLOC.union(DebugFlags::ZERO_ON_FREE);

/// When pages are cleared.
pub(super) struct Zeroing<P: Platform> {
    /// Bits of [`EVENTS`]. Changed at boot only.
    wanted: AtomicU8,
    /// Who clears a page of high memory, through the one window for that.
    window: P::Lock<()>,
}

impl<P: Platform> Zeroing<P> {
    pub(super) fn new() -> Self {
        Self { wanted: AtomicU8::new(0), window: Lock::new(()) }
    }

    /// Whether pages are cleared at any of these events.
    #[inline]
    pub(super) fn is_wanted_at(&self, events: DebugFlags) -> bool {
        self.wanted.load(Relaxed) & events.bits() != 0
    }

    /// Whether every page must pass through its zone.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted_at(EVENTS)
    }
}

impl<P: Platform> Memory<P> {
    /// Has pages cleared from now on as `flags` say. Boot: what other CPUs have in magazines is handed out as it is.
    pub(super) fn set_zeroing(&self, flags: DebugFlags) {
        let wanted = flags.intersection(EVENTS).bits();
        if self.zeroing.wanted.swap(wanted, Relaxed) == wanted {
            return;
        }
        for kind in ZoneKind::ALL {
            // The zone says anew whether magazines may be filled.
            self.with_zone(kind, |zone| zone.drain(&self.map));
        }
        self.drain_magazines();
    }

    /// A block that was just allocated, [`zeroed`](Self::zeroed) if that is wanted.
    #[inline]
    pub(super) fn zeroed_if_wanted(&self, block: Pfn, order: Order) -> Option<Pfn> {
        if self.zeroing.is_wanted_at(DebugFlags::ZERO_ON_ALLOC) { self.zeroed(block, order) } else { Some(block) }
    }

    /// A block that was just allocated, cleared; it is given back when it cannot be.
    #[cold]
    #[inline(never)]
    pub(super) fn zeroed(&self, block: Pfn, order: Order) -> Option<Pfn> {
        if self.clear_frames(block, order).is_err() {
            let freed = self.release_frames(block, order);
            debug_assert!(freed.is_ok());
            return None;
        }
        Some(block)
    }

    /// Gives one reference to a block back, and with the last one clears the block before its zone gets it.
    #[cold]
    #[inline(never)]
    pub(super) fn release_cleared(&self, block: Pfn, page: &Page, order: Order) -> Result<(), FreeError> {
        let kind = self.zone_of(block);
        // Until it is cleared, it is nobody's.
        let is_last =
            self.drop_reference(block, page, order, |_| page.set_word(Word::parked(BlockKey::new(kind, order))))?;
        if is_last {
            // High memory that has no windows yet was not handed out either.
            let _: Result<(), AllocError> = self.clear_frames(block, order);
            self.with_zone(kind, |zone| zone.free(&self.map, block, order));
        }
        Ok(())
    }

    /// Fills a block that nobody else uses with zeros, in whatever zone it is. Any context, no lock held. Fails while high
    /// memory has no windows yet.
    fn clear_frames(&self, block: Pfn, order: Order) -> Result<(), AllocError> {
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
