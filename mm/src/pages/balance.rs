//! Reclaim: which shrinkers are called, and when kswapd stops.
//!
//! A task that is here, or in [`helps_reclaim`](PageAllocator::helps_reclaim), does not come here again: what it asks
//! for itself is taken from the reserve.

use super::PageAllocator;
use super::events::Event;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::platform::{Lock, Platform, Reclaiming};
use crate::reclaim::{Holder, Shrinker};
use crate::report::Call;

/// Pages that are enough for one request: shrinkers after that are not asked.
const ENOUGH: usize = 32;
/// Rounds that kswapd makes for a zone before it pauses.
const ROUNDS: usize = 64;

/// How a round of kswapd has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Balance {
    /// No zone lacks memory.
    Restored,
    /// Some does, and memory is about to come back: look again soon.
    Pending,
    /// Some does, and nothing gives any back.
    Hopeless,
}

/// While it lives, the task that made it reclaims.
struct Reclaimer<'a, P: Platform> {
    platform: &'a P,
    before: Reclaiming,
}

impl<'a, P: Platform> Reclaimer<'a, P> {
    fn new(platform: &'a P, now: Reclaiming) -> Self {
        Self { platform, before: platform.set_reclaiming(now) }
    }
}

impl<P: Platform> Drop for Reclaimer<'_, P> {
    fn drop(&mut self) {
        self.platform.set_reclaiming(self.before);
    }
}

impl<P: Platform> PageAllocator<P> {
    /// Calls the shrinkers under these flags until some tens of pages are back, that one first that gave so many last
    /// time, then the others in the order of their registration, and empties the magazines of pages; returns the pages
    /// that came back. Pages in a depot count as free already.
    ///
    /// A destructor may run, so not in interrupt context: a request that may not sleep gets nothing, and neither does
    /// one of a task that reclaims already.
    pub fn reclaim(&self, gfp: GfpFlags) -> usize {
        self.reclaim_as(Reclaiming::Directly, gfp, ENOUGH)
    }

    /// [`reclaim`](Self::reclaim) that asks every shrinker.
    pub(super) fn reclaim_all(&self, gfp: GfpFlags) -> usize {
        self.reclaim_as(Reclaiming::Directly, gfp, usize::MAX)
    }

    fn reclaim_as(&self, who: Reclaiming, gfp: GfpFlags, enough: usize) -> usize {
        if !gfp.may_sleep() || self.platform.reclaiming() != Reclaiming::No {
            return 0;
        }
        self.count(Event::Reclaim, 1);
        let reclaimer = Reclaimer::new(&self.platform, who);
        // Twice: what the shrinkers return is in their count, and may be in magazines, unless memory is too short.
        let cached = self.drain_magazines();
        let pages = cached + self.ask_for_enough(enough, |shrinker| self.ask_for_pages(shrinker, gfp));
        if !self.are_all_tight() {
            self.drain_magazines();
        }
        drop(reclaimer);
        self.count(Event::ReclaimedPages, pages as u64);
        pages
    }

    fn ask_for_pages(&self, shrinker: &'static dyn Shrinker, gfp: GfpFlags) -> usize {
        let pages = shrinker.shrink(gfp);
        let event = match shrinker.holder() {
            Holder::Slabs => Event::FromSlabs,
            Holder::Areas => Event::FromAreas,
            Holder::PageCache if self.platform.reclaiming() == Reclaiming::InBackground => Event::StealBackground,
            Holder::PageCache => Event::StealDirect,
            Holder::Other => Event::FromOthers,
        };
        self.count(event, pages as u64);
        pages
    }

    /// Runs `f`, which helps to give memory back, such as by writing pages to a disk: what the task asks for meanwhile
    /// it gets from the reserve or not at all, without sleeping and without reclaim. Process context.
    pub fn helps_reclaim<R>(&self, f: impl FnOnce() -> R) -> R {
        let _reclaimer = Reclaimer::new(&self.platform, Reclaiming::InBackground);
        f()
    }

    /// Whether pages are being written that will come back.
    pub(super) fn has_pending(&self) -> bool {
        self.ask_shrinkers(|shrinker| shrinker.pending()) > 0
    }

    /// One round of kswapd: reclaims for each zone that is below its `high` watermark, with flags that fit it, while
    /// pages come back, a bounded number of times; then wakes the waiters. Process context.
    pub fn balance(&self) -> Balance {
        self.count(Event::BackgroundRound, 1);
        ZoneKind::ALL.iter().for_each(|&kind| self.balance_zone(kind));
        self.platform.wake_waiters();
        match self.is_unbalanced() {
            false => Balance::Restored,
            true if self.has_pending() => Balance::Pending,
            true => Balance::Hopeless,
        }
    }

    fn balance_zone(&self, kind: ZoneKind) {
        let gfp = match kind {
            ZoneKind::Dma => GfpFlags::KERNEL | GfpFlags::DMA,
            ZoneKind::Normal => GfpFlags::KERNEL,
            ZoneKind::HighMem => GfpFlags::KERNEL | GfpFlags::HIGHMEM,
        };
        let round = |_: &usize| self.lacks(kind) && self.reclaim_as(Reclaiming::InBackground, gfp, ENOUGH) > 0;
        (0..ROUNDS).take_while(round).for_each(drop);
    }

    /// Whether a zone has fallen below its `high` watermark.
    pub fn is_unbalanced(&self) -> bool {
        ZoneKind::ALL.iter().any(|&kind| self.lacks(kind))
    }

    fn lacks(&self, kind: ZoneKind) -> bool {
        self.zone(kind).with(|zone| zone.managed() > 0 && zone.free_pages() < zone.watermarks().high)
    }

    /// Purges every shrinker, then empties magazines and depots into the buddy lists. Process context; elsewhere it is
    /// reported. Returns the pages that came back.
    pub(crate) fn drop_caches(&self, call: Call) -> usize {
        if self.check_may_sleep(call).is_err() {
            return 0;
        }
        self.count(Event::Reclaim, 1);
        let reclaimer = Reclaimer::new(&self.platform, Reclaiming::Directly);
        let cached = self.drain_magazines();
        let pages = cached + self.ask_shrinkers(|shrinker| shrinker.purge());
        drop(reclaimer);
        self.count(Event::ReclaimedPages, pages as u64);
        self.drain_magazines();
        self.drain_depots();
        pages
    }
}
