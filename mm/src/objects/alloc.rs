//! The way of an object: through this CPU's magazines, or else through the slabs, under the cache's lock.
//!
//! The first halves, `alloc_from_front` and `free_to_front`, call nothing and take no lock. What they
//! cannot do is done out of line: magazines are made, traded with the depot, filled from a slab, or, where there are
//! none, passed by.

use core::panic::Location;
use core::ptr::NonNull;

use super::Memory;
use crate::addr::{PAGE_SHIFT, Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::page::PageState;
use crate::platform::{Lock, Pinned, Platform};
use crate::slab::depot::Lack;
use crate::slab::descriptor::{SlabRef, State, StatePlace};
use crate::slab::front::Reach;
use crate::slab::magazine::Parked;
use crate::slab::{Cache, CacheRef};

/// Whose an object is that is to be freed.
pub(super) enum Owner<P: Platform> {
    /// This cache's.
    This(CacheRef<P>),
    /// Any cache's, but for the allocators' own.
    Any,
}

/// What magazines, depot and slabs have.
enum Found {
    Object(NonNull<u8>),
    /// None of them has an object.
    Nothing,
    /// This CPU has no magazines; slabs were not looked at.
    NoMagazines,
}

/// What became of an object that was to be put into a magazine.
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

impl<P: Platform> Memory<P> {
    /// Takes an object, growing the cache if it must. The context has been checked.
    #[inline]
    pub(super) fn alloc_object(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<NonNull<u8>, AllocError> {
        match self.alloc_from_front(cache) {
            Some(object) => Ok(object),
            None => self.alloc_slowly(cache, gfp, caller),
        }
    }

    /// An object from this CPU's loaded magazine.
    #[inline]
    fn alloc_from_front(&self, cache: &Cache<P>) -> Option<NonNull<u8>> {
        let pin = self.platform.pin()?;
        let parked = cache.front.loaded(pin.front())?.pop(|| self.platform.step())?;
        self.platform.step();
        parked.place.state().set(State::LIVE);
        Some(parked.object)
    }

    /// Fills `objects` from this CPU's loaded magazine, as far as that goes; returns how many it were.
    pub(super) fn alloc_many_from_front(&self, cache: &Cache<P>, objects: &mut [NonNull<u8>]) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        let Some(magazine) = cache.front.loaded(pin.front()) else { return 0 };
        let pop = |place: &mut NonNull<u8>| {
            let parked = magazine.pop(|| self.platform.step())?;
            parked.place.state().set(State::LIVE);
            *place = parked.object;
            Some(())
        };
        objects.iter_mut().map_while(pop).count()
    }

    /// Frees the object at `object` of `owner`, or reports what is wrong with it. Null is accepted and ignored.
    #[inline]
    pub(super) fn free_object(
        &'static self,
        call: &'static str,
        object: *const u8,
        owner: Owner<P>,
        caller: &'static Location<'static>,
    ) -> Result<(), FreeError> {
        if self.free_to_front(object, &owner) { Ok(()) } else { self.free_slowly(call, object, owner, caller) }
    }

    /// Puts what is at `object` into this CPU's loaded magazine, if it is a live object, its page's word is that of
    /// `owner`, and there is room. Null is no object.
    #[inline]
    fn free_to_front(&self, object: *const u8, owner: &Owner<P>) -> bool {
        // Before the checks: of two threads of a CPU that free one object, the second finds it parked.
        let Some(pin) = self.platform.pin() else { return false };
        let addr = VirtAddr::from_ptr(object);
        let offset = addr.as_usize().wrapping_sub(self.platform.direct_map().as_usize());
        if offset >= self.gapless_bytes {
            return false;
        }
        let page = self.map.at_offset(offset);
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
        let Some(number) = slab.object_at(addr) else { return false };
        let place = slab.place(number);
        if !place.state().is_live() {
            return false;
        }
        let cache = match owner {
            Owner::This(cache) => cache,
            Owner::Any => self.owner(slab),
        };
        let Some(magazine) = cache.front.loaded(pin.front()) else { return false };
        // SAFETY: it lies in the direct map, which null does not.
        let object = unsafe { NonNull::new_unchecked(object.cast_mut()) };
        magazine.push(Parked { object, place }, || self.platform.step()) && {
            self.platform.step();
            place.state().set(State::PARKED);
            true
        }
    }

    /// An object from wherever there is one: magazines, depot, slabs, a new slab.
    #[cold]
    #[inline(never)]
    fn alloc_slowly(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<NonNull<u8>, AllocError> {
        self.take_or_grow(cache, gfp, caller, || {
            match self.alloc_from_depot(cache) {
                Found::Object(object) => return Some(object),
                Found::Nothing => return None,
                Found::NoMagazines => {}
            }
            let object = self.take_from_slab(cache)?;
            if !cache.debug.is_empty() {
                self.watch_alloc(cache, object, caller);
            }
            Some(object)
        })
    }

    /// What `take` takes from a cache, which is grown until there is something.
    fn take_or_grow<R>(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
        take: impl Fn() -> Option<R>,
    ) -> Result<R, AllocError> {
        loop {
            if let Some(taken) = take() {
                return Ok(taken);
            }
            self.grow(cache, gfp, caller).inspect_err(|_| cache.slabs.with(|slabs| slabs.failed()))?;
        }
    }

    /// An object out of a slab.
    pub(super) fn take_from_slab(&self, cache: &Cache<P>) -> Option<NonNull<u8>> {
        let (slab, object) = cache.slabs.with(|slabs| slabs.take())?;
        NonNull::new(cache.address_of(slab, object).as_mut_ptr())
    }

    /// An object from this CPU's spare magazine, or after the loaded one was traded for a full one or filled.
    fn alloc_from_depot(&'static self, cache: &Cache<P>) -> Found {
        let Some(pin) = self.platform.pin() else { return Found::NoMagazines };
        let (front, cpu) = (&cache.front, pin.front());
        if front.is_drain_wanted(cpu) {
            self.strip(cache, cpu);
        }
        if !front.is_equipped(cpu) {
            // Before its first object: taken singly, that one might stand beside another CPU's.
            self.equip(cache);
            if !front.is_equipped(cpu) {
                return Found::NoMagazines;
            }
        }
        let (Some(loaded), Some(spare)) = (front.loaded(cpu), front.spare(cpu)) else { return Found::NoMagazines };
        if loaded.is_empty() && !spare.is_empty() {
            front.swap(cpu);
        } else if loaded.is_empty() && !front.trade(cpu, &cache.stock) {
            let reach = || if self.is_short(cache) { Reach::All } else { Reach::Surplus };
            if !front.trade_with_others(cpu, &cache.stock, reach) {
                cache.slabs.with(|slabs| slabs.refill([loaded, spare], cache.stock.batch(), cache.geometry.stride));
            }
        }
        let parked = front.loaded(cpu).and_then(|magazine| magazine.pop(|| self.platform.step()));
        parked.map_or(Found::Nothing, |parked| {
            parked.place.state().set(State::LIVE);
            Found::Object(parked.object)
        })
    }

    /// Frees an object that the fast way did not take, or says what is wrong with it. Null is accepted and ignored.
    #[cold]
    #[inline(never)]
    fn free_slowly(
        &'static self,
        call: &'static str,
        object: *const u8,
        owner: Owner<P>,
        caller: &'static Location<'static>,
    ) -> Result<(), FreeError> {
        let Some(object) = NonNull::new(object.cast_mut()) else { return Ok(()) };
        let _pin = self.platform.pin();
        let addr = VirtAddr::from_ptr(object.as_ptr());
        let expected = match owner {
            Owner::This(cache) => cache.alive().ok_or(FreeError::WrongCache).map(Some),
            Owner::Any => Ok(None),
        };
        expected
            .and_then(|expected| self.live_object(addr, expected.as_deref()))
            .and_then(|(slab, place)| {
                let (cache, parked) = (self.owner(slab), Parked { object, place });
                if !cache.debug.is_empty() {
                    self.watch_free(cache, parked, caller)?;
                }
                self.park(slab, parked);
                Ok(())
            })
            .map_err(|error| self.bad_object(call, addr, error, caller))
    }

    /// The slab and the state of the live object at `addr`. It must be one of `expected`, or of any cache that is not the
    /// allocators' own.
    pub(super) fn live_object(
        &self,
        addr: VirtAddr,
        expected: Option<&Cache<P>>,
    ) -> Result<(SlabRef, StatePlace), FreeError> {
        let slab = self.slab_of(addr)?;
        let cache = self.owner(slab);
        let fits = match expected {
            Some(expected) => core::ptr::eq(expected, cache),
            None => !self.boot_caches.contains(cache),
        };
        if !fits {
            return Err(FreeError::WrongCache);
        }
        let place = slab.state_at(addr).ok_or(FreeError::Interior)?;
        if place.state().is_live() { Ok((slab, place)) } else { Err(FreeError::DoubleFree) }
    }

    /// Puts a live object away: into a magazine, or, where there is none, into its slab.
    fn park(&'static self, slab: SlabRef, parked: Parked) {
        let cache = self.owner(slab);
        match self.put_into_magazine(cache, parked, Full::Keep) {
            Put::Done => return,
            Put::Flushed => return self.trim(cache),
            Put::NeedsMagazine(cpu) => {
                if let Some(empty) = self.new_magazine(cache) {
                    cache.front.add(cpu, empty);
                }
            }
            Put::Nowhere => self.equip(cache),
        }
        if !matches!(self.put_into_magazine(cache, parked, Full::Flush), Put::Done | Put::Flushed) {
            cache.slabs.with(|slabs| slabs.put(slab, slab.object_of(parked.place)));
        }
        self.trim(cache);
    }

    /// Puts a live object into this CPU's magazines, which are traded or emptied if they are full.
    fn put_into_magazine(&'static self, cache: &Cache<P>, parked: Parked, when_full: Full) -> Put {
        let Some(pin) = self.platform.pin() else { return Put::Nowhere };
        let (front, cpu) = (&cache.front, pin.front());
        if front.is_drain_wanted(cpu) {
            self.strip(cache, cpu);
        }
        let (Some(loaded), Some(spare)) = (front.loaded(cpu), front.spare(cpu)) else { return Put::Nowhere };
        if !front.is_equipped(cpu) {
            return Put::Nowhere;
        }
        let mut put = Put::Done;
        if loaded.is_full() && !spare.is_full() {
            front.swap(cpu);
        } else if loaded.is_full() {
            let limit = if self.is_short(cache) { 0 } else { cache.stock.depot() };
            match front.trade_in(cpu, &cache.stock, limit) {
                Ok(()) => {}
                Err(Lack::Magazine) if matches!(when_full, Full::Keep) => return Put::NeedsMagazine(cpu),
                Err(_) => {
                    cache.slabs.with(|slabs| slabs.put_all(loaded, |addr| self.slab_around(addr)));
                    put = Put::Flushed;
                }
            }
        }
        let pushed = front.loaded(cpu).is_some_and(|magazine| magazine.push(parked, || self.platform.step()));
        if !pushed {
            return Put::Nowhere;
        }
        parked.place.state().set(State::PARKED);
        put
    }

    /// Takes an object of the allocators' own, past all magazines. `gfp` matters when the cache must grow.
    pub(super) fn take_object(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<NonNull<u8>, AllocError> {
        self.take_or_grow(cache, gfp, caller, || self.take_from_slab(cache))
    }

    /// Puts an object back into its slab, past all magazines. It must be one of `expected`, or of any cache that is not
    /// the allocators' own.
    pub(super) fn put_object(&'static self, addr: VirtAddr, expected: Option<&Cache<P>>) -> Result<(), FreeError> {
        let (slab, place) = self.live_object(addr, expected)?;
        let cache = self.owner(slab);
        cache.slabs.with(|slabs| slabs.put(slab, slab.object_of(place)));
        self.trim(cache);
        Ok(())
    }

    /// Gives back the slabs that are too many.
    pub(super) fn trim(&'static self, cache: &Cache<P>) {
        while let Some(slab) = cache.slabs.with(|slabs| slabs.take_surplus()) {
            self.give_back(cache, slab);
        }
    }

    /// The slab whose pages `addr` lies in.
    pub(super) fn slab_of(&self, addr: VirtAddr) -> Result<SlabRef, FreeError> {
        let frame = self.frame_of(addr).ok_or(FreeError::Wild)?;
        let page = self.map.get(frame).ok_or(FreeError::Wild)?;
        match page.state() {
            // SAFETY: a page that reads Slab carries the link of its slab, which exists until that state goes.
            PageState::Slab => Ok(unsafe { SlabRef::from_link(page.link()) }),
            PageState::Allocated(_) => Err(FreeError::NotSlab),
            PageState::Free(_) | PageState::Parked(_) => Err(FreeError::DoubleFree),
            PageState::Inner => match self.map.block_of(frame) {
                Some((_, PageState::Free(_) | PageState::Parked(_))) => Err(FreeError::DoubleFree),
                Some(_) => Err(FreeError::NotSlab),
                None => Err(FreeError::Reserved),
            },
        }
    }

    /// The slab around an address that is known to lie in one.
    pub(super) fn slab_around(&self, addr: VirtAddr) -> SlabRef {
        let offset = addr.as_usize().wrapping_sub(self.platform.direct_map().as_usize());
        let page = self.map.at(Pfn::new((offset >> PAGE_SHIFT) as u32));
        // SAFETY: the page belongs to a slab, which exists as long as one of its objects is out.
        unsafe { SlabRef::from_link(page.link()) }
    }

    /// The cache of a slab.
    #[inline]
    pub(super) fn owner(&self, slab: SlabRef) -> &Cache<P> {
        // SAFETY: a slab's owner is the cache that made it, and a cache outlives its slabs.
        unsafe { slab.owner().cast::<Cache<P>>().as_ref() }
    }
}

/// What to do with a full magazine when the depot has room for it and no empty one to give.
#[derive(Clone, Copy)]
enum Full {
    /// Say so.
    Keep,
    /// Put its objects into their slabs.
    Flush,
}
