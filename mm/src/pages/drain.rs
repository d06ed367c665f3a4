//! Magazines, depots and cleared pages are emptied into the buddy lists.

use super::PageAllocator;
use super::zeroing::ZeroPages;
use crate::gfp::ZoneKind;
use crate::platform::Platform;

impl<P: Platform> PageAllocator<P> {
    /// Empties this CPU's magazines of these zones and the pool of cleared pages; returns how many pages that were. Any
    /// context.
    pub(super) fn drain_own(&self, zones: &[ZoneKind]) -> usize {
        self.drain_prezeroed() + self.drain_this_cpu(zones)
    }

    /// Empties the pool of cleared pages, and all magazines but those of busy CPUs; returns how many pages that were.
    pub(super) fn drain_magazines(&self) -> usize {
        self.drain_prezeroed() + self.drain_all_cpus()
    }

    /// Empties the depots.
    pub(super) fn drain_depots(&self) {
        for kind in ZoneKind::ALL {
            self.with_zone(kind, |zone| zone.drain(self.map()));
        }
    }

    /// Has pages cleared from now on at these events. Boot: other CPUs' magazines still hold pages that are not.
    pub(crate) fn set_zeroing(&self, events: ZeroPages) {
        self.set_events(ZeroPages::ON_ALLOC | ZeroPages::ON_FREE, events);
    }

    /// Sets which events of `mask` are wanted.
    pub(super) fn set_events(&self, mask: ZeroPages, events: ZeroPages) {
        if self.zeroing.set(mask, events) {
            // Each zone updates `tight`.
            self.drain_depots();
            self.drain_magazines();
        }
    }
}
