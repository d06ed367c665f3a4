//! One cache: its name, its layout, its slabs and the magazines before them.

use core::cell::Cell;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::addr::VirtAddr;
use crate::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use crate::gfp::GfpFlags;
use crate::objects::cpu_caches::{CpuCaches, MagazineSizes};
use crate::objects::debug::DebugFlags;
use crate::objects::descriptor::SlabRef;
use crate::objects::geometry::{CacheFlags, Geometry};
use crate::objects::magazine::CachedObject;
use crate::objects::name::CacheName;
use crate::objects::origin::{Ctor, CtorFlags, Dtor, Origin};
use crate::objects::slabs::{Scrutiny, Slabs};
use crate::page::Word;
use crate::platform::{Lock, Platform};

/// Empty slabs that a free leaves with a cache for the next allocation.
///
/// A cache with a destructor keeps them all until it is shrunk, reaped or destroyed: an interrupt may free, and there a
/// destructor must not run.
const EMPTY_SLABS_KEPT: usize = 2;

/// What a cache holds: a snapshot, one line of /proc/slabinfo.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CacheStats {
    /// The cache's name.
    pub name: CacheName,
    /// Objects that are allocated.
    pub active_objects: usize,
    /// Objects in all slabs.
    pub objects: usize,
    /// Bytes from one object to the next.
    pub object_size: usize,
    /// Cached objects: free ones in magazines.
    pub cached: usize,
    /// Objects of a full magazine; 0 when the cache has none. A CPU has two.
    pub magazine: usize,
    /// Objects that a refill of magazines takes from slabs.
    pub batch: usize,
    /// Slabs with objects out: live or cached.
    pub active_slabs: usize,
    /// All slabs.
    pub slabs: usize,
    /// Pages of one slab, unless memory is too fragmented.
    pub pages_per_slab: usize,
    /// Pages of all slabs.
    pub pages: usize,
    /// Most objects that were ever out of their slabs at once, live or cached.
    pub high: usize,
    /// Objects that left their slabs since the cache was made.
    pub allocs: u64,
    /// Slabs made.
    pub grown: u64,
    /// Slabs given back.
    pub reaped: u64,
    /// Times that the cache could not grow.
    pub errors: u64,
    /// Slabs that were damaged: their pages are nobody's any more, and counted nowhere else.
    pub retired: u64,
}

/// A cache of equal objects, and whether handles lead to it.
///
/// Lives in memory that only ever holds caches, whose constructor is [`construct`](Self::construct): a stale handle
/// reads `open` there while a new cache is made in the same place, and nothing else.
pub struct Cache<P: Platform> {
    /// The word of the handles that may use this cache, as a number; 0 for none. Changed under the list's lock.
    open: AtomicU64,
    /// Made once for the place: whoever destroys a cache leaves it without magazines, and the next one starts so.
    pub(super) cpus: CpuCaches<P>,
    body: Body<P>,
}

/// What each cache of a place gets anew.
pub struct Body<P: Platform> {
    /// The word of this cache's pages.
    pub(super) tag: Word,
    pub(super) name: CacheName,
    pub(super) geometry: Geometry,
    pub(super) sizes: MagazineSizes,
    pub(super) flags: CacheFlags,
    /// Debugging of the cache; with any, it has no magazines.
    pub(super) debug: DebugFlags,
    pub(super) origin: Origin,
    /// Whether whoever created it is gone: then it calls nobody. Never undone; set under the list's lock.
    disowned: AtomicBool,
    /// The next older cache; these three are used under the lock of the list of caches.
    pub(super) next: Cell<Option<CachePtr<P>>>,
    /// The next newer one.
    pub(super) prev: Cell<Option<CachePtr<P>>>,
    /// The next older one whose name has the same number.
    pub(super) alike: Cell<Option<CachePtr<P>>>,
    pub(super) slabs: P::Lock<Slabs>,
}

impl<P: Platform> Deref for Cache<P> {
    type Target = Body<P>;

    #[inline]
    fn deref(&self) -> &Body<P> {
        &self.body
    }
}

/// A handle to a cache. It can be copied and outlive its cache: every call checks it.
pub struct CacheRef<P: Platform> {
    cache: NonNull<Cache<P>>,
    tag: Word,
}

/// A cache that exists: its holder is pinned since it found it open, holds the list's lock, keeps a slab of it, is
/// counted among its callers, or destroys it.
pub(super) struct CachePtr<P: Platform>(NonNull<Cache<P>>);

impl<P: Platform> Clone for CacheRef<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Platform> Copy for CacheRef<P> {}

impl<P: Platform> PartialEq for CacheRef<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cache == other.cache && self.tag == other.tag
    }
}

impl<P: Platform> Clone for CachePtr<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Platform> Copy for CachePtr<P> {}

impl<P: Platform> PartialEq for CachePtr<P> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

// SAFETY: a handle leads to a `Cache`, whose changing parts are behind locks.
unsafe impl<P: Platform> Send for CacheRef<P> {}
// SAFETY: as above.
unsafe impl<P: Platform> Sync for CacheRef<P> {}
// SAFETY: as above.
unsafe impl<P: Platform> Send for CachePtr<P> {}

// SAFETY: links are used under the list's lock; the slabs are behind the cache's own; all else is constant or atomic.
unsafe impl<P: Platform> Sync for Cache<P> {}

impl<P: Platform> Deref for CachePtr<P> {
    type Target = Cache<P>;

    #[inline]
    fn deref(&self) -> &Cache<P> {
        // SAFETY: by the type's rule the cache exists.
        unsafe { self.0.as_ref() }
    }
}

impl<P: Platform> CacheRef<P> {
    /// A handle to a cache that does not move.
    pub(super) fn new(cache: &Cache<P>) -> Self {
        Self { cache: NonNull::from(cache), tag: cache.tag }
    }

    /// The cache, unless it was destroyed. It exists as long as the caller, who is pinned or holds the list's lock,
    /// stays so.
    #[inline]
    pub(super) fn alive(self) -> Option<CachePtr<P>> {
        let open = self.cache.as_ptr().cast_const();
        // SAFETY: the place of a cache holds caches for ever, and its first word is theirs in common: a reference to
        // that alone is sound while the rest is written.
        let open = unsafe { &(*open).open };
        (open.load(Relaxed) == self.tag.bits()).then_some(CachePtr(self.cache))
    }

    /// The cache, for a caller that has found a page which bears [its word](Self::tag).
    #[inline]
    pub(super) fn with_slabs(&self) -> &Cache<P> {
        // SAFETY: a cache outlives its slabs.
        unsafe { self.cache.as_ref() }
    }

    /// The word that the pages of the cache's slabs have.
    #[inline]
    pub(super) fn tag(self) -> Word {
        self.tag
    }
}

impl<P: Platform> CachePtr<P> {
    /// The cache that lies at this address.
    pub(super) fn new(cache: &Cache<P>) -> Self {
        Self(NonNull::from(cache))
    }

    /// The cache's address.
    pub(super) fn addr(self) -> VirtAddr {
        VirtAddr::from_ptr(self.0.as_ptr())
    }
}

impl<P: Platform> Body<P> {
    // Where it stays: it is too large to be copied there.
    #[inline(always)]
    fn new(
        name: CacheName,
        geometry: Geometry,
        debug: DebugFlags,
        flags: CacheFlags,
        origin: Origin,
        tag: Word,
    ) -> Self {
        Self {
            tag,
            name,
            geometry,
            sizes: if debug.is_empty() { MagazineSizes::for_objects(geometry.stride) } else { MagazineSizes::none() },
            flags,
            debug,
            origin,
            disowned: AtomicBool::new(false),
            next: Cell::new(None),
            prev: Cell::new(None),
            alike: Cell::new(None),
            slabs: Lock::new(Slabs::new(
                if origin.dtor.is_some() { usize::MAX } else { EMPTY_SLABS_KEPT },
                if debug.contains(DebugFlags::CONSISTENCY) { Scrutiny::All } else { Scrutiny::Seals },
            )),
        }
    }
}

impl<P: Platform> Cache<P> {
    /// The offset of what each cache gets anew.
    pub(super) const BODY: usize = offset_of!(Self, body);

    /// An own cache of the allocators: it is open from the start.
    pub(super) fn own(name: CacheName, geometry: Geometry, origin: Origin, tag: Word) -> Self {
        let body = Body::new(name, geometry, DebugFlags::empty(), CacheFlags::NO_REAP, origin, tag);
        Self { open: AtomicU64::new(tag.bits()), cpus: CpuCaches::new(), body }
    }

    /// Makes a closed cache at `place`.
    ///
    /// # Safety
    /// `place` must be a constructed object of the cache of caches that only the caller uses.
    #[inline(always)]
    pub(super) unsafe fn init(
        place: NonNull<u8>,
        name: CacheName,
        geometry: Geometry,
        debug: DebugFlags,
        flags: CacheFlags,
        origin: Origin,
        tag: Word,
    ) -> CachePtr<P> {
        let cache = place.cast::<Self>();
        // SAFETY: the object has room for a cache, by the contract.
        let body = unsafe { &raw mut (*cache.as_ptr()).body };
        // SAFETY: as above; `open` stays as it is, for stale handles to read, and so does the CPUs' part.
        unsafe { body.write(Body::new(name, geometry, debug, flags, origin, tag)) };
        CachePtr(cache)
    }

    /// The constructor of the memory that caches lie in: no handle leads there, and no CPU has magazines.
    pub(super) fn construct(place: NonNull<u8>, _: &str, _: CtorFlags) {
        let cache = place.cast::<Self>();
        // SAFETY: a fresh object with room for a cache.
        let open = unsafe { &raw mut (*cache.as_ptr()).open };
        // SAFETY: as above; no handle to this place was ever given out.
        unsafe { open.write(AtomicU64::new(0)) };
        // SAFETY: as above.
        let cpus = unsafe { &raw mut (*cache.as_ptr()).cpus };
        // SAFETY: as above.
        unsafe { cpus.write(CpuCaches::new()) };
        // SAFETY: it was just written, and does not move.
        unsafe { &*cpus }.init_in_place();
    }

    /// Prepares the CPUs' part of the cache. Once, when it does not move any more.
    pub(crate) fn init_in_place(&self) {
        self.cpus.init_in_place();
    }

    /// The same cache, but a free never gives its slabs back.
    pub(super) fn keeping_all_slabs(self) -> Self {
        self.slabs.with(Slabs::keep_all);
        self
    }

    /// Whether handles lead to the cache. Under the list's lock.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Relaxed) != 0
    }

    /// Lets the cache call nobody any more.
    pub(super) fn disown(&self) {
        self.disowned.store(true, Relaxed);
    }

    /// Whether whoever created it is gone.
    pub(super) fn is_disowned(&self) -> bool {
        self.disowned.load(Relaxed)
    }

    /// What is called for each object of a new slab.
    pub(super) fn ctor(&self) -> Option<Ctor> {
        self.origin.ctor.filter(|_| !self.is_disowned())
    }

    /// What is called for each object of a slab that goes.
    pub(super) fn dtor(&self) -> Option<Dtor> {
        self.origin.dtor.filter(|_| !self.is_disowned())
    }

    /// Whether the cache's objects belong to the allocators only.
    pub(super) fn is_own(&self) -> bool {
        self.tag.is_own_slab()
    }

    /// Lets handles lead to the cache. Under the list's lock.
    pub(super) fn open(&self) {
        self.open.store(self.tag.bits(), Relaxed);
    }

    /// Lets no handle lead to the cache. Under the list's lock.
    pub(super) fn close(&self) {
        self.open.store(0, Relaxed);
    }

    /// The flags that pages for this cache are allocated with.
    #[inline]
    pub(super) fn page_gfp(&self, gfp: GfpFlags) -> GfpFlags {
        if self.flags.contains(CacheFlags::CACHE_DMA) { gfp | GfpFlags::DMA } else { gfp }
    }

    /// The layout of one of the cache's slabs.
    pub(super) fn layout_of(&self, slab: SlabRef) -> Geometry {
        if slab.objects() == self.geometry.objects {
            return self.geometry;
        }
        self.geometry.fallback().unwrap_or(self.geometry)
    }

    /// The address of an object.
    #[inline]
    pub(super) fn address_of(&self, slab: SlabRef, object: usize) -> VirtAddr {
        slab.first().add(object * self.geometry.stride)
    }

    /// Live and cached objects. Exact while no CPU allocates or frees.
    pub(super) fn usage(&self, slabs: &Slabs) -> (usize, usize) {
        if slabs.out() == 0 {
            return (0, 0);
        }
        let cached = self.cpus.cached() + slabs.quarantined;
        (slabs.out().saturating_sub(cached), cached)
    }

    pub(super) fn stats(&self) -> CacheStats {
        self.slabs.with(|slabs| {
            let (active_objects, cached) = self.usage(slabs);
            CacheStats {
                name: self.name,
                active_objects,
                cached,
                magazine: self.sizes.capacity(),
                batch: self.sizes.batch(),
                objects: slabs.objects(),
                object_size: self.geometry.stride,
                active_slabs: slabs.active(),
                slabs: slabs.len(),
                pages_per_slab: self.geometry.pages as usize,
                pages: slabs.pages(),
                high: slabs.counts.high,
                allocs: slabs.counts.allocs,
                grown: slabs.counts.grown,
                reaped: slabs.counts.reaped,
                errors: slabs.counts.errors,
                retired: slabs.counts.retired,
            }
        })
    }

    /// Checks slabs and magazines; returns the first invariant that is broken. No call may use the cache.
    /// `is_counted` says whether an object is one of a slab that has not been retired.
    pub(super) fn validate(&self, is_counted: impl Fn(CachedObject) -> bool) -> Result<(), &'static str> {
        self.slabs.with(|slabs| slabs.validate(self.cpus.validate(is_counted)?))
    }
}
