//! Everything that waits in front of the zones, back into the buddy lists.

use super::PageAllocator;
use super::zeroing::ZeroPages;
use crate::gfp::ZoneKind;
use crate::platform::Platform;

impl<P: Platform> PageAllocator<P> {
    /// Empties this CPU's magazines and the pool of cleared pages; returns how many pages that were. Any context.
    pub(super) fn drain_own(&self) -> usize {
        self.drain_prezeroed() + self.drain_this_cpu()
    }

    /// Empties all magazines that can be reached, and the pool of cleared pages; returns how many pages that were.
    pub(super) fn drain_magazines(&self) -> usize {
        self.drain_prezeroed() + self.drain_all_cpus()
    }

    /// Empties the depots.
    pub(super) fn drain_depots(&self) {
        for kind in ZoneKind::ALL {
            self.with_zone(kind, |zone| zone.drain(self.map()));
        }
    }

    /// Has pages cleared from now on at these events. Boot: what other CPUs have in magazines is handed out as it is.
    pub(crate) fn set_zeroing(&self, events: ZeroPages) {
        if self.zeroing.set(events) {
            // The zones say anew whether magazines may be filled.
            self.drain_depots();
            self.drain_magazines();
        }
    }
}
