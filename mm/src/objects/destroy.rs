//! kmem_cache_destroy: a cache goes when nobody uses it any more.
//!
//! A cache is closed first: no handle leads to it. Then its last callers leave: those that are pinned, which the
//! platform waits for, and those that are counted. If no object is live then, none ever will be, so once the frees
//! under way have ended nobody touches the magazines of any CPU, and all that the cache has is given back. Otherwise it
//! is opened again. (docs/adr/0029-destroyed-caches.md)

use super::ObjectAllocator;
use super::refusals::NO_CACHE;
use crate::error::DestroyError;
use crate::objects::cache::{CachePtr, CacheRef};
use crate::platform::{Cpus, Lock, Platform};
use crate::report::{Call, Incident};

impl<P: Platform> ObjectAllocator<P> {
    /// Destroys a cache, if all its objects were freed. Otherwise it stays alive and listed, and the log says so.
    /// Process context; may sleep.
    pub(crate) fn kmem_cache_destroy(&'static self, handle: CacheRef<P>, call: Call) -> Result<(), DestroyError> {
        self.pages.check_may_sleep(call).map_err(|_| DestroyError::WrongContext)?;
        let Some(cache) = self.close(handle) else {
            self.refuse(call, NO_CACHE);
            return Err(DestroyError::NoSuchCache);
        };
        let objects = self.empty_closed(cache, call);
        if objects == 0 {
            self.list.with(|list| list.remove(cache));
            self.release(cache, call);
            return Ok(());
        }
        let name = cache.name;
        self.list.with(|_| cache.open());
        self.pages.report(call, Incident::ObjectsLeft { cache: name.as_str(), objects });
        Err(DestroyError::Busy(objects))
    }

    /// Closes a cache that may be destroyed. Only the caller opens it again, or lets it go.
    fn close(&self, handle: CacheRef<P>) -> Option<CachePtr<P>> {
        self.list.with(|_| {
            let cache = handle.alive().filter(|cache| !cache.is_own() && !self.classes.contains(cache))?;
            cache.close();
            Some(cache)
        })
    }

    /// Gives back all that a closed cache has, unless objects are live; returns how many are.
    pub(super) fn empty_closed(&'static self, cache: CachePtr<P>, call: Call) -> usize {
        // Callers that are pinned and found the cache open.
        self.platform().cpus().wait_for_pins();
        let live = loop {
            match cache.slabs.with(|slabs| (!slabs.has_callers()).then(|| slabs.live())) {
                Some(live) => break live,
                None => self.platform().wait_for_memory(&mut || cache.slabs.with(|slabs| !slabs.has_callers())),
            }
        };
        if live > 0 {
            return live;
        }
        // Frees that have made their objects cached, and are about to end.
        self.platform().cpus().wait_for_pins();
        cache.cpus.equipped().for_each(|cpu| self.detach_magazines(&cache, cpu));
        self.release_those_of(&cache, call);
        loop {
            self.shrink_cache(&cache);
            match cache.slabs.with(|slabs| (slabs.out(), slabs.len())) {
                (0, 0) => return 0,
                // Another thread gives a slab of this cache back.
                (0, _) => self.platform().wait_for_memory(&mut || cache.slabs.with(|slabs| slabs.len() == 0)),
                // A caller without a CPU is in the middle of a free, or has an object from quarantine in hand.
                (out, _) => return out,
            }
        }
    }
}
