//! kmem_cache_create, alloc, free, shrink, destroy. (Chapter: "Lookaside Caches".)

use core::panic::Location;
use core::ptr::NonNull;

use super::Memory;
use super::objects::Owner;
use crate::addr::VirtAddr;
use crate::error::{AllocError, CreateError, DestroyError, FreeError};
use crate::gfp::GfpFlags;
use crate::platform::{Lock, Platform, Report};
use crate::slab::descriptor::Slab;
use crate::slab::geometry::OFF_SLAB_OBJECTS;
use crate::slab::{Cache, CacheFlags, CacheName, CacheRef, CacheStats, Ctor, DebugFlags, Dtor, Geometry};

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
        let name = check_spec(spec).inspect_err(|error| {
            self.refuse("kmem_cache_create", error.reason(), caller);
        })?;
        let geometry = |debug| Geometry::for_debugged_cache(spec.size, spec.offset, spec.flags, debug);
        self.add_cache(name, &geometry, spec.flags, (spec.ctor, spec.dtor), caller)
    }

    /// Makes a cache and puts it into the chain, unless the name is taken.
    pub(super) fn add_cache(
        &'static self,
        name: CacheName,
        geometry: &dyn Fn(DebugFlags) -> Result<Geometry, CreateError>,
        flags: CacheFlags,
        callees: (Option<Ctor>, Option<Dtor>),
        caller: &'static Location<'static>,
    ) -> Result<CacheRef<P>, CreateError> {
        let (chosen, tag) = self.chain.with(|chain| (chain.debug.for_cache(name), chain.next_tag()));
        let mut debug = chosen | flags.debug();
        if callees.0.is_some() {
            if flags.contains(CacheFlags::POISON) {
                self.refuse("kmem_cache_create", "no poison for what a constructor made", caller);
            }
            // A constructed object must stay as it is while it is free.
            debug.remove(DebugFlags::POISON | DebugFlags::ZERO_ON_ALLOC | DebugFlags::ZERO_ON_FREE);
        }
        let geometry = geometry(debug).inspect_err(|error| {
            self.refuse("kmem_cache_create", error.reason(), caller);
        })?;
        let memory = self.take_object(&self.boot_caches.caches, GfpFlags::KERNEL, caller)?.cast::<Cache<P>>();
        // SAFETY: the object is ours alone, aligned to a cache line and as large as a cache.
        unsafe { memory.write(Cache::new(name, (geometry, debug), flags, callees, tag)) };
        let cache = CacheRef::new(memory);
        cache.front.attach();
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
        cache.kill();
        let freed = self.put_object(VirtAddr::from_ptr(cache.ptr().as_ptr()), Some(&self.boot_caches.caches));
        if let Err(error) = freed {
            self.bad_free("kmem_cache_destroy", VirtAddr::from_ptr(cache.ptr().as_ptr()), error, caller);
        }
    }

    /// Allocates an object. `gfp` matters only when the cache must grow, except that a call that may sleep is refused
    /// where the caller may not. Content is what the constructor or the last owner left.
    #[track_caller]
    #[inline]
    pub fn kmem_cache_alloc(&'static self, cache: CacheRef<P>, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let caller = Location::caller();
        let Some(cache) = cache.alive() else { return Err(self.refuse("kmem_cache_alloc", "no such cache", caller)) };
        self.check_context("kmem_cache_alloc", gfp, caller)?;
        self.alloc_object(&cache, gfp, caller)
    }

    /// Frees an object of `cache`. Never sleeps; any context. Anything but a live object of this cache is reported and
    /// left as it was.
    #[track_caller]
    #[inline]
    pub fn kmem_cache_free(&'static self, cache: CacheRef<P>, object: NonNull<u8>) -> Result<(), FreeError> {
        self.free_object("kmem_cache_free", object.as_ptr(), Owner::This(cache), Location::caller())
    }

    /// Bytes of an object of `cache`, padding included.
    pub fn kmem_cache_size(&self, cache: CacheRef<P>) -> usize {
        cache.geometry.usable
    }

    /// Gives the whole slabs of a cache back, those too whose objects all wait in magazines, and returns how many pages
    /// that were. Process context.
    #[track_caller]
    pub fn kmem_cache_shrink(&'static self, cache: CacheRef<P>) -> usize {
        let caller = Location::caller();
        if self.check_may_sleep("kmem_cache_shrink", caller).is_err() {
            return 0;
        }
        cache.alive().map_or(0, |cache| self.shrink(&cache))
    }

    /// Destroys a cache, if all its objects were freed. Otherwise it stays alive and listed, and the log says so.
    /// Nobody may use the cache meanwhile. Process context; may sleep.
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
                None => self.platform.wait_for_memory(&mut || cache.slabs.with(|slabs| slabs.len() == 0)),
            }
        }
    }

    /// Shrinks a cache and takes it out of the chain, if nothing is left of it. `None`: a slab is on its way out.
    fn try_unlist(&'static self, cache: CacheRef<P>) -> Option<Result<(), DestroyError>> {
        let Some(cache) = cache.alive().filter(|cache| !self.kmalloc.contains(cache)) else {
            return Some(Err(DestroyError::NoSuchCache));
        };
        self.shrink(&cache);
        if cache.slabs.with(|slabs| cache.usage(slabs).0 == 0) {
            // CPUs that are busy elsewhere may still have magazines, and nobody uses the cache.
            self.strip_all(&cache);
            self.shrink(&cache);
        }
        self.chain.with(|chain| {
            let (live, slabs) = cache.slabs.with(|slabs| (cache.usage(slabs).0, slabs.len()));
            match (live, slabs) {
                (0, 0) if chain.remove(cache) => Some(Ok(())),
                (0, 0) => Some(Err(DestroyError::NoSuchCache)),
                (0, _) => None,
                (live, _) => Some(Err(DestroyError::Busy(live))),
            }
        })
    }

    /// A snapshot of each cache: `kmem_cache`, then the others, newest first. Nothing is locked between two of them, so
    /// the caller may allocate and print; a cache that comes or goes meanwhile may be missed.
    pub fn caches(&self) -> impl Iterator<Item = CacheStats> {
        let listed = (0..).map_while(|nth| self.chain.with(|chain| chain.iter().nth(nth).map(|cache| cache.stats())));
        let last = self.boot_caches.shrinkable().map(Cache::stats);
        core::iter::once(self.boot_caches.caches.stats()).chain(listed).chain(last)
    }

    pub(super) fn validate_caches(&self) -> Result<(), &'static str> {
        self.boot_caches.caches.validate()?;
        self.boot_caches.shrinkable().try_for_each(Cache::validate)?;
        self.chain.with(|chain| chain.iter().try_for_each(|cache| cache.validate()))
    }

    /// Bytes of a descriptor that stands outside of its slab; the size of one object of the cache `slab`.
    pub const fn descriptor_bytes() -> usize {
        Slab::bytes(OFF_SLAB_OBJECTS)
    }
}

/// Checks the arguments of `kmem_cache_create`, but for the sizes: laying out a slab does that.
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
