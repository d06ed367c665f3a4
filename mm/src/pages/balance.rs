//! Reclaim: which shrinkers are called, and when kswapd stops.

use super::PageAllocator;
use super::events::Event;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::platform::{Lock, Platform};

impl<P: Platform> PageAllocator<P> {
    /// Calls the shrinkers under these flags, in the order of their registration, then empties the magazines of pages;
    /// returns the pages that came back. Pages in a depot count as free already.
    ///
    /// Allocates nothing. A destructor may run, so not in interrupt context: a request that may not sleep gets nothing.
    pub fn reclaim(&self, gfp: GfpFlags) -> usize {
        if !gfp.may_sleep() {
            return 0;
        }
        self.count(Event::Reclaim, 1);
        let pages = self.shrinkers().sum(|shrinker| shrinker.shrink(gfp)) + self.drain_magazines();
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

    /// Purges every shrinker, then empties magazines and depots into the buddy lists. Process context. Returns the
    /// pages that came back.
    pub(crate) fn drop_caches(&self) -> usize {
        self.count(Event::Reclaim, 1);
        let pages = self.shrinkers().sum(|shrinker| shrinker.purge()) + self.drain_magazines();
        self.count(Event::ReclaimedPages, pages as u64);
        self.drain_depots();
        pages
    }
}
