//! One cache: its name, its layout and its slabs.

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;

use bitflags::bitflags;

use crate::addr::VirtAddr;
use crate::atomic::{AtomicU32, Ordering::Relaxed};
use crate::error::FreeError;
use crate::gfp::GfpFlags;
use crate::platform::{Lock, Platform};
use crate::slab::descriptor::{SlabList, SlabRef};
use crate::slab::geometry::{CacheFlags, Geometry};
use crate::slab::name::CacheName;

bitflags! {
    /// What a constructor or destructor is told.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CtorFlags: u32 {
        /// The callee is called as a constructor.
        const CONSTRUCTOR = 1;
        /// It must not sleep.
        const ATOMIC = 2;
    }
}

/// Prepares a fresh object: called once for each object when its slab is made, with the object's address, the cache's
/// name and [`CtorFlags::CONSTRUCTOR`].
pub type Ctor = fn(NonNull<u8>, &str, CtorFlags);
/// Cleans an object up: called once for each object when its slab goes, with no flags set.
pub type Dtor = fn(NonNull<u8>, &str, CtorFlags);

/// Empty slabs that a free leaves with a cache for the next allocation.
///
/// A cache with a destructor keeps them all until it is shrunk, reaped or destroyed: a free may come from an interrupt,
/// where a destructor must not run.
const EMPTY_SLABS_KEPT: usize = 2;

/// What a cache holds: a snapshot, one line of /proc/slabinfo.
#[derive(Clone, Copy)]
pub struct CacheStats {
    /// The cache's name.
    pub name: CacheName,
    /// Objects that are allocated.
    pub active_objects: usize,
    /// Objects in all slabs.
    pub objects: usize,
    /// Bytes from one object to the next.
    pub object_size: usize,
    /// Slabs with allocated objects.
    pub active_slabs: usize,
    /// All slabs.
    pub slabs: usize,
    /// Pages of one slab.
    pub pages_per_slab: usize,
    /// Most objects that were ever allocated at once.
    pub high: usize,
    /// Objects handed out since the cache was made.
    pub allocs: u64,
    /// Slabs made.
    pub grown: u64,
    /// Slabs given back.
    pub reaped: u64,
    /// Times that the cache could not grow.
    pub errors: u64,
}

/// A cache of equal objects. Lives in memory that only ever holds caches, so a stale handle finds a dead cache.
pub struct Cache<P: Platform> {
    pub(crate) name: CacheName,
    pub(crate) geometry: Geometry,
    pub(crate) flags: CacheFlags,
    pub(crate) ctor: Option<Ctor>,
    pub(crate) dtor: Option<Dtor>,
    /// Which creation this is; 0 when the cache is dead.
    pub(crate) generation: AtomicU32,
    /// The next older cache; used under the chain's lock.
    pub(crate) next: Cell<Option<CacheRef<P>>>,
    pub(crate) slabs: P::Lock<Slabs>,
}

/// The slabs of a cache, by how full they are.
pub struct Slabs {
    partial: SlabList,
    full: SlabList,
    empty: SlabList,
    /// How many empty slabs a free may leave.
    kept: usize,
    /// Slabs that were taken out to be given back and are not gone yet.
    leaving: usize,
    next_colour: usize,
    live: usize,
    high: usize,
    allocs: u64,
    grown: u64,
    reaped: u64,
    errors: u64,
}

/// What became of a freed object's slab.
pub(crate) enum Freed {
    /// It stays.
    Kept,
    /// It is empty and one too many: the caller gives it back.
    Surplus(SlabRef),
}

/// A handle to a cache. It can be copied and outlive its cache: every call checks it.
pub struct CacheRef<P: Platform> {
    cache: NonNull<Cache<P>>,
    generation: u32,
}

impl<P: Platform> Clone for CacheRef<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Platform> Copy for CacheRef<P> {}

impl<P: Platform> PartialEq for CacheRef<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cache == other.cache && self.generation == other.generation
    }
}

// SAFETY: a handle leads to a `Cache`, whose changing parts are behind locks.
unsafe impl<P: Platform> Send for CacheRef<P> {}
// SAFETY: as above.
unsafe impl<P: Platform> Sync for CacheRef<P> {}

// SAFETY: `next` is used under the chain's lock; the slabs are behind the cache's own; all else is constant or atomic.
unsafe impl<P: Platform> Sync for Cache<P> {}

impl<P: Platform> Deref for CacheRef<P> {
    type Target = Cache<P>;

    fn deref(&self) -> &Cache<P> {
        // SAFETY: caches live in slabs that are never given back, or in `Memory` itself: the target is always a `Cache`.
        unsafe { self.cache.as_ref() }
    }
}

impl<P: Platform> CacheRef<P> {
    /// A handle to a cache that lives for ever at this address.
    pub(crate) fn new(cache: NonNull<Cache<P>>) -> Self {
        let mut handle = Self { cache, generation: 0 };
        handle.generation = handle.deref().generation.load(Relaxed);
        handle
    }

    /// The cache, unless it was destroyed.
    #[inline]
    pub(crate) fn alive(self) -> Option<Self> {
        (self.generation != 0 && self.deref().generation.load(Relaxed) == self.generation).then_some(self)
    }

    /// The cache's address.
    pub(crate) fn ptr(self) -> NonNull<u8> {
        self.cache.cast()
    }

    /// The cache's name.
    pub fn name(self) -> CacheName {
        self.deref().name
    }
}

impl<P: Platform> Cache<P> {
    pub(crate) fn new(
        name: CacheName,
        geometry: Geometry,
        flags: CacheFlags,
        ctor: Option<Ctor>,
        dtor: Option<Dtor>,
        generation: u32,
    ) -> Self {
        Self {
            name,
            geometry,
            flags,
            ctor,
            dtor,
            generation: AtomicU32::new(generation),
            next: Cell::new(None),
            slabs: Lock::new(Slabs::new(if dtor.is_some() { usize::MAX } else { EMPTY_SLABS_KEPT })),
        }
    }

    /// The same cache, but its slabs are never given back by a free.
    pub(crate) fn keeping_all_slabs(self) -> Self {
        self.slabs.with(|slabs| slabs.kept = usize::MAX);
        self
    }

    /// The flags that pages for this cache are allocated with.
    #[inline]
    pub(crate) fn page_gfp(&self, gfp: GfpFlags) -> GfpFlags {
        if self.flags.contains(CacheFlags::CACHE_DMA) { gfp | GfpFlags::DMA } else { gfp }
    }

    /// The number of the object at `addr` in `slab`.
    #[inline]
    pub(crate) fn object_at(&self, slab: SlabRef, addr: VirtAddr) -> Result<usize, FreeError> {
        let offset = addr.as_usize().checked_sub(slab.first().as_usize()).ok_or(FreeError::Interior)?;
        let object = offset / self.geometry.stride;
        if object < self.geometry.objects && offset % self.geometry.stride == 0 {
            Ok(object)
        } else {
            Err(FreeError::Interior)
        }
    }

    /// The address of an object.
    #[inline]
    pub(crate) fn address_of(&self, slab: SlabRef, object: usize) -> VirtAddr {
        slab.first().add(object * self.geometry.stride)
    }

    pub(crate) fn stats(&self) -> CacheStats {
        self.slabs.with(|slabs| {
            let all = slabs.partial.len() + slabs.full.len() + slabs.empty.len() + slabs.leaving;
            CacheStats {
                name: self.name,
                active_objects: slabs.live,
                objects: all * self.geometry.objects,
                object_size: self.geometry.stride,
                active_slabs: slabs.partial.len() + slabs.full.len(),
                slabs: all,
                pages_per_slab: self.geometry.order.pages() as usize,
                high: slabs.high,
                allocs: slabs.allocs,
                grown: slabs.grown,
                reaped: slabs.reaped,
                errors: slabs.errors,
            }
        })
    }
}

impl Slabs {
    const fn new(kept: usize) -> Self {
        Self {
            partial: SlabList::new(),
            full: SlabList::new(),
            empty: SlabList::new(),
            kept,
            leaving: 0,
            next_colour: 0,
            live: 0,
            high: 0,
            allocs: 0,
            grown: 0,
            reaped: 0,
            errors: 0,
        }
    }

    /// Takes an object from a partly used slab, or from an empty one.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<(SlabRef, usize)> {
        let slab = self.partial.head().or_else(|| {
            let slab = self.empty.pop()?;
            self.partial.push(slab);
            Some(slab)
        })?;
        let object = slab.take()?;
        if slab.is_full() {
            self.partial.remove(slab);
            self.full.push(slab);
        }
        self.live += 1;
        self.high = self.high.max(self.live);
        self.allocs += 1;
        Some((slab, object))
    }

    /// Puts an object back.
    #[inline]
    pub(crate) fn put(&mut self, slab: SlabRef, object: usize) -> Result<Freed, FreeError> {
        let was_full = slab.is_full();
        if !slab.put(object) {
            return Err(FreeError::DoubleFree);
        }
        self.live -= 1;
        if was_full {
            self.full.remove(slab);
            self.partial.push(slab);
        }
        if slab.is_empty() {
            self.partial.remove(slab);
            if self.empty.len() >= self.kept {
                self.leaving += 1;
                return Ok(Freed::Surplus(slab));
            }
            self.empty.push(slab);
        }
        Ok(Freed::Kept)
    }

    /// Adds a fresh slab.
    pub(crate) fn add(&mut self, slab: SlabRef) {
        self.empty.push(slab);
        self.grown += 1;
    }

    /// The colour of the next slab, 0..=`colours`.
    pub(crate) fn next_colour(&mut self, colours: usize) -> usize {
        let colour = self.next_colour;
        self.next_colour = if colour == colours { 0 } else { colour + 1 };
        colour
    }

    /// Takes an empty slab out, to be given back.
    pub(crate) fn take_empty(&mut self) -> Option<SlabRef> {
        let slab = self.empty.pop()?;
        self.leaving += 1;
        Some(slab)
    }

    /// A slab that was taken out is gone.
    pub(crate) fn gone(&mut self) {
        self.leaving -= 1;
        self.reaped += 1;
    }

    /// The cache could not grow.
    pub(crate) fn failed(&mut self) {
        self.errors += 1;
    }

    /// Objects that are allocated.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Whether no slab exists, not even one on its way out.
    pub(crate) fn is_bare(&self) -> bool {
        self.partial.len() + self.full.len() + self.empty.len() + self.leaving == 0
    }

    /// Checks the lists and each slab; returns the first invariant that is broken.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let mut live = 0;
        for slab in self.partial.iter().chain(self.full.iter()).chain(self.empty.iter()) {
            slab.validate()?;
            live += slab.in_use();
        }
        if self.full.iter().any(|slab| !slab.is_full()) || self.empty.iter().any(|slab| !slab.is_empty()) {
            return Err("a slab hangs in the wrong list");
        }
        if self.partial.iter().any(|slab| slab.is_full() || slab.is_empty()) {
            return Err("a partly used slab is full or empty");
        }
        if live == self.live { Ok(()) } else { Err("a cache's count of live objects is wrong") }
    }
}
