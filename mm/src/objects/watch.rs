//! Checks, reports and repairs of the objects of debugged caches.
//!
//! An object is live or free, and marked so, whenever the cache's lock is free and its state says so: on its way it is
//! cached. Who holds the lock may look at the marks.

use core::ptr::NonNull;

use super::ObjectAllocator;
use crate::error::FreeError;
use crate::objects::cache::Cache;
use crate::objects::descriptor::SlabRef;
use crate::objects::gaps::Gap;
use crate::objects::geometry::Geometry;
use crate::objects::magazine::CachedObject;
use crate::objects::watched::{Life, Watched};
use crate::platform::{Lock, Platform};
use crate::report::Call;

impl<P: Platform> ObjectAllocator<P> {
    /// An object of a debugged cache, which only the caller uses.
    pub(super) fn watched(&self, cache: &Cache<P>, object: NonNull<u8>) -> Watched {
        // SAFETY: the geometry of a debugged cache leaves the room around its objects, and `watch_new` came first.
        unsafe { Watched::new(object, cache.geometry.usable, cache.debug) }
    }

    /// Prepares a new slab, before constructors run.
    pub(super) fn watch_new(&self, cache: &Cache<P>, slab: SlabRef, geometry: &Geometry) {
        Gap::each(geometry, slab, Gap::fill);
        if !cache.debug.is_empty() {
            self.objects_of(cache, slab).for_each(|object| self.watched(cache, object).prepare());
        }
    }

    /// Looks for writes after free, and to what belongs to no object, in a slab that is given back.
    pub(super) fn watch_last(&self, cache: &Cache<P>, slab: SlabRef, geometry: &Geometry) {
        let call = Call::here(&"kmem_cache_shrink");
        Gap::each(geometry, slab, |gap| {
            if let Some(finding) = gap.find() {
                self.report_damage(cache, finding, call);
            }
        });
        if !cache.debug.is_empty() {
            self.objects_of(cache, slab).for_each(|object| self.inspect(cache, object, Life::Free, call));
        }
    }

    /// The objects of an intact slab, in any state.
    pub(super) fn objects_of(&self, cache: &Cache<P>, slab: SlabRef) -> impl Iterator<Item = NonNull<u8>> {
        (0..slab.objects()).filter_map(move |object| NonNull::new(cache.address_of(slab, object).as_mut_ptr()))
    }

    /// Checks an object that is to be freed and was live a moment ago, and marks it as free. Two CPUs may free it at
    /// once: the second fails.
    pub(super) fn watch_free(
        &self,
        cache: &Cache<P>,
        CachedObject { object, slot }: CachedObject,
        call: Call,
    ) -> Result<(), FreeError> {
        if !self.settled(cache, || slot.state().claim()) {
            return Err(FreeError::DoubleFree);
        }
        if cache.debug.is_marked() {
            self.inspect(cache, object, Life::Live, call);
            self.watched(cache, object).take_back(call.at());
        }
        Ok(())
    }

    /// Runs `change`, which changes a state: under the cache's lock where the marks are looked at there.
    pub(super) fn settled<R>(&self, cache: &Cache<P>, change: impl FnOnce() -> R) -> R {
        if cache.debug.is_looked_at() { cache.slabs.with(|_| change()) } else { change() }
    }

    /// Has `size` bytes be what was asked for, of a live object of a debugged cache.
    pub(super) fn watch_resize(&self, cache: &Cache<P>, object: NonNull<u8>, size: usize, call: Call) {
        self.inspect(cache, object, Life::Live, call);
        self.watched(cache, object).resize(size);
    }

    /// Reports and repairs damage to an object.
    pub(super) fn inspect(&self, cache: &Cache<P>, object: NonNull<u8>, life: Life, call: Call) {
        let mut watched = self.watched(cache, object);
        while let Some(finding) = watched.find(life) {
            self.report_damage(cache, finding, call);
        }
    }
}
