//! kmem_cache_create, alloc, free, shrink.
//! (Chapter: "Lookaside Caches".)

use core::ptr::NonNull;

use super::ObjectAllocator;
use super::alloc::Owner;
use crate::error::{AllocError, CreateError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::cache::{Cache, CachePtr, CacheRef, CacheStats};
use crate::objects::debug::{DebugChoice, DebugFlags};
use crate::objects::geometry::{CacheFlags, Geometry};
use crate::objects::name::CacheName;
use crate::objects::origin::{Ctor, Dtor, Origin};
use crate::objects::slabs::Slabs;
use crate::page::SlabUser;
use crate::pages::ZeroPages;
use crate::platform::{Lock, Platform};
use crate::report::Call;

/// The arguments of [`kmem_cache_create`](crate::Memory::kmem_cache_create).
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

impl<P: Platform> ObjectAllocator<P> {
    /// Creates a cache. Process context only; may sleep.
    pub(crate) fn kmem_cache_create(
        &'static self,
        spec: &CacheSpec<'_>,
        call: Call,
    ) -> Result<CacheRef<P>, CreateError> {
        self.pages.check_may_sleep(call).map_err(|_| CreateError::WrongContext)?;
        let name = check_spec(spec).inspect_err(|error| {
            self.refuse(call, error.reason());
        })?;
        let geometry = |debug| Geometry::for_debugged_cache(spec.size, spec.offset, spec.flags, debug);
        let origin = Origin { ctor: spec.ctor, dtor: spec.dtor, creator: Some(call.at()) };
        self.add_cache(name, &geometry, spec.flags, origin, call).map(|cache| CacheRef::new(&cache))
    }

    /// A cache for descriptors of the allocators' own, `bytes` each: only they free its objects, and it stays. It must
    /// be [adopted](Self::adopt) before it is used.
    pub(crate) fn new_own(&self, name: CacheName, bytes: usize) -> Cache<P> {
        let tag = self.list.with(|list| list.next_tag(SlabUser::Allocators));
        Cache::own(name, Geometry::for_descriptors(bytes), Origin::default(), tag)
    }

    /// Lists a cache from [`new_own`](Self::new_own), unless it is listed.
    pub(crate) fn adopt(&self, cache: &'static Cache<P>) {
        let cache = CachePtr::new(cache);
        self.list.with(|list| {
            if list.iter().all(|listed| listed != cache) {
                list.push(cache);
            }
        });
    }

    /// Makes a cache and lists it, unless its name is taken.
    pub(super) fn add_cache(
        &'static self,
        name: CacheName,
        geometry: &dyn Fn(DebugFlags) -> Result<Geometry, CreateError>,
        flags: CacheFlags,
        origin: Origin,
        call: Call,
    ) -> Result<CachePtr<P>, CreateError> {
        if origin.ctor.is_some() && flags.contains(CacheFlags::POISON) {
            self.refuse(call, "no poison for what a constructor made");
        }
        let (debug, tag) = self.list.with(|list| {
            let mut debug = list.debug.for_cache(name) | flags.debug();
            if origin.ctor.is_some() {
                // A constructed object must stay as it is while it is free.
                debug.remove(DebugFlags::POISON | DebugFlags::ZERO_ON_ALLOC | DebugFlags::ZERO_ON_FREE);
            }
            let user = if debug.is_empty() { SlabUser::Anyone } else { SlabUser::Slowly };
            (debug, list.next_tag(user))
        });
        let geometry = geometry(debug).inspect_err(|error| {
            self.refuse(call, error.reason());
        })?;
        let place = self.take_own(&self.own.caches, GfpFlags::KERNEL, call)?;
        // SAFETY: the object is this cache's; its constructor was given when the cache of caches was made.
        let cache = unsafe { Cache::init(place, name, geometry, debug, flags, origin, tag) };
        let listed = self.list.with(|list| {
            let free = list.named(name).all(|other| other.is_disowned()) && !self.own.has(name);
            if free {
                list.push(cache);
                cache.open();
            }
            free
        });
        if listed {
            return Ok(cache);
        }
        self.release(cache, call);
        self.refuse(call, CreateError::DuplicateName.reason());
        Err(CreateError::DuplicateName)
    }

    /// Frees the memory of a closed cache that is in no list and has no slabs.
    pub(super) fn release(&'static self, cache: CachePtr<P>, call: Call) {
        if let Err(error) = self.put_own(&self.own.caches, cache.addr()) {
            self.pages.bad_free(call, cache.addr(), None, error);
        }
    }

    /// Allocates an object. `gfp` matters only when the cache must grow, except that a call that may sleep is refused
    /// where the caller may not.
    #[inline]
    pub(crate) fn kmem_cache_alloc(
        &'static self,
        cache: CacheRef<P>,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        self.check_context(gfp, call)?;
        self.alloc_by_handle(cache, gfp, call)
    }

    /// Frees an object of `cache`. Never sleeps; any context. A wrong free is reported.
    #[inline]
    pub(crate) fn kmem_cache_free(
        &'static self,
        cache: CacheRef<P>,
        object: NonNull<u8>,
        call: Call,
    ) -> Result<(), FreeError> {
        self.free_object(object.as_ptr(), Owner::This(cache), call)
    }

    /// Allocates objects until `objects` is full and returns how many that were: fewer only when memory ran out or the
    /// caller may not sleep. Context and content as [`kmem_cache_alloc`](crate::Memory::kmem_cache_alloc).
    #[track_caller]
    pub fn kmem_cache_alloc_bulk(
        &'static self,
        cache: CacheRef<P>,
        gfp: GfpFlags,
        objects: &mut [NonNull<u8>],
    ) -> usize {
        let call = Call::here(&"kmem_cache_alloc_bulk");
        if self.check_context(gfp, call).is_err() {
            return 0;
        }
        let mut filled = self.alloc_many_from_magazine(cache, objects);
        while filled < objects.len() {
            match self.alloc_by_handle(cache, gfp, call) {
                Ok(object) => objects[filled] = object,
                Err(AllocError) => break,
            }
            filled += 1;
            filled += self.alloc_many_from_magazine(cache, &mut objects[filled..]);
        }
        filled
    }

    /// Frees objects of a cache; returns how many were refused, each with a report. Never sleeps; any context.
    #[track_caller]
    pub fn kmem_cache_free_bulk(&'static self, cache: CacheRef<P>, objects: &[NonNull<u8>]) -> usize {
        let call = Call::here(&"kmem_cache_free_bulk");
        let free = |object: NonNull<u8>| self.free_object(object.as_ptr(), Owner::This(cache), call);
        objects.iter().filter(|&&object| free(object).is_err()).count()
    }

    /// Gives the whole slabs of a cache back, also those whose objects are all cached, and returns how many pages that
    /// were. Process context.
    pub(crate) fn kmem_cache_shrink(&'static self, cache: CacheRef<P>, call: Call) -> usize {
        if self.pages.check_may_sleep(call).is_err() {
            return 0;
        }
        let Some(cache) = self.enter(cache) else { return 0 };
        self.release_those_of(&cache, call);
        let pages = self.shrink_cache(&cache);
        cache.slabs.with(Slabs::leave);
        pages
    }

    /// Bytes of an object of `cache`, padding included; `None` once it was destroyed.
    pub fn kmem_cache_size(&self, cache: CacheRef<P>) -> Option<usize> {
        self.list.with(|_| cache.alive().map(|cache| cache.geometry.usable))
    }

    /// The name of `cache`; `None` once it was destroyed.
    pub fn kmem_cache_name(&self, cache: CacheRef<P>) -> Option<CacheName> {
        self.list.with(|_| cache.alive().map(|cache| cache.name))
    }

    /// A snapshot of each cache: `kmem_cache`, then the others, newest first. Nothing is locked between two of them, so
    /// the caller may allocate and print; a cache may be missed if one is created or destroyed meanwhile.
    pub fn caches(&self) -> impl Iterator<Item = CacheStats> {
        let listed = (0..).map_while(|nth| self.list.with(|list| list.iter().nth(nth).map(|cache| cache.stats())));
        let last = self.own.shrinkable().map(Cache::stats);
        core::iter::once(self.own.caches.stats()).chain(listed).chain(last)
    }

    /// Whether there is a cache of this name, other than the allocators' own, which are never debugged.
    pub fn is_debuggable(&self, name: CacheName) -> bool {
        self.list.with(|list| list.named(name).any(|cache| !cache.is_own()))
    }

    /// Checks every cache; returns the first invariant that is broken. No call may use one.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let validate = |cache: &Cache<P>| {
            cache.validate(|cached| self.is_counted(cached))?;
            cache.slabs.with(|slabs| slabs.iter().try_for_each(|slab| self.validate_objects(cache, slab)))
        };
        self.own.all().try_for_each(validate)?;
        self.list.with(|list| list.iter().try_for_each(|cache| validate(&cache)))
    }

    /// Sets the debugging of caches created from now on, and what of it is for pages too. Boot, before
    /// [`init`](Self::init) if kmalloc's are to be among them.
    pub(crate) fn set_debug(&self, choice: DebugChoice) {
        self.list.with(|list| list.debug = choice);
        let mut zeroed = ZeroPages::empty();
        zeroed.set(ZeroPages::ON_ALLOC, choice.all.contains(DebugFlags::ZERO_ON_ALLOC));
        zeroed.set(ZeroPages::ON_FREE, choice.all.contains(DebugFlags::ZERO_ON_FREE));
        self.pages.set_zeroing(zeroed);
    }
}

/// Checks the arguments of `kmem_cache_create` except the sizes, which the layout of a slab checks.
fn check_spec(spec: &CacheSpec<'_>) -> Result<CacheName, CreateError> {
    let name = CacheName::new(spec.name)?;
    if spec.dtor.is_some() && spec.ctor.is_none() {
        return Err(CreateError::DestructorAlone);
    }
    if !CacheFlags::all().contains(spec.flags) {
        return Err(CreateError::BadFlags);
    }
    Ok(name)
}
