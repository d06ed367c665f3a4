//! kmem_cache_create, alloc, free, shrink, destroy. (Chapter: "Lookaside Caches".)

use core::panic::Location;
use core::ptr::NonNull;

use super::Memory;
use super::events::Event;
use crate::addr::{Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::error::{AllocError, CreateError, DestroyError, FreeError};
use crate::gfp::GfpFlags;
use crate::page::{Page, PageState, Word};
use crate::platform::{Lock, Platform, Report};
use crate::slab::cache::Freed;
use crate::slab::descriptor::{Slab, SlabRef};
use crate::slab::geometry::OFF_SLAB_OBJECTS;
use crate::slab::{Cache, CacheFlags, CacheName, CacheRef, CacheStats, Ctor, CtorFlags, Dtor, Geometry};

/// The flags that choose a zone: they concern a cache's objects, not what describes them.
const ZONES: GfpFlags = GfpFlags::DMA.union(GfpFlags::HIGHMEM);

/// What the arguments of [`Memory::kmem_cache_create`] ask for.
#[derive(Clone, Copy)]
pub struct CacheSpec<'a> {
    /// 1 to 19 visible characters, unlike any other cache's.
    pub name: &'a str,
    /// Bytes of an object, 8 to 131072.
    pub size: usize,
    /// Bytes by which the first objects of consecutive slabs are shifted against each other; 0 for a cache line.
    pub offset: usize,
    /// How objects are treated.
    pub flags: CacheFlags,
    /// Called once for each object when its slab is made.
    pub ctor: Option<Ctor>,
    /// Called once for each object when its slab goes. Needs a constructor.
    pub dtor: Option<Dtor>,
}

impl<P: Platform> Memory<P> {
    /// Creates a cache. Process context only; may sleep.
    #[track_caller]
    pub fn kmem_cache_create(&'static self, spec: &CacheSpec<'_>) -> Result<CacheRef<P>, CreateError> {
        let caller = Location::caller();
        self.check_may_sleep("kmem_cache_create", caller).map_err(|_| CreateError::WrongContext)?;
        let (name, geometry) = check_spec(spec).inspect_err(|error| {
            self.refuse("kmem_cache_create", error.reason(), caller);
        })?;
        self.add_cache(name, geometry, spec.flags, (spec.ctor, spec.dtor), caller)
    }

    /// Makes a cache and puts it into the chain, unless the name is taken.
    pub(super) fn add_cache(
        &'static self,
        name: CacheName,
        geometry: Geometry,
        flags: CacheFlags,
        (ctor, dtor): (Option<Ctor>, Option<Dtor>),
        caller: &'static Location<'static>,
    ) -> Result<CacheRef<P>, CreateError> {
        let memory = self.take_object(&self.boot_caches.caches, GfpFlags::KERNEL, caller)?.cast::<Cache<P>>();
        let generation = self.chain.with(|chain| chain.next_generation());
        // SAFETY: the object is ours alone, aligned to 8 and as large as a cache.
        unsafe { memory.write(Cache::new(name, geometry, flags, ctor, dtor, generation)) };
        let cache = CacheRef::new(memory);
        let listed = self.chain.with(|chain| {
            let free = chain.iter().all(|other| other.name != name) && !self.boot_caches.has(name);
            if free {
                chain.push(cache);
            }
            free
        });
        if listed {
            return Ok(cache);
        }
        self.bury(cache, caller);
        self.refuse("kmem_cache_create", CreateError::DuplicateName.reason(), caller);
        Err(CreateError::DuplicateName)
    }

    /// Ends a cache that is in no list and has no slabs.
    fn bury(&'static self, cache: CacheRef<P>, caller: &'static Location<'static>) {
        cache.generation.store(0, Relaxed);
        let freed = self.put_object(VirtAddr::from_ptr(cache.ptr().as_ptr()), Some(&self.boot_caches.caches));
        if let Err(error) = freed {
            self.bad_free("kmem_cache_destroy", VirtAddr::from_ptr(cache.ptr().as_ptr()), error, caller);
        }
    }

    /// Allocates an object. `gfp` matters only when the cache must grow, except that a call that may sleep is refused
    /// where the caller may not. Content is what the constructor or the last owner left.
    #[track_caller]
    pub fn kmem_cache_alloc(&'static self, cache: CacheRef<P>, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let caller = Location::caller();
        let cache = cache.alive().ok_or_else(|| self.refuse("kmem_cache_alloc", "no such cache", caller))?;
        self.check_context("kmem_cache_alloc", gfp, caller)?;
        self.take_object(&cache, gfp, caller)
    }

    /// Frees an object of `cache`. Never sleeps; any context. Anything but a live object of this cache is reported and
    /// left as it was.
    #[track_caller]
    pub fn kmem_cache_free(&'static self, cache: CacheRef<P>, object: NonNull<u8>) -> Result<(), FreeError> {
        let caller = Location::caller();
        let addr = VirtAddr::from_ptr(object.as_ptr());
        let freed = match cache.alive() {
            Some(cache) => self.put_object(addr, Some(&cache)),
            None => Err(FreeError::WrongCache),
        };
        freed.map_err(|error| self.bad_object("kmem_cache_free", addr, error, caller))
    }

    /// Bytes of an object of `cache`, padding included.
    pub fn kmem_cache_size(&self, cache: CacheRef<P>) -> usize {
        cache.geometry.stride
    }

    /// Gives the empty slabs of a cache back and returns how many pages that were. Process context.
    #[track_caller]
    pub fn kmem_cache_shrink(&'static self, cache: CacheRef<P>) -> usize {
        let caller = Location::caller();
        if self.check_may_sleep("kmem_cache_shrink", caller).is_err() {
            return 0;
        }
        cache.alive().map_or(0, |cache| self.shrink(&cache))
    }

    /// Destroys a cache, if all its objects were freed. Otherwise it stays alive and listed, and the log says so.
    /// Process context; may sleep.
    #[track_caller]
    pub fn kmem_cache_destroy(&'static self, cache: CacheRef<P>) -> Result<(), DestroyError> {
        let caller = Location::caller();
        self.check_may_sleep("kmem_cache_destroy", caller).map_err(|_| DestroyError::WrongContext)?;
        loop {
            match self.try_unlist(cache) {
                Some(Ok(())) => {
                    self.bury(cache, caller);
                    return Ok(());
                }
                Some(Err(DestroyError::Busy(objects))) => {
                    self.platform.report(&Report::ObjectsLeft { cache: cache.name.as_str(), objects }, caller);
                    return Err(DestroyError::Busy(objects));
                }
                Some(Err(error)) => {
                    self.refuse("kmem_cache_destroy", "no such cache", caller);
                    return Err(error);
                }
                // Another thread is giving a slab of this cache back at this moment.
                None => self.platform.wait_for_memory(&mut || cache.slabs.with(|slabs| slabs.is_bare())),
            }
        }
    }

    /// Shrinks a cache and takes it out of the chain, if nothing is left of it. `None`: a slab is on its way out.
    fn try_unlist(&'static self, cache: CacheRef<P>) -> Option<Result<(), DestroyError>> {
        let Some(cache) = cache.alive() else { return Some(Err(DestroyError::NoSuchCache)) };
        self.shrink(&cache);
        self.chain.with(|chain| {
            let (live, bare) = cache.slabs.with(|slabs| (slabs.live(), slabs.is_bare()));
            match (live, bare) {
                (0, false) => None,
                (0, true) if chain.remove(cache) => Some(Ok(())),
                (0, true) => Some(Err(DestroyError::NoSuchCache)),
                (live, _) => Some(Err(DestroyError::Busy(live))),
            }
        })
    }

    /// A snapshot of each cache: `kmem_cache`, then the others, newest first. Nothing is locked between two of them, so
    /// the caller may allocate and print; a cache that comes or goes meanwhile may be missed.
    pub fn caches(&self) -> impl Iterator<Item = CacheStats> {
        let listed = (0..).map_while(|nth| self.chain.with(|chain| chain.iter().nth(nth).map(|cache| cache.stats())));
        let last = self.boot_caches.shrinkable().into_iter().map(Cache::stats);
        core::iter::once(self.boot_caches.caches.stats()).chain(listed).chain(last)
    }

    pub(super) fn validate_caches(&self) -> Result<(), &'static str> {
        self.boot_caches.caches.slabs.with(|slabs| slabs.validate())?;
        self.boot_caches.shrinkable().iter().try_for_each(|cache| cache.slabs.with(|slabs| slabs.validate()))?;
        self.chain.with(|chain| chain.iter().try_for_each(|cache| cache.slabs.with(|slabs| slabs.validate())))
    }

    /// Takes an object, growing the cache if it must.
    #[inline]
    pub(super) fn take_object(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<NonNull<u8>, AllocError> {
        loop {
            if let Some((slab, object)) = cache.slabs.with(|slabs| slabs.take()) {
                return NonNull::new(cache.address_of(slab, object).as_mut_ptr()).ok_or(AllocError);
            }
            self.grow(cache, gfp, caller).inspect_err(|_| cache.slabs.with(|slabs| slabs.failed()))?;
        }
    }

    /// Puts an object back; `expected` is the cache that the caller named. Without one, any but the allocators' own.
    #[inline]
    pub(super) fn put_object(&'static self, addr: VirtAddr, expected: Option<&Cache<P>>) -> Result<(), FreeError> {
        let slab = self.slab_of(addr)?;
        let cache = self.owner(slab);
        let fits = match expected {
            Some(expected) => core::ptr::eq(expected, cache),
            None => !self.boot_caches.contains(cache),
        };
        if !fits {
            return Err(FreeError::WrongCache);
        }
        let object = cache.object_at(slab, addr)?;
        match cache.slabs.with(|slabs| slabs.put(slab, object))? {
            Freed::Kept => {}
            Freed::Surplus(slab) => self.give_back(cache, slab),
        }
        Ok(())
    }

    /// The slab whose block `addr` lies in.
    #[inline]
    pub(super) fn slab_of(&self, addr: VirtAddr) -> Result<SlabRef, FreeError> {
        let frame = self.frame_of(addr).ok_or(FreeError::Wild)?;
        let page = self.map.get(frame).ok_or(FreeError::Wild)?;
        match page.state() {
            PageState::SlabHead(_) | PageState::SlabTail => {
                // SAFETY: a page that reads Slab carries the link of its slab, which exists until that state goes.
                unsafe { SlabRef::from_link(page.link()) }.ok_or(FreeError::NotSlab)
            }
            PageState::Allocated(_) => Err(FreeError::NotSlab),
            PageState::Free(_) | PageState::Parked(_) => Err(FreeError::DoubleFree),
            PageState::Inner => match self.map.block_of(frame) {
                Some((_, PageState::Free(_) | PageState::Parked(_))) => Err(FreeError::DoubleFree),
                Some(_) => Err(FreeError::NotSlab),
                None => Err(FreeError::Reserved),
            },
        }
    }

    /// The cache of a slab.
    #[inline]
    pub(super) fn owner(&self, slab: SlabRef) -> &Cache<P> {
        // SAFETY: a slab's owner is the cache that made it, and a cache outlives its slabs.
        unsafe { slab.owner().cast::<Cache<P>>().as_ref() }
    }

    /// Makes a slab: pages, descriptor, page-map links, constructors; then hands it to the cache.
    #[cold]
    #[inline(never)]
    fn grow(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        let geometry = &cache.geometry;
        self.check_addressable("kmem_cache_grow", cache.page_gfp(gfp), caller)?;
        let frame = self.alloc_frames(cache.page_gfp(gfp), geometry.order, caller)?;
        let block = self.virt(frame);
        let descriptor = match geometry.descriptor_offset {
            Some(offset) => NonNull::new(block.add(offset).as_mut_ptr()).ok_or(AllocError),
            None => self.take_object(&self.boot_caches.descriptors, gfp.difference(ZONES), caller),
        };
        let descriptor = descriptor.inspect_err(|_| {
            self.give_pages(frame, geometry);
        })?;
        let colour = cache.slabs.with(|slabs| slabs.next_colour(geometry.colours));
        let first = block.add(colour * geometry.colour_step);
        // SAFETY: the geometry keeps room for the descriptor at the block's end, or it is an object of its own that has
        // room for OFF_SLAB_OBJECTS indices; both are aligned to 8 and ours.
        let slab = unsafe { SlabRef::init(descriptor, NonNull::from(cache).cast(), first, geometry.objects) };
        debug_assert!(geometry.descriptor_offset.is_some() || geometry.objects <= OFF_SLAB_OBJECTS);
        self.each_page(frame, geometry, |page, state| {
            page.set_link(slab.to_link());
            page.set_word(Word::new(state, self.zone_of(frame)));
        });
        let flags = if gfp.may_sleep() { CtorFlags::CONSTRUCTOR } else { CtorFlags::CONSTRUCTOR | CtorFlags::ATOMIC };
        self.call_each(cache, slab, cache.ctor, flags);
        cache.slabs.with(|slabs| slabs.add(slab));
        Ok(())
    }

    /// Takes a slab apart that its cache has let go: destructors, page-map links, descriptor, pages.
    #[cold]
    #[inline(never)]
    pub(super) fn give_back(&'static self, cache: &Cache<P>, slab: SlabRef) {
        self.call_each(cache, slab, cache.dtor, CtorFlags::empty());
        let geometry = &cache.geometry;
        if let Some(frame) = self.frame_of(slab.first()) {
            let head = Pfn::new(frame.as_u32() & !(geometry.order.pages() - 1));
            if geometry.descriptor_offset.is_none() {
                let freed = self.put_object(slab.addr(), Some(&self.boot_caches.descriptors));
                debug_assert!(freed.is_ok());
            }
            self.give_pages(head, geometry);
        }
        cache.slabs.with(|slabs| slabs.gone());
    }

    /// Turns a slab's pages into an allocated block again and frees it.
    fn give_pages(&self, head: Pfn, geometry: &Geometry) {
        let zone = self.zone_of(head);
        self.each_page(head, geometry, |page, _| page.set_word(Word::new(PageState::Inner, zone)));
        self.map.at(head).set_word(Word::new(PageState::Allocated(geometry.order), zone));
        let freed = self.release_frames(head, geometry.order);
        debug_assert!(freed.is_ok());
    }

    fn each_page(&self, head: Pfn, geometry: &Geometry, f: impl Fn(&Page, PageState)) {
        f(self.map.at(head), PageState::SlabHead(geometry.order));
        for page in 1..geometry.order.pages() {
            f(self.map.at(head.add(page)), PageState::SlabTail);
        }
    }

    fn call_each(&self, cache: &Cache<P>, slab: SlabRef, callee: Option<Ctor>, flags: CtorFlags) {
        let Some(callee) = callee else { return };
        for object in 0..cache.geometry.objects {
            if let Some(addr) = NonNull::new(cache.address_of(slab, object).as_mut_ptr()) {
                callee(addr, cache.name.as_str(), flags);
            }
        }
    }

    /// Gives all empty slabs of a cache back; returns how many pages that were.
    pub(super) fn shrink(&'static self, cache: &Cache<P>) -> usize {
        let mut pages = 0;
        while let Some(slab) = cache.slabs.with(|slabs| slabs.take_empty()) {
            self.give_back(cache, slab);
            pages += cache.geometry.order.pages() as usize;
        }
        pages
    }

    #[cold]
    #[inline(never)]
    pub(super) fn bad_object(
        &self,
        call: &'static str,
        addr: VirtAddr,
        error: FreeError,
        caller: &'static Location<'static>,
    ) -> FreeError {
        self.count(Event::BadFree, 1);
        let name = self.slab_of(addr).map(|slab| self.owner(slab).name);
        let cache = name.as_ref().ok().map(CacheName::as_str);
        self.platform.report(&Report::BadFree { call, addr, cache, error }, caller);
        error
    }

    /// Bytes of a descriptor that stands outside of its slab; the size of one object of the cache `slab`.
    pub const fn descriptor_bytes() -> usize {
        Slab::bytes(OFF_SLAB_OBJECTS)
    }
}

/// Checks the arguments of `kmem_cache_create` as far as they go by themselves.
fn check_spec(spec: &CacheSpec<'_>) -> Result<(CacheName, Geometry), CreateError> {
    let name = CacheName::new(spec.name)?;
    if spec.dtor.is_some() && spec.ctor.is_none() {
        return Err(CreateError::DestructorAlone);
    }
    if !CacheFlags::all().contains(spec.flags) {
        return Err(CreateError::BadFlags);
    }
    Ok((name, Geometry::for_cache(spec.size, spec.offset, spec.flags)?))
}
