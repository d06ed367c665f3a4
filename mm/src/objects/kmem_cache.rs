//! kmem_cache_create, alloc, free, shrink, destroy.
//! (Chapter: "Lookaside Caches".)

use core::ptr::NonNull;

use super::ObjectAllocator;
use super::alloc::Owner;
use crate::addr::VirtAddr;
use crate::error::{AllocError, CreateError, DestroyError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::cache::{Cache, CacheRef, CacheStats, Callees, Ctor, Dtor};
use crate::objects::debug::{DebugChoice, DebugFlags};
use crate::objects::geometry::{CacheFlags, Geometry};
use crate::objects::name::CacheName;
use crate::page::SlabUser;
use crate::pages::ZeroPages;
use crate::platform::{Lock, Platform};
use crate::report::{Call, Incident};

/// What a caller asks for who wants all of an object.
const WHOLE: usize = usize::MAX;
/// Why a call on a destroyed cache is refused.
const NO_CACHE: &str = "no such cache";

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
        self.add_cache(name, &geometry, spec.flags, Callees { ctor: spec.ctor, dtor: spec.dtor }, call)
    }

    /// A cache for descriptors of the allocators' own, `bytes` each: only they free its objects, and it stays. It must
    /// be [adopted](Self::adopt) before it is used.
    pub(crate) fn new_own(&self, name: CacheName, bytes: usize) -> Cache<P> {
        let tag = self.list.with(|list| list.next_tag(SlabUser::Allocators));
        let geometry = Geometry::for_descriptors(bytes);
        Cache::new(name, geometry, DebugFlags::empty(), CacheFlags::NO_REAP, Callees::default(), tag)
    }

    /// Lists a cache from [`new_own`](Self::new_own), which does not move any more. Once.
    pub(crate) fn adopt(&self, cache: &'static Cache<P>) {
        cache.cpus.init_in_place();
        self.list.with(|list| list.push(CacheRef::new(NonNull::from(cache))));
    }

    /// Makes a cache and lists it, unless its name is taken.
    pub(super) fn add_cache(
        &'static self,
        name: CacheName,
        geometry: &dyn Fn(DebugFlags) -> Result<Geometry, CreateError>,
        flags: CacheFlags,
        callees: Callees,
        call: Call,
    ) -> Result<CacheRef<P>, CreateError> {
        if callees.ctor.is_some() && flags.contains(CacheFlags::POISON) {
            self.refuse(call, "no poison for what a constructor made");
        }
        let (debug, tag) = self.list.with(|list| {
            let mut debug = list.debug.for_cache(name) | flags.debug();
            if callees.ctor.is_some() {
                // A constructed object must stay as it is while it is free.
                debug.remove(DebugFlags::POISON | DebugFlags::ZERO_ON_ALLOC | DebugFlags::ZERO_ON_FREE);
            }
            let user = if debug.is_empty() { SlabUser::Anyone } else { SlabUser::Slowly };
            (debug, list.next_tag(user))
        });
        let geometry = geometry(debug).inspect_err(|error| {
            self.refuse(call, error.reason());
        })?;
        let memory = self.take_own(&self.own.caches, GfpFlags::KERNEL, call)?.cast::<Cache<P>>();
        // SAFETY: the object is used only here, aligned to a cache line and as large as a cache.
        unsafe { memory.write(Cache::new(name, geometry, debug, flags, callees, tag)) };
        let cache = CacheRef::new(memory);
        cache.cpus.init_in_place();
        let listed = self.list.with(|list| {
            let free = list.iter().all(|other| other.name != name) && !self.own.has(name);
            if free {
                list.push(cache);
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

    /// Frees the memory of a cache that is in no list and has no slabs.
    fn release(&'static self, cache: CacheRef<P>, call: Call) {
        cache.kill();
        let addr = VirtAddr::from_ptr(cache.ptr().as_ptr());
        if let Err(error) = self.put_own(&self.own.caches, addr) {
            self.pages.bad_free(call, addr, None, error);
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
        let Some(cache) = cache.alive() else { return Err(self.refuse(call, NO_CACHE)) };
        self.check_context(gfp, call)?;
        self.alloc_object(&cache, WHOLE, gfp, call)
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
        let Some(cache) = cache.alive() else {
            self.refuse(call, NO_CACHE);
            return 0;
        };
        if self.check_context(gfp, call).is_err() {
            return 0;
        }
        let mut filled = self.alloc_many_from_magazine(&cache, objects);
        while filled < objects.len() {
            match self.alloc_object(&cache, WHOLE, gfp, call) {
                Ok(object) => objects[filled] = object,
                Err(AllocError) => break,
            }
            filled += 1;
            filled += self.alloc_many_from_magazine(&cache, &mut objects[filled..]);
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
        cache.alive().map_or(0, |cache| {
            self.release_those_of(cache, call);
            self.shrink_cache(&cache)
        })
    }

    /// Bytes of an object of `cache`, padding included.
    pub fn kmem_cache_size(&self, cache: CacheRef<P>) -> usize {
        cache.geometry.usable
    }

    /// Destroys a cache, if all its objects were freed. Otherwise it stays alive and listed, and the log says so.
    /// No other caller may use the cache meanwhile. Process context; may sleep.
    pub(crate) fn kmem_cache_destroy(&'static self, cache: CacheRef<P>, call: Call) -> Result<(), DestroyError> {
        self.pages.check_may_sleep(call).map_err(|_| DestroyError::WrongContext)?;
        if let Some(cache) = cache.alive() {
            self.release_those_of(cache, call);
        }
        loop {
            match self.try_unlist(cache) {
                Some(Ok(())) => {
                    self.release(cache, call);
                    return Ok(());
                }
                Some(Err(DestroyError::Busy(objects))) => {
                    self.pages.report(call, Incident::ObjectsLeft { cache: cache.name.as_str(), objects });
                    return Err(DestroyError::Busy(objects));
                }
                Some(Err(error)) => {
                    self.refuse(call, NO_CACHE);
                    return Err(error);
                }
                // Another thread is giving a slab of this cache back.
                None => self.platform().wait_for_memory(&mut || cache.slabs.with(|slabs| slabs.len() == 0)),
            }
        }
    }

    /// Shrinks a cache and takes it out of the list, if it has no slabs left. `None`: another thread gives one back.
    fn try_unlist(&'static self, cache: CacheRef<P>) -> Option<Result<(), DestroyError>> {
        let Some(cache) = cache.alive().filter(|cache| !cache.is_own() && !self.classes.contains(cache)) else {
            return Some(Err(DestroyError::NoSuchCache));
        };
        self.shrink_cache(&cache);
        if cache.slabs.with(|slabs| cache.usage(slabs).0 == 0) {
            // Busy CPUs may still have magazines, which they do not touch: no caller uses the cache.
            self.detach_all(&cache);
            self.shrink_cache(&cache);
        }
        self.list.with(|list| {
            let (live, slabs) = cache.slabs.with(|slabs| (cache.usage(slabs).0, slabs.len()));
            match (live, slabs) {
                (0, 0) if list.remove(cache) => Some(Ok(())),
                (0, 0) => Some(Err(DestroyError::NoSuchCache)),
                (0, _) => None,
                (live, _) => Some(Err(DestroyError::Busy(live))),
            }
        })
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
        self.list.with(|list| list.iter().any(|cache| cache.name == name && !cache.is_own()))
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
