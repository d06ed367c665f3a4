//! What is done for the objects of debugged caches: checks, reports, repairs.

use core::panic::Location;
use core::ptr::NonNull;

use super::Memory;
use crate::addr::VirtAddr;
use crate::error::FreeError;
use crate::platform::{Lock, Platform, Report};
use crate::slab::debug::{Damage, DebugChoice, Event, Life, Watched};
use crate::slab::descriptor::SlabRef;
use crate::slab::magazine::Parked;
use crate::slab::{Cache, DebugFlags};

impl<P: Platform> Memory<P> {
    /// Has caches that are created from now on debugged. Boot, before [`init_caches`](Self::init_caches), if kmalloc's are
    /// to be among them. (Kernel options `slab_debug=`, `init_on_alloc=`, `init_on_free=`, `slab_stats=`.)
    ///
    /// What is zeroed for every cache is zeroed for every page too.
    pub fn set_slab_debug(&self, choice: DebugChoice) {
        self.chain.with(|chain| chain.debug = choice);
        self.set_zeroing(choice.all);
    }

    /// An object of a debugged cache. The caller has it to itself.
    fn watched(&self, cache: &Cache<P>, object: NonNull<u8>) -> Watched {
        // SAFETY: the geometry of a debugged cache leaves the room around its objects, and `watch_new` came first.
        unsafe { Watched::new(object, cache.geometry.usable, cache.debug) }
    }

    /// A slab was made: prepares its objects, before constructors run.
    pub(super) fn watch_new(&self, cache: &Cache<P>, slab: SlabRef) {
        self.watch_each(cache, slab, |mut watched| {
            watched.forget();
            watched.mark(Life::Free);
        });
    }

    /// A slab goes: looks for writes after free.
    pub(super) fn watch_last(&self, cache: &Cache<P>, slab: SlabRef) {
        self.watch_each(cache, slab, |watched| self.inspect(cache, watched, Life::Free, Location::caller()));
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

    /// An object was taken out of its slab.
    pub(super) fn watch_alloc(&self, cache: &Cache<P>, object: NonNull<u8>, caller: &'static Location<'static>) {
        let mut watched = self.watched(cache, object);
        self.inspect_slab(cache, object, caller);
        self.inspect(cache, watched, Life::Free, caller);
        watched.mark(Life::Live);
        watched.remember(Event::Alloc, caller);
    }

    /// An object is about to be freed that was live a moment ago. Two CPUs may be here with the same one: the second is
    /// told so.
    pub(super) fn watch_free(
        &self,
        cache: &Cache<P>,
        Parked { object, place }: Parked,
        caller: &'static Location<'static>,
    ) -> Result<(), FreeError> {
        if !place.state().claim() {
            return Err(FreeError::DoubleFree);
        }
        let mut watched = self.watched(cache, object);
        self.inspect_slab(cache, object, caller);
        self.inspect(cache, watched, Life::Live, caller);
        watched.mark(Life::Free);
        watched.remember(Event::Free, caller);
        Ok(())
    }

    /// Reports damage to an object and what repairs it.
    fn inspect(&self, cache: &Cache<P>, mut watched: Watched, life: Life, caller: &'static Location<'static>) {
        while let Some((damage, at)) = watched.damage(life) {
            self.report_damage(cache, (&mut watched, at), damage, caller);
            watched.repair(damage, life);
        }
    }

    fn inspect_slab(&self, cache: &Cache<P>, object: NonNull<u8>, caller: &'static Location<'static>) {
        if !cache.debug.contains(DebugFlags::CONSISTENCY) {
            return;
        }
        let slab = self.slab_around(VirtAddr::from_ptr(object.as_ptr()));
        if cache.slabs.with(|_| slab.validate()).is_err() {
            self.report_damage(cache, (&mut self.watched(cache, object), 0), Damage::Slab, caller);
        }
    }

    fn report_damage(
        &self,
        cache: &Cache<P>,
        (watched, at): (&mut Watched, isize),
        damage: Damage,
        caller: &'static Location<'static>,
    ) {
        let report = Report::Damage {
            cache: cache.name.as_str(),
            addr: watched.addr(),
            damage,
            at,
            bytes: watched.dump(at),
            allocated: watched.user(Event::Alloc),
            freed: watched.user(Event::Free),
        };
        self.platform.report(&report, caller);
    }
}
