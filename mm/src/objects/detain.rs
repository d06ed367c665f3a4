//! Freed objects of debugged caches go into quarantine.
//!
//! A stale pointer then writes to none that has a new owner. They are looked at when they leave. (Kernel
//! option `slab_quarantine=`.)

use core::ptr::NonNull;

use super::ObjectAllocator;
use crate::addr::VirtAddr;
use crate::atomic::Ordering::Relaxed;
use crate::objects::cache::Cache;
use crate::objects::magazine::CachedObject;
use crate::objects::object_state::ObjectState;
use crate::objects::quarantine::{Detained, Quarantine};
use crate::objects::slabs::Damaged;
use crate::objects::watched::Life;
use crate::platform::{Lock, Platform};
use crate::report::Call;

impl<P: Platform> ObjectAllocator<P> {
    /// Has freed objects of debugged caches wait, at most so many bytes of them and half of 512 objects, before they
    /// are used again. With 0 none waits, and those that do leave. Any context.
    #[track_caller]
    pub fn set_quarantine(&'static self, bytes: usize) {
        self.quarantine.with(|quarantine| quarantine.set_limit(bytes));
        self.quarantine_in_use.store(bytes > 0, Relaxed);
        self.release_excess(Call::here(&"slab_quarantine"));
    }

    /// Has an object wait that was just marked as free; says whether it does. Others may leave.
    pub(super) fn detain(&'static self, cache: &Cache<P>, cached: CachedObject, call: Call) -> bool {
        if !self.quarantine_in_use.load(Relaxed) || !cache.debug.is_looked_at() {
            return false;
        }
        let waits = cache.slabs.with(|slabs| {
            let detained = Detained { object: cached.object, bytes: cache.geometry.stride };
            let waits = self.quarantine.with(|quarantine| quarantine.push(detained));
            if waits {
                cached.slot.state().set(ObjectState::QUARANTINED);
                slabs.quarantined += 1;
            }
            waits
        });
        if waits {
            self.release_excess(call);
        }
        waits
    }

    fn release_excess(&'static self, call: Call) {
        self.release_while(Quarantine::pop_excess, call);
    }

    /// Has all objects leave. Any context, no lock held.
    pub(super) fn release_all(&'static self, call: Call) {
        self.release_while(Quarantine::pop, call);
    }

    /// Has the objects of a cache leave.
    pub(super) fn release_those_of(&'static self, cache: &Cache<P>, call: Call) {
        if cache.debug.is_empty() {
            return;
        }
        let word = |detained: Detained| self.page_word(VirtAddr::from_ptr(detained.object.as_ptr()));
        self.release_while(|quarantine| quarantine.pop_if(|detained| word(detained) == cache.tag), call);
    }

    fn release_while(&'static self, next: impl Fn(&mut Quarantine) -> Option<Detained>, call: Call) {
        while let Some(Detained { object, .. }) = self.quarantine.with(|quarantine| next(quarantine)) {
            self.release_one(object, call);
        }
    }

    /// Looks for writes to an object that has left the quarantine, and puts it into its slab.
    fn release_one(&'static self, object: NonNull<u8>, call: Call) {
        let addr = VirtAddr::from_ptr(object.as_ptr());
        // A slab that is damaged is retired with its objects.
        let Ok(slab) = self.slab_of(addr) else { return };
        let (cache, Some(slot)) = (self.owner(slab), slab.state_at(addr)) else { return };
        cache.slabs.with(|_| slot.state().set(ObjectState::CACHED));
        self.inspect(cache, object, Life::Free, call);
        let put = cache.slabs.with(|slabs| {
            slabs.quarantined = slabs.quarantined.saturating_sub(1);
            slabs.put(slab, CachedObject { object, slot })?;
            // In the same step: the object keeps the cache no longer, a slab that is taken out does.
            slabs.take_surplus()
        });
        match put {
            Ok(None) => {}
            Ok(Some(surplus)) => _ = self.give_back(cache, surplus),
            Err(Damaged) => _ = self.retire_damaged(cache),
        }
    }
}
