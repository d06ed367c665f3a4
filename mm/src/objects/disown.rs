//! Whoever took memory is gone: what of it is left, and what leads there.
//!
//! A cache calls its constructor and destructor, and remembers who created it; an object of a cache that is debugged
//! remembers its users. When code is unloaded its caches are closed and call nobody any more, and what is free forgets
//! it. What is live is named, and keeps what it remembers.

use core::panic::Location;

use super::ObjectAllocator;
use crate::addr::VirtAddr;
use crate::objects::cache::{Cache, CachePtr};
use crate::objects::debug::DebugFlags;
use crate::objects::descriptor::SlabRef;
use crate::objects::list::CacheList;
use crate::objects::name::CacheName;
use crate::objects::object_state::ObjectState;
use crate::objects::slabs::Slabs;
use crate::objects::watched::{Event, Life};
use crate::places::Places;
use crate::platform::{Lock, Platform};
use crate::report::Call;

/// A cache that its creator has left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LeftCache {
    /// Its name.
    pub name: CacheName,
    /// Objects that are live: with none it can go.
    pub objects: usize,
    /// Where it was created.
    pub creator: Option<&'static Location<'static>>,
}

/// A live object whose owner is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LeftObject {
    /// The name of its cache.
    pub cache: CacheName,
    /// Its first address.
    pub addr: VirtAddr,
    /// Bytes that were asked for, or that it has.
    pub bytes: usize,
    /// Where it was allocated.
    pub allocated: &'static Location<'static>,
}

/// Objects that are named for each look at all.
const BATCH: usize = 32;
/// Naps that objects are given to arrive where they are on their way to.
const NAPS: usize = 100;

impl<P: Platform> ObjectAllocator<P> {
    /// Closes the caches that were created in `places`, or that call something there, for good: no handle leads to them
    /// and they call nobody. Those without live objects are destroyed; the others stay until their objects were freed.
    /// Calls `visit` with each. Process context.
    pub(crate) fn disown_caches(&'static self, places: Places<'_>, call: Call, visit: &mut dyn FnMut(&LeftCache)) {
        while let Some(cache) = self.disown_next(places) {
            let objects = self.empty_closed(cache, call);
            // Whoever gives a slab back may have begun to call the destructor.
            while cache.slabs.with(|slabs| slabs.is_any_leaving()) {
                self.platform().wait_for_memory(&mut || cache.slabs.with(|slabs| !slabs.is_any_leaving()));
            }
            let left = left_cache(&cache, objects);
            if objects == 0 {
                self.list.with(|list| list.remove(cache));
                self.release(cache, call);
            }
            visit(&left);
        }
    }

    /// Closes one of these caches.
    fn disown_next(&self, places: Places<'_>) -> Option<CachePtr<P>> {
        let is_theirs = |cache: &CachePtr<P>| !cache.is_disowned() && cache.origin.is_in(places);
        loop {
            let (cache, is_open) = self.list.with(|list| {
                let cache = list.iter().find(is_theirs)?;
                let is_open = cache.is_open();
                if is_open {
                    cache.close();
                    cache.disown();
                }
                Some((cache, is_open))
            })?;
            if is_open {
                return Some(cache);
            }
            // Somebody destroys it: it goes, or opens again.
            self.platform().wait_for_memory(&mut || false);
        }
    }

    /// Destroys the caches that were disowned and have no live objects any more. Process context.
    pub(super) fn bury_disowned(&'static self, call: Call) {
        let is_empty = |cache: &CachePtr<P>| cache.is_disowned() && cache.slabs.with(|slabs| slabs.live()) == 0;
        let take_out = |list: &mut CacheList<P>| {
            let cache = list.iter().find(is_empty)?;
            list.remove(cache).then_some(cache)
        };
        // In no list, it is this caller's alone.
        while let Some(cache) = self.list.with(take_out) {
            if self.empty_closed(cache, call) > 0 {
                return self.list.with(|list| list.push(cache));
            }
            self.release(cache, call);
        }
    }

    /// Calls `visit` with each cache that was created in `places`, or that calls something there; returns how many
    /// those are. Any context.
    pub(crate) fn each_cache_in(&self, places: Places<'_>, visit: &mut dyn FnMut(&LeftCache)) -> usize {
        let is_theirs = |cache: &CachePtr<P>| {
            if cache.is_disowned() { places.has_caller(cache.origin.creator) } else { cache.origin.is_in(places) }
        };
        let live = |cache: &CachePtr<P>| cache.slabs.with(|slabs| slabs.live());
        let next = |nth| {
            self.list.with(|list| list.iter().filter(is_theirs).nth(nth).map(|cache| left_cache(&cache, live(&cache))))
        };
        (0..).map_while(next).inspect(|left| visit(left)).count()
    }

    /// Calls `visit` with each live object that was allocated from `places`, as far as that is remembered; returns how
    /// many those are. Any context.
    pub(crate) fn each_object_in(&self, places: Places<'_>, visit: &mut dyn FnMut(&LeftObject)) -> usize {
        let mut named = 0;
        loop {
            let (mut batch, mut count) = ([None; BATCH], 0);
            self.each_tracked_slab(&mut |cache, slab| {
                for left in self.left_in(cache, slab, places) {
                    if let Some(place) = usize::checked_sub(count, named).and_then(|nth| batch.get_mut(nth)) {
                        *place = Some(left);
                    }
                    count += 1;
                }
            });
            batch.iter().flatten().for_each(&mut *visit);
            named += BATCH;
            if named >= count {
                return count;
            }
        }
    }

    /// Has free objects forget users in `places`, and live ones who freed them before. Returns how many objects are on
    /// their way for too long to be asked. Process context.
    pub(crate) fn forget_users(&self, places: Places<'_>) -> usize {
        let mut moving = 0;
        for _ in 0..NAPS {
            moving = 0;
            self.each_tracked_slab(&mut |cache, slab| moving += self.forget_in(cache, slab, places));
            if moving == 0 {
                break;
            }
            self.platform().wait_for_memory(&mut || false);
        }
        moving
    }

    /// Calls `f` with each slab of a cache whose objects' users are remembered. The cache, and the list of caches, are
    /// locked then.
    fn each_tracked_slab(&self, f: &mut dyn FnMut(&Cache<P>, SlabRef)) {
        self.retire_damaged_ones();
        self.list.with(|list| {
            for cache in list.iter().filter(is_tracked) {
                cache.slabs.with(|slabs| slabs.iter().for_each(|slab| f(&cache, slab)));
            }
        });
    }

    /// Retires the damaged slabs of these caches, behind which others would not be seen.
    fn retire_damaged_ones(&self) {
        let is_damaged = |slabs: &mut Slabs| slabs.iter().any(|slab| !slab.is_intact());
        let damaged = |cache: &CachePtr<P>| is_tracked(cache) && cache.slabs.with(is_damaged);
        while let Some(cache) = self.list.with(|list| list.iter().find(damaged)) {
            if self.retire_damaged(&cache) == 0 {
                return;
            }
        }
    }

    /// The live objects of a slab that were allocated from `places`.
    fn left_in(&self, cache: &Cache<P>, slab: SlabRef, places: Places<'_>) -> impl Iterator<Item = LeftObject> {
        let is_live = move |number: &usize| slab.slot(*number).state().is_live();
        let objects = self.objects_of(cache, slab).enumerate().filter(move |(number, _)| is_live(number));
        objects.filter_map(move |(_, object)| {
            let watched = self.watched(cache, object);
            let allocated = watched.users()[Event::Alloc as usize].filter(|&user| places.has_caller(Some(user)))?;
            let (addr, bytes) = (VirtAddr::from_ptr(object.as_ptr()), watched.requested());
            Some(LeftObject { cache: cache.name, addr, bytes, allocated })
        })
    }

    /// Has the objects of a slab forget users in `places`; returns how many are on their way.
    fn forget_in(&self, cache: &Cache<P>, slab: SlabRef, places: Places<'_>) -> usize {
        let mut moving = 0;
        for (number, object) in self.objects_of(cache, slab).enumerate() {
            let life = match slab.slot(number).state().get() {
                ObjectState::LIVE => Life::Live,
                ObjectState::FREE | ObjectState::QUARANTINED => Life::Free,
                _ => {
                    moving += 1;
                    continue;
                }
            };
            self.watched(cache, object).forget_users(life, places);
        }
        moving
    }
}

fn is_tracked<P: Platform>(cache: &CachePtr<P>) -> bool {
    cache.debug.contains(DebugFlags::USERS)
}

fn left_cache<P: Platform>(cache: &Cache<P>, objects: usize) -> LeftCache {
    LeftCache { name: cache.name, objects, creator: cache.origin.creator }
}
