//! Objects are allocated and freed: by this CPU's magazines, or else the slabs.
//! The slabs are under the cache's lock.
//!
//! The first halves, `pop_loaded` and `free_to_magazine`, call no function and take no lock. The rest is out
//! of line: it makes magazines, trades them with the depot, fills them from a slab, or uses the slab where there are
//! none.

use core::ptr::NonNull;

use super::ObjectAllocator;
use super::refusals::NO_CACHE;
use crate::addr::VirtAddr;
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::cache::{Cache, CachePtr, CacheRef};
use crate::objects::classes::NO_BYTES;
use crate::objects::cpu_caches::Reach;
use crate::objects::depot::Lack;
use crate::objects::descriptor::{PLACES_MAX, SlabRef};
use crate::objects::magazine::CachedObject;
use crate::objects::object_state::ObjectState;
use crate::objects::slabs::{Damaged, Slabs};
use crate::objects::watched::Life;
use crate::percpu::Pin;
use crate::platform::{Cpus, Lock, Pinned, Platform};
use crate::report::Call;

/// What a caller asks for who wants all of an object.
const WHOLE: usize = usize::MAX;

/// The cache that an object to be freed must belong to.
pub(super) enum Owner<P: Platform> {
    /// This cache.
    This(CacheRef<P>),
    /// Any cache except the allocators' own.
    Any,
}

/// The result of a look into magazines, depot and slabs.
enum Found {
    Object(NonNull<u8>),
    /// None of them has an object.
    Nothing,
    /// This CPU has no magazines; slabs were not looked at.
    NoMagazines,
}

/// The result of putting an object into a magazine.
enum Put {
    /// It is in.
    Done,
    /// It is in, and a full magazine was emptied into slabs for it.
    Flushed,
    /// Both magazines are full, and the depot of this CPU, which has room, lacks an empty one.
    NeedsMagazine(usize),
    /// There are no magazines here.
    Nowhere,
}

impl<P: Platform> ObjectAllocator<P> {
    /// Takes an object of a cache that is never destroyed, growing it if it must. The context has been checked. The
    /// caller asked for `requested` bytes, or more than an object has.
    #[inline]
    pub(super) fn alloc_object(
        &'static self,
        cache: &Cache<P>,
        requested: usize,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        // A closure for the slow way would have the fast one write down what it needs.
        match self.platform().cpus().pin().and_then(|pin| self.pop_loaded(cache, &pin)) {
            Some(object) => Ok(object),
            None => self.alloc_slowly_from(cache, requested, gfp, call),
        }
    }

    /// Takes an object of the cache that a handle leads to, growing it if it must. The context has been checked.
    #[inline]
    pub(super) fn alloc_by_handle(
        &'static self,
        handle: CacheRef<P>,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        // Pinned before the look at the handle: no cache goes meanwhile.
        let pop = |pin| handle.alive().and_then(|cache| self.pop_loaded(&cache, &pin));
        match self.platform().cpus().pin().and_then(pop) {
            Some(object) => Ok(object),
            None => self.alloc_slowly(handle, WHOLE, gfp, call),
        }
    }

    /// An object from this CPU's loaded magazine.
    #[inline]
    fn pop_loaded(&self, cache: &Cache<P>, pin: &Pin<P>) -> Option<NonNull<u8>> {
        let cached = cache.cpus.loaded(pin.cache_index())?.pop(|| self.platform().step())?;
        self.platform().step();
        cached.slot.state().set(ObjectState::LIVE);
        Some(cached.object)
    }

    /// Fills `objects` from this CPU's loaded magazine, as far as it has any; returns how many.
    pub(super) fn alloc_many_from_magazine(&self, handle: CacheRef<P>, objects: &mut [NonNull<u8>]) -> usize {
        let Some(pin) = self.platform().cpus().pin() else { return 0 };
        let Some(cache) = handle.alive() else { return 0 };
        let take = |place: &mut NonNull<u8>| {
            *place = self.pop_loaded(&cache, &pin)?;
            Some(())
        };
        objects.iter_mut().map_while(take).count()
    }

    /// Frees the object at `object` of `owner`, or reports what is wrong with it. Null is accepted and ignored.
    #[inline]
    pub(super) fn free_object(&'static self, object: *const u8, owner: Owner<P>, call: Call) -> Result<(), FreeError> {
        if self.free_to_magazine(object, &owner) { Ok(()) } else { self.free_slowly(object, owner, call) }
    }

    /// Puts the object at `object` into this CPU's loaded magazine, if it is live, its page's word is that of `owner`,
    /// and there is room. Null is no object.
    #[inline]
    fn free_to_magazine(&self, object: *const u8, owner: &Owner<P>) -> bool {
        // Before the checks: of two threads of a CPU that free one object, the second finds it cached.
        let Some(pin) = self.platform().cpus().pin() else { return false };
        let addr = VirtAddr::from_ptr(object);
        let direct_map = P::DIRECT_MAP.unwrap_or(self.direct.start());
        let offset = addr.as_usize().wrapping_sub(direct_map.as_usize());
        if !self.direct.is_gapless(offset) {
            return false;
        }
        let page = self.direct.map().at_offset(offset);
        let (word, link) = (page.word(), page.link());
        let fits = match owner {
            Owner::This(cache) => word == cache.tag(),
            Owner::Any => word.is_slab(),
        };
        if !fits {
            return false;
        }
        // SAFETY: a page with the word of a slab carries the link of its slab, which exists until that word goes.
        let slab = unsafe { SlabRef::from_link(link) };
        // In this order: what is needed of the slab has been read when its register becomes the slot.
        let (number, claimed) = (slab.number(addr), slab.owner());
        let slot = slab.slot(number);
        if number >= PLACES_MAX || !slot.state().is_live() {
            return false;
        }
        let cache = match owner {
            Owner::This(cache) => cache.with_slabs(),
            // SAFETY: a live object is one of a slab whose descriptor may be believed, and a cache outlives its slabs.
            Owner::Any => unsafe { claimed.cast::<Cache<P>>().as_ref() },
        };
        let Some(magazine) = cache.cpus.loaded(pin.cache_index()) else { return false };
        // SAFETY: it lies in the direct map, which null does not.
        let object = unsafe { NonNull::new_unchecked(object.cast_mut()) };
        magazine.push(CachedObject { object, slot }, || self.platform().step()) && {
            self.platform().step();
            slot.state().set(ObjectState::CACHED);
            true
        }
    }

    /// [`alloc_slowly`](Self::alloc_slowly) for a cache that is never destroyed.
    #[cold]
    #[inline(never)]
    fn alloc_slowly_from(
        &'static self,
        cache: &Cache<P>,
        requested: usize,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        self.alloc_slowly(CacheRef::new(cache), requested, gfp, call)
    }

    /// An object from magazines, depot, slabs, or a new slab. Without a pin the caller is counted while it uses the
    /// cache.
    #[cold]
    #[inline(never)]
    fn alloc_slowly(
        &'static self,
        handle: CacheRef<P>,
        requested: usize,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        loop {
            let cache = match self.take_or_enter(handle, requested, call) {
                Ok(taken) => return taken.ok_or_else(|| self.refuse(call, NO_CACHE)),
                Err(cache) => cache,
            };
            self.grow_entered(&cache, gfp, call)?;
        }
    }

    /// An object of the cache that a handle leads to, if there is that cache; or that cache, entered, if it has to
    /// grow.
    fn take_or_enter(
        &'static self,
        handle: CacheRef<P>,
        requested: usize,
        call: Call,
    ) -> Result<Option<NonNull<u8>>, CachePtr<P>> {
        let Some(pin) = self.platform().cpus().pin() else {
            let Some(cache) = self.enter(handle) else { return Ok(None) };
            let object = self.take_object(&cache, None, requested, call);
            cache.slabs.with(Slabs::leave);
            return object.map(Some).ok_or(cache);
        };
        let Some(cache) = handle.alive() else { return Ok(None) };
        self.take_object(&cache, Some(&pin), requested, call).map(Some).ok_or(cache)
    }

    /// An object from magazines, depot or slabs of a cache that stays meanwhile. If there is none, the caller has
    /// entered the cache.
    fn take_object(
        &'static self,
        cache: &Cache<P>,
        pin: Option<&Pin<P>>,
        requested: usize,
        call: Call,
    ) -> Option<NonNull<u8>> {
        match pin.map_or(Found::NoMagazines, |pin| self.alloc_from_depot(cache, pin)) {
            Found::Object(object) => return Some(object),
            Found::Nothing => return None,
            Found::NoMagazines => {}
        }
        if cache.debug.is_empty() { self.take_live_or_enter(cache) } else { self.take_watched(cache, requested, call) }
    }

    /// An object out of the slabs, checked and marked as live, for a caller that asked for so many bytes. If there is
    /// none, the caller has entered the cache.
    fn take_watched(&self, cache: &Cache<P>, requested: usize, call: Call) -> Option<NonNull<u8>> {
        let CachedObject { object, slot } = self.take_cached_or_enter(cache)?;
        if cache.debug.is_marked() {
            self.inspect(cache, object, Life::Free, call);
            self.watched(cache, object).hand_out(requested, call.at());
        }
        self.settled(cache, || slot.state().set(ObjectState::LIVE));
        Some(object)
    }

    /// An object from this CPU's spare magazine, or after the loaded one was traded for a full one or filled.
    fn alloc_from_depot(&'static self, cache: &Cache<P>, pin: &Pin<P>) -> Found {
        let (cpus, cpu) = (&cache.cpus, pin.cache_index());
        if cpus.drain_requests().take(cpu) {
            self.detach_magazines(cache, cpu);
        }
        if !cpus.has_magazines(cpu) {
            // Before its first object: one taken from a slab might lie beside another CPU's.
            self.attach_magazines(cache);
            if !cpus.has_magazines(cpu) {
                return Found::NoMagazines;
            }
        }
        let (Some(loaded), Some(spare)) = (cpus.loaded(cpu), cpus.spare(cpu)) else { return Found::NoMagazines };
        if loaded.is_empty() && !spare.is_empty() {
            cpus.swap(cpu);
        } else if loaded.is_empty() && !cpus.trade(cpu, &cache.sizes) {
            let reach = || if self.is_short(cache) { Reach::All } else { Reach::Surplus };
            if !cpus.trade_with_others(cpu, &cache.sizes, reach) {
                let refill = || {
                    let (batch, stride) = (cache.sizes.batch(), cache.geometry.stride);
                    cache.slabs.with(|slabs| slabs.refill_or_enter([loaded, spare], batch, stride))
                };
                let filled = loop {
                    match refill() {
                        Ok(filled) => break filled,
                        Err(Damaged) => _ = self.retire_damaged(cache),
                    }
                };
                if !filled {
                    return Found::Nothing;
                }
            }
        }
        let cached = cpus.loaded(cpu).and_then(|magazine| magazine.pop(|| self.platform().step()));
        let Some(cached) = cached else {
            cache.slabs.with(Slabs::enter);
            return Found::Nothing;
        };
        cached.slot.state().set(ObjectState::LIVE);
        Found::Object(cached.object)
    }

    /// Frees an object past the fast way, or reports what is wrong with it. Null is accepted and ignored.
    #[cold]
    #[inline(never)]
    fn free_slowly(&'static self, object: *const u8, owner: Owner<P>, call: Call) -> Result<(), FreeError> {
        let is_nothing = |&object: &NonNull<u8>| object == NO_BYTES && matches!(owner, Owner::Any);
        let object = NonNull::new(object.cast_mut()).filter(|object| !is_nothing(object));
        let Some(object) = object else { return Ok(()) };
        let _pin = self.platform().cpus().pin();
        let addr = VirtAddr::from_ptr(object.as_ptr());
        let expected = match owner {
            Owner::This(cache) => Some(cache.tag()),
            Owner::Any => None,
        };
        self.live_object(addr, expected)
            .and_then(|(slab, slot)| {
                let (cache, cached) = (self.owner(slab), CachedObject { object, slot });
                if !cache.debug.is_empty() {
                    self.watch_free(cache, cached, call)?;
                    if self.detain(cache, cached, call) {
                        return Ok(());
                    }
                }
                self.put_away(slab, cached);
                Ok(())
            })
            .or_else(|error| match self.retired_bytes(addr) {
                Some(_) => Ok(()),
                None => {
                    let is_gone = matches!(owner, Owner::This(cache) if cache.alive().is_none());
                    Err(self.bad_object(call, addr, if is_gone { FreeError::WrongCache } else { error }))
                }
            })
    }

    /// Puts a live object into a magazine, or, where there is none, into its slab.
    fn put_away(&'static self, slab: SlabRef, cached: CachedObject) {
        let cache = self.owner(slab);
        match self.put_into_magazine(cache, cached, Full::Keep) {
            Put::Done => return,
            Put::Flushed => return self.trim(cache),
            Put::NeedsMagazine(cpu) => {
                if let Some(empty) = self.new_magazine(cache) {
                    cache.cpus.add(cpu, empty);
                }
            }
            Put::Nowhere => self.attach_magazines(cache),
        }
        if matches!(self.put_into_magazine(cache, cached, Full::Flush), Put::Done | Put::Flushed) {
            self.trim(cache);
        } else {
            self.put_into_slab(cache, slab, cached);
        }
    }

    /// Puts a live object into this CPU's magazines, which are traded or emptied if they are full.
    fn put_into_magazine(&'static self, cache: &Cache<P>, cached: CachedObject, when_full: Full) -> Put {
        let Some(pin) = self.platform().cpus().pin() else { return Put::Nowhere };
        let (cpus, cpu) = (&cache.cpus, pin.cache_index());
        if cpus.drain_requests().take(cpu) {
            self.detach_magazines(cache, cpu);
        }
        let (Some(loaded), Some(spare)) = (cpus.loaded(cpu), cpus.spare(cpu)) else { return Put::Nowhere };
        if !cpus.has_magazines(cpu) {
            return Put::Nowhere;
        }
        let mut put = Put::Done;
        if loaded.is_full() && !spare.is_full() {
            cpus.swap(cpu);
        } else if loaded.is_full() {
            let limit = if self.is_short(cache) { 0 } else { cache.sizes.depot() };
            match cpus.trade_in(cpu, &cache.sizes, limit) {
                Ok(()) => {}
                Err(Lack::Magazine) if matches!(when_full, Full::Keep) => return Put::NeedsMagazine(cpu),
                Err(_) => {
                    self.put_all_into_slabs(cache, loaded);
                    put = Put::Flushed;
                }
            }
        }
        let pushed = cpus.loaded(cpu).is_some_and(|magazine| magazine.push(cached, || self.platform().step()));
        if !pushed {
            return Put::Nowhere;
        }
        cached.slot.state().set(ObjectState::CACHED);
        put
    }
}

/// What to do with a full magazine when the depot has room for it but no empty one.
#[derive(Clone, Copy)]
enum Full {
    /// Return `NeedsMagazine`.
    Keep,
    /// Put its objects into their slabs.
    Flush,
}
