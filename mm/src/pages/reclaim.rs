//! Memory is short: who gives some back, and when kswapd stops.

use core::panic::Location;

use super::Memory;
use super::events::Event;
use crate::error::AllocError;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::platform::{Lock, Platform};
use crate::slab::CacheFlags;

/// Somebody who holds memory that can be given back when there is need.
#[derive(Clone, Copy)]
pub struct Shrinker {
    /// Gives back what it can under these flags and returns how many pages that were. It allocates nothing, and starts
    /// I/O only if the flags have [`GfpFlags::IO`]. Process context; it may sleep.
    pub shrink: fn(GfpFlags) -> usize,
}

/// Shrinkers that can be registered.
const MAX_SHRINKERS: usize = 8;

/// Those who can give memory back, in the order in which they came.
pub(super) struct Shrinkers {
    registered: [Option<Shrinker>; MAX_SHRINKERS],
}

impl Shrinkers {
    pub(super) const fn new() -> Self {
        Self { registered: [None; MAX_SHRINKERS] }
    }
}

impl<P: Platform> Memory<P> {
    /// Has reclaim ask `shrinker` too, from now on. Fails when there are eight already.
    pub fn register_shrinker(&self, shrinker: Shrinker) -> Result<(), AllocError> {
        self.shrinkers.with(|shrinkers| {
            let place = shrinkers.registered.iter_mut().find(|place| place.is_none()).ok_or(AllocError)?;
            *place = Some(shrinker);
            Ok(())
        })
    }

    /// The allocators' own shrinkers, asked before those that were registered.
    const OWN_SHRINKERS: [fn(&'static Self, GfpFlags) -> usize; 3] =
        [Self::shed_ranges, Self::empty_magazines, Self::reap_caches];

    /// Asks all who hold memory to give some back under these flags: the allocators' own shrinkers, then the registered
    /// ones; returns the pages that came back.
    ///
    /// Allocates nothing. A destructor may run, so not in interrupt context: a request that may not sleep gets nothing.
    pub fn reclaim(&'static self, gfp: GfpFlags) -> usize {
        if !gfp.may_sleep() {
            return 0;
        }
        self.count(Event::Reclaim, 1);
        let own: usize = Self::OWN_SHRINKERS.iter().map(|shrink| shrink(self, gfp)).sum();
        let shrinkers = self.shrinkers.with(|shrinkers| shrinkers.registered);
        let others: usize = shrinkers.iter().flatten().map(|shrinker| (shrinker.shrink)(gfp)).sum();
        self.count(Event::ReclaimedPages, (own + others) as u64);
        own + others
    }

    /// Flushes what freed vm areas left behind and gives back the address ranges at hand, with their descriptors.
    fn shed_ranges(&'static self, _gfp: GfpFlags) -> usize {
        self.drain_ranges()
    }

    /// Gives back the slabs of every cache that no object is out of, but for caches with `NO_REAP`; returns how many pages
    /// that were. Destructors run. A request that may not sleep gets nothing, and one that may is refused where the caller
    /// may not. (2.4 reaps one cache a call, and a part of it; who calls this wants the memory.)
    #[track_caller]
    pub fn kmem_cache_reap(&'static self, gfp: GfpFlags) -> usize {
        if !gfp.may_sleep() || self.check_may_sleep("kmem_cache_reap", Location::caller()).is_err() {
            return 0;
        }
        self.reap_caches(gfp)
    }

    /// Reaps every cache that may be reaped.
    fn reap_caches(&'static self, _gfp: GfpFlags) -> usize {
        let caches = self.chain.with(|chain| chain.iter().count());
        (0..caches).map(|_| self.reap_next()).sum()
    }

    /// Makes the blocks in magazines free memory again; what waits in a depot is that already.
    fn empty_magazines(&'static self, _gfp: GfpFlags) -> usize {
        self.drain_magazines()
    }

    /// Reaps the cache at the clock hand.
    fn reap_next(&'static self) -> usize {
        let mut pages = 0;
        let mut cache = None;
        // One slab at a time is taken out under the chain's lock, so that the cache cannot be destroyed before
        // `kmem_cache_destroy` sees the slab leaving.
        while let Some((from, slab)) = self.chain.with(|chain| {
            let from = match cache {
                Some(cache) => cache,
                None => chain.turn()?,
            };
            let reapable = chain.iter().any(|listed| listed == from) && !from.flags.contains(CacheFlags::NO_REAP);
            if reapable && cache.is_none() {
                self.drain_objects(&from);
            }
            reapable.then(|| from.slabs.with(|slabs| slabs.take_whole())).flatten().map(|slab| (from, slab))
        }) {
            cache = Some(from);
            pages += self.give_back(&from, slab);
        }
        pages
    }

    /// One round of kswapd: reclaims while a zone is below its `high` watermark and that brings something, then lets
    /// the waiting allocations look again. Process context.
    pub fn balance(&'static self) {
        while self.is_unbalanced() && self.reclaim(GfpFlags::KERNEL) > 0 {}
        self.platform.wake_waiters();
    }

    /// Whether a zone has fallen below its `high` watermark.
    pub fn is_unbalanced(&self) -> bool {
        ZoneKind::ALL
            .iter()
            .any(|&kind| self.zone(kind).with(|zone| zone.managed() > 0 && zone.free_pages() < zone.watermarks().high))
    }

    /// Gives back all memory that nobody holds: what freed vm areas left behind, the empty slabs of every reapable cache,
    /// page tables that map nothing, then whatever waits in magazines and depots goes to the buddy lists. Process context.
    /// Returns the pages that came back. (`echo 3 > /proc/sys/vm/drop_caches`)
    pub fn drop_caches(&'static self) -> usize {
        let drain = |nth| self.chain.with(|chain| chain.iter().nth(nth).map(|cache| self.drain_objects(&cache)));
        (0..).map_while(drain).for_each(drop);
        let mut pages = self.reclaim(GfpFlags::KERNEL) + self.prune_tables();
        for cache in self.boot_caches.shrinkable() {
            pages += self.shrink(cache);
        }
        self.drain_magazines();
        for kind in ZoneKind::ALL {
            self.with_zone(kind, |zone| zone.drain(&self.map));
        }
        pages
    }
}
