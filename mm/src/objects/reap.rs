//! Whole slabs go back to the page allocator: shrink, reap.

use super::ObjectAllocator;
use crate::gfp::GfpFlags;
use crate::objects::cache::Cache;
use crate::objects::geometry::CacheFlags;
use crate::platform::{Lock, Platform};
use crate::report::Call;

impl<P: Platform> ObjectAllocator<P> {
    /// Gives back all slabs of a cache without live objects; returns how many pages that were.
    pub(super) fn shrink_cache(&'static self, cache: &Cache<P>) -> usize {
        self.drain_objects(cache);
        let mut pages = 0;
        while let Some(slab) = self.take_whole(cache) {
            pages += self.give_back(cache, slab);
        }
        pages
    }

    /// Gives back the whole slabs of every cache without `NO_REAP`; returns how many pages that were. A request that
    /// may not sleep gets nothing.
    pub(crate) fn kmem_cache_reap(&'static self, gfp: GfpFlags, call: Call) -> usize {
        if !gfp.may_sleep() || self.pages.check_may_sleep(call).is_err() {
            return 0;
        }
        self.release_all(call);
        self.reap_caches()
    }

    /// Reaps every cache that may be reaped.
    pub(super) fn reap_caches(&'static self) -> usize {
        let caches = self.list.with(|list| list.iter().count());
        (0..caches).map(|_| self.reap_next()).sum()
    }

    /// Reaps the cache at the clock hand.
    fn reap_next(&'static self) -> usize {
        let mut pages = 0;
        let mut cache = None;
        // One slab at a time is taken out under the list's lock, so that `kmem_cache_destroy` of the cache sees the
        // slab and waits.
        while let Some((from, slab)) = self.list.with(|list| {
            let from = match cache {
                Some(cache) => cache,
                None => list.turn()?,
            };
            let reapable = list.iter().any(|listed| listed == from) && !from.flags.contains(CacheFlags::NO_REAP);
            if reapable && cache.is_none() {
                self.drain_objects(&from);
            }
            reapable.then(|| self.take_whole(&from)).flatten().map(|slab| (from, slab))
        }) {
            cache = Some(from);
            pages += self.give_back(&from, slab);
        }
        pages
    }
}
