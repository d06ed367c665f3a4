//! Every slab, and every object of debugged caches, is looked at on demand.

use core::fmt;

use super::ObjectAllocator;
use crate::objects::cache::{Cache, CachePtr};
use crate::objects::descriptor::SlabRef;
use crate::objects::gaps::Gap;
use crate::objects::object_state::ObjectState;
use crate::objects::slabs::Damaged;
use crate::objects::watched::{Finding, Life};
use crate::platform::{Lock, Platform};
use crate::report::Call;

/// What a check has looked at, and what it has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct SlabCheck {
    /// Slabs of all caches.
    pub slabs: usize,
    /// Objects of debugged caches, live or free.
    pub objects: usize,
    /// Damages, which were reported and repaired.
    pub damages: usize,
    /// Pages of slabs that could not be repaired: they were reported and retired.
    pub retired: usize,
}

impl fmt::Display for SlabCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slabs, objects, damages, retired } = self;
        write!(f, "{slabs} slabs, {objects} debugged objects: {damages} damages repaired, {retired} pages retired")
    }
}

/// Damages of one object that a check reports at most.
const LOOKS: usize = 4;

/// Where a check of a slab goes on: looks at its objects.
#[derive(Clone, Copy)]
struct Place(usize);

impl<P: Platform> ObjectAllocator<P> {
    /// Looks at every slab, and at every object of debugged caches that is not on its way to or from its owner: red
    /// zones of live ones, poison of free ones. Damage is reported and repaired. It holds the lock of a cache while it
    /// looks at a slab; a slab may be missed that comes or goes meanwhile. Never sleeps. (Kernel console: a write to
    /// /proc/sys/vm/slab_check.)
    #[track_caller]
    pub fn check_slabs(&self) -> SlabCheck {
        let (call, before) = (Call::here(&"slab_check"), self.retired_pages());
        let mut seen = SlabCheck::default();
        self.own.all().for_each(|cache| self.check_cache(cache, &mut seen, call));
        let listed = |nth| self.list.with(|list| list.iter().nth(nth));
        (0..).map_while(listed).for_each(|cache: CachePtr<P>| self.check_cache(&cache, &mut seen, call));
        seen.retired = self.retired_pages() - before;
        seen
    }

    fn check_cache(&self, cache: &Cache<P>, seen: &mut SlabCheck, call: Call) {
        let mut nth = 0;
        while let Some(checked) = self.check_slab(cache, nth, seen, call) {
            match checked {
                Ok(()) => nth += 1,
                Err(Damaged) => seen.damages += self.retire_damaged(cache),
            }
        }
    }

    /// Looks at the slab that is the `nth` in the lists of a cache, if there is one.
    fn check_slab(
        &self,
        cache: &Cache<P>,
        nth: usize,
        seen: &mut SlabCheck,
        call: Call,
    ) -> Option<Result<(), Damaged>> {
        let mut place = Some(Place(0));
        while let Some(from) = place {
            let found = cache.slabs.with(|slabs| {
                let slab = slabs.iter().nth(nth)?;
                if slab.validate().is_err() {
                    if slab.is_sound() {
                        slab.condemn();
                    }
                    return Some(Err(Damaged));
                }
                Some(Ok((self.next_finding(cache, slab, from), slab.objects())))
            });
            let (finding, objects) = match found? {
                Ok(found) => found,
                Err(Damaged) => return Some(Err(Damaged)),
            };
            if from.0 == 0 {
                seen.slabs += 1;
                seen.objects += if cache.debug.is_empty() { 0 } else { objects };
            }
            place = finding.map(|(finding, next)| {
                seen.damages += 1;
                self.report_damage(cache, finding, call);
                next
            });
        }
        Some(Ok(()))
    }

    /// The next damage in a slab whose cache is locked, repaired, and where to go on.
    fn next_finding(&self, cache: &Cache<P>, slab: SlabRef, Place(from): Place) -> Option<(Finding, Place)> {
        if let Some(finding) = Gap::find_first(&cache.layout_of(slab), slab) {
            return Some((finding, Place(from.max(1))));
        }
        let mut look = from;
        while !cache.debug.is_empty() && look < slab.objects() * LOOKS {
            let found = self.look_at(cache, slab, look / LOOKS);
            if let Some(finding) = found {
                return Some((finding, Place(look + 1)));
            }
            look = (look / LOOKS + 1) * LOOKS;
        }
        None
    }

    /// The first damage to an object at rest of a debugged cache that is locked.
    fn look_at(&self, cache: &Cache<P>, slab: SlabRef, object: usize) -> Option<Finding> {
        let life = life_of(slab, object)?;
        self.watched(cache, self.objects_of(cache, slab).nth(object)?).find(life)
    }

    /// Checks what surrounds the objects of a cache, which is locked and whose slabs are sound. No call may use it.
    pub(super) fn validate_objects(&self, cache: &Cache<P>, slab: SlabRef) -> Result<(), &'static str> {
        if !Gap::are_whole(&cache.layout_of(slab), slab) {
            return Err("bytes of a slab that belong to no object were written to");
        }
        let is_damaged = |(number, object)| {
            let damage = |life| self.watched(cache, object).damage(life);
            life_of(slab, number).and_then(damage).is_some()
        };
        if !cache.debug.is_empty() && self.objects_of(cache, slab).enumerate().any(is_damaged) {
            return Err("an object of a debugged cache is damaged");
        }
        Ok(())
    }
}

/// Whether an object of a slab whose cache is locked is live or free; `None` while it is on its way.
fn life_of(slab: SlabRef, object: usize) -> Option<Life> {
    match slab.slot(object).state().get() {
        ObjectState::LIVE => Some(Life::Live),
        ObjectState::FREE | ObjectState::QUARANTINED => Some(Life::Free),
        _ => None,
    }
}
