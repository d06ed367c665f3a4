//! Reclaim: which shrinkers are called, and when kswapd stops.

use super::PageAllocator;
use super::events::Event;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::platform::{Lock, Platform};
use crate::report::Call;

impl<P: Platform> PageAllocator<P> {
    /// Calls the shrinkers under these flags, in the order of their registration, and empties the magazines of pages;
    /// returns the pages that came back. Pages in a depot count as free already.
    ///
    /// Allocates nothing. A destructor may run, so not in interrupt context: a request that may not sleep gets nothing.
    pub fn reclaim(&self, gfp: GfpFlags) -> usize {
        if !gfp.may_sleep() {
            return 0;
        }
        self.count(Event::Reclaim, 1);
        // Twice: what the shrinkers return is in their count, and may be in magazines.
        let cached = self.drain_magazines();
        let pages = cached + self.ask_shrinkers(|shrinker| shrinker.shrink(gfp));
        self.drain_magazines();
        self.count(Event::ReclaimedPages, pages as u64);
        pages
    }

    /// One round of kswapd: reclaims while a zone is below its `high` watermark and pages come back, then wakes the
    /// waiters. Process context.
    pub fn balance(&self) {
        while self.is_unbalanced() && self.reclaim(GfpFlags::KERNEL) > 0 {}
        self.platform.wake_waiters();
    }

    /// Whether a zone has fallen below its `high` watermark.
    pub fn is_unbalanced(&self) -> bool {
        ZoneKind::ALL
            .iter()
            .any(|&kind| self.zone(kind).with(|zone| zone.managed() > 0 && zone.free_pages() < zone.watermarks().high))
    }

    /// Purges every shrinker, then empties magazines and depots into the buddy lists. Process context; elsewhere it is
    /// reported. Returns the pages that came back.
    pub(crate) fn drop_caches(&self, call: Call) -> usize {
        if self.check_may_sleep(call).is_err() {
            return 0;
        }
        self.count(Event::Reclaim, 1);
        let cached = self.drain_magazines();
        let pages = cached + self.ask_shrinkers(|shrinker| shrinker.purge());
        self.count(Event::ReclaimedPages, pages as u64);
        self.drain_magazines();
        self.drain_depots();
        pages
    }
}
