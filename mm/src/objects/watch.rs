//! Checks, reports and repairs of the objects of debugged caches.

use core::ptr::NonNull;

use super::ObjectAllocator;
use crate::addr::VirtAddr;
use crate::error::FreeError;
use crate::objects::cache::Cache;
use crate::objects::debug::{DebugFlags, Event, Life, Watched};
use crate::objects::descriptor::SlabRef;
use crate::objects::magazine::CachedObject;
use crate::platform::{Lock, Platform};
use crate::report::{Call, Damage, Incident};

impl<P: Platform> ObjectAllocator<P> {
    /// An object of a debugged cache, which only the caller uses.
    fn watched(&self, cache: &Cache<P>, object: NonNull<u8>) -> Watched {
        // SAFETY: the geometry of a debugged cache leaves the room around its objects, and `watch_new` came first.
        unsafe { Watched::new(object, cache.geometry.usable, cache.debug) }
    }

    /// Prepares the objects of a new slab, before constructors run.
    pub(super) fn watch_new(&self, cache: &Cache<P>, slab: SlabRef) {
        self.watch_each(cache, slab, |mut watched| {
            watched.forget();
            watched.mark(Life::Free);
        });
    }

    /// Looks for writes after free in a slab that is given back.
    pub(super) fn watch_last(&self, cache: &Cache<P>, slab: SlabRef) {
        self.watch_each(cache, slab, |watched| {
            self.inspect(cache, watched, Life::Free, Call::here(&"kmem_cache_shrink"))
        });
    }

    fn watch_each(&self, cache: &Cache<P>, slab: SlabRef, mut f: impl FnMut(Watched)) {
        if cache.debug.is_empty() {
            return;
        }
        for object in (0..slab.objects()).map(|object| cache.address_of(slab, object)) {
            if let Some(object) = NonNull::new(object.as_mut_ptr()) {
                f(self.watched(cache, object));
            }
        }
    }

    /// Checks and marks an object that was taken out of its slab.
    pub(super) fn watch_alloc(&self, cache: &Cache<P>, object: NonNull<u8>, call: Call) {
        let mut watched = self.watched(cache, object);
        self.inspect_slab(cache, object, call);
        self.inspect(cache, watched, Life::Free, call);
        watched.mark(Life::Live);
        watched.remember(Event::Alloc, call.at());
    }

    /// Checks and marks an object that is to be freed and was live a moment ago. Two CPUs may free it at once: the
    /// second fails.
    pub(super) fn watch_free(
        &self,
        cache: &Cache<P>,
        CachedObject { object, slot }: CachedObject,
        call: Call,
    ) -> Result<(), FreeError> {
        if !slot.state().claim() {
            return Err(FreeError::DoubleFree);
        }
        let mut watched = self.watched(cache, object);
        self.inspect_slab(cache, object, call);
        self.inspect(cache, watched, Life::Live, call);
        watched.mark(Life::Free);
        watched.remember(Event::Free, call.at());
        Ok(())
    }

    /// Reports and repairs damage to an object.
    fn inspect(&self, cache: &Cache<P>, mut watched: Watched, life: Life, call: Call) {
        while let Some((damage, at)) = watched.damage(life) {
            self.report_damage(cache, &mut watched, at, damage, call);
            watched.repair(damage, life);
        }
    }

    fn inspect_slab(&self, cache: &Cache<P>, object: NonNull<u8>, call: Call) {
        if !cache.debug.contains(DebugFlags::CONSISTENCY) {
            return;
        }
        let slab = self.slab_around(VirtAddr::from_ptr(object.as_ptr()));
        if cache.slabs.with(|_| slab.validate()).is_err() {
            self.report_damage(cache, &mut self.watched(cache, object), 0, Damage::Slab, call);
        }
    }

    fn report_damage(&self, cache: &Cache<P>, watched: &mut Watched, at: isize, damage: Damage, call: Call) {
        let incident = Incident::Damage {
            cache: cache.name.as_str(),
            addr: watched.addr(),
            damage,
            dump: watched.dump(at),
            allocated: watched.user(Event::Alloc),
            freed: watched.user(Event::Free),
        };
        self.pages.report(call, incident);
    }
}
