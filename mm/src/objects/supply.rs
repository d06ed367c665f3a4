//! How CPUs get magazines of objects, and how these are emptied.

use super::ObjectAllocator;
use crate::addr::VirtAddr;
use crate::gfp::GfpFlags;
use crate::objects::cache::Cache;
use crate::objects::cpu_caches::MagazineSizes;
use crate::objects::magazine::MagazineRef;
use crate::percpu::{Count, drain};
use crate::platform::{CountCpus, Cpus, Lock, Pinned, Platform};

impl<P: Platform> ObjectAllocator<P> {
    /// Gives this CPU magazines for a cache, if it has none and memory is plenty.
    pub(super) fn attach_magazines(&'static self, cache: &Cache<P>) {
        let lacks = || {
            let pin = self.platform().cpus().pin().filter(|pin| pin.cache_index() < Count::<P>::COUNT)?;
            (!cache.cpus.has_magazines(pin.cache_index())).then_some(pin)
        };
        if cache.sizes.capacity() == 0 || lacks().is_none() || self.is_short(cache) {
            return;
        }
        let Some(loaded) = self.new_magazine(cache) else { return };
        let Some(spare) = self.new_magazine(cache) else { return self.free_magazine(loaded) };
        match lacks() {
            Some(pin) => cache.cpus.attach(pin.cache_index(), [loaded, spare]),
            None => [loaded, spare].into_iter().for_each(|magazine| self.free_magazine(magazine)),
        }
    }

    /// An empty magazine, from free memory. Never sleeps, reports nothing.
    pub(super) fn new_magazine(&'static self, cache: &Cache<P>) -> Option<MagazineRef> {
        // Tuning may have set the capacity to 0 since the caller read it.
        let capacity = Some(cache.sizes.capacity()).filter(|&capacity| capacity > 0)?;
        let source = &self.own.magazines[MagazineSizes::kind(capacity)?];
        let memory = self.take_from_slab(source).or_else(|| {
            self.grow_quietly(source)?;
            self.take_from_slab(source)
        })?;
        // SAFETY: the object is used only here, aligned to a cache line, and has room for its kind's capacity.
        Some(unsafe { MagazineRef::init(memory, capacity) })
    }

    fn free_magazine(&'static self, magazine: MagazineRef) {
        debug_assert!(magazine.is_empty());
        let Some(kind) = MagazineSizes::kind(magazine.capacity()) else { return };
        let freed = self.put_own(&self.own.magazines[kind], VirtAddr::from_ptr(magazine.ptr().as_ptr()));
        debug_assert!(freed.is_ok());
    }

    /// Whether the zones that serve a cache have so little memory left that no object should be cached.
    pub(super) fn is_short(&self, cache: &Cache<P>) -> bool {
        self.pages.is_tight_for(cache.page_gfp(GfpFlags::ATOMIC))
    }

    /// Empties the magazines of this CPU and of those where nothing runs, and all depots, into the slabs; asks the
    /// other CPUs to empty theirs.
    pub(super) fn drain_objects(&'static self, cache: &Cache<P>) {
        if cache.cpus.are_unused() {
            return;
        }
        let holds = |cpu| cache.cpus.has_magazines(cpu);
        drain(self.platform(), cache.cpus.drain_requests(), holds, |cpu| self.detach_magazines(cache, cpu));
        let next = || {
            cache.slabs.with(|slabs| {
                let magazine = cache.cpus.take_waiting()?;
                Some((magazine, slabs.put_all(magazine, |addr| self.slab_around(addr))))
            })
        };
        while let Some((magazine, put)) = next() {
            if put.is_err() {
                self.retire_damaged(cache);
            }
            self.free_magazine(magazine);
        }
    }

    /// Empties and frees the magazines of a CPU that the caller is pinned to, or that no caller uses.
    pub(super) fn detach_magazines(&'static self, cache: &Cache<P>, cpu: usize) {
        let detached = cache.slabs.with(|slabs| {
            let magazines = cache.cpus.detach(cpu)?;
            let put = magazines.map(|magazine| slabs.put_all(magazine, |addr| self.slab_around(addr)));
            Some((magazines, put[0].and(put[1])))
        });
        let Some((magazines, put)) = detached else { return };
        if put.is_err() {
            self.retire_damaged(cache);
        }
        magazines.into_iter().for_each(|magazine| self.free_magazine(magazine));
    }
}
