//! What reclaim asks of the object allocator, and a purge.

use super::ObjectAllocator;
use crate::gfp::GfpFlags;
use crate::objects::cache::CachePtr;
use crate::platform::{Lock, Platform};
use crate::reclaim::{Holder, Shrinker};
use crate::report::Call;

impl<P: Platform> Shrinker for ObjectAllocator<P> {
    fn shrink(&'static self, _gfp: GfpFlags) -> usize {
        self.release_all(Call::here(&"slab_quarantine"));
        self.reap_caches()
    }

    fn holder(&self) -> Holder {
        Holder::Slabs
    }

    fn purge(&'static self) -> usize {
        self.release_all(Call::here(&"slab_quarantine"));
        let drain = |nth| self.list.with(|list| list.iter().nth(nth).map(|cache| self.drain_objects(&cache)));
        (0..).map_while(drain).for_each(drop);
        self.bury_disowned(Call::here(&"kmem_cache_destroy"));
        let mut pages = self.reap_caches();
        // The allocators' own: only a purge shrinks them, and they are never destroyed.
        let own = |nth| self.list.with(|list| list.iter().filter(|cache: &CachePtr<P>| cache.is_own()).nth(nth));
        pages += (0..).map_while(own).map(|cache| self.shrink_cache(&cache)).sum::<usize>();
        pages + self.own.shrinkable().map(|cache| self.shrink_cache(cache)).sum::<usize>()
    }
}
