//! The list of all caches, newest first, and the three that must exist before any other.

use crate::platform::Platform;
use crate::slab::cache::{Cache, CacheRef};
use crate::slab::descriptor::Slab;
use crate::slab::geometry::{CacheFlags, Geometry, OFF_SLAB_OBJECTS};
use crate::slab::name::CacheName;
use crate::vm::VmArea;

/// The caches that the allocators' own descriptors come from.
pub(crate) struct BootCaches<P: Platform> {
    /// Objects: caches. Its slabs are never given back, so a stale handle always leads to a cache.
    pub(crate) caches: Cache<P>,
    /// Objects: descriptors of slabs whose objects are large.
    pub(crate) descriptors: Cache<P>,
    /// Objects: descriptors of vm areas.
    pub(crate) areas: Cache<P>,
}

impl<P: Platform> BootCaches<P> {
    /// Whether one of these caches has this name.
    pub(crate) fn has(&self, name: CacheName) -> bool {
        [&self.caches, &self.descriptors, &self.areas].iter().any(|cache| cache.name == name)
    }

    /// Whether `cache` is one of these: what comes from them belongs to the allocators alone.
    pub(crate) fn contains(&self, cache: &Cache<P>) -> bool {
        [&self.caches, &self.descriptors, &self.areas].into_iter().any(|boot| core::ptr::eq(boot, cache))
    }

    /// The two whose empty slabs may be given back.
    pub(crate) fn shrinkable(&self) -> [&Cache<P>; 2] {
        [&self.areas, &self.descriptors]
    }

    pub(crate) fn new() -> Self {
        const CACHES: CacheName = CacheName::literal("kmem_cache");
        const DESCRIPTORS: CacheName = CacheName::literal("slab");
        const AREAS: CacheName = CacheName::literal("vm_area");
        let boot_cache = |name, bytes: usize, generation| {
            Cache::new(
                name,
                Geometry::for_class(bytes.next_multiple_of(8)),
                CacheFlags::NO_REAP,
                None,
                None,
                generation,
            )
        };
        Self {
            caches: boot_cache(CACHES, size_of::<Cache<P>>(), 1).keeping_all_slabs(),
            descriptors: boot_cache(DESCRIPTORS, Slab::bytes(OFF_SLAB_OBJECTS), 2),
            areas: boot_cache(AREAS, size_of::<VmArea>(), 3),
        }
    }
}

/// The numbers below belong to the boot caches.
const FIRST_GENERATION: u32 = 4;

/// All caches, and where the reaper looks next.
pub(crate) struct Chain<P: Platform> {
    head: Option<CacheRef<P>>,
    hand: Option<CacheRef<P>>,
    generations: u32,
}

impl<P: Platform> Chain<P> {
    pub(crate) const fn new() -> Self {
        Self { head: None, hand: None, generations: FIRST_GENERATION }
    }

    /// A number that no cache had before, never 0.
    pub(crate) fn next_generation(&mut self) -> u32 {
        let generation = self.generations;
        self.generations = generation.checked_add(1).unwrap_or(FIRST_GENERATION);
        generation
    }

    /// Puts a cache in front.
    pub(crate) fn push(&mut self, cache: CacheRef<P>) {
        cache.next.set(self.head);
        self.head = Some(cache);
    }

    /// Takes a cache out. `false` when it is not in the list.
    pub(crate) fn remove(&mut self, cache: CacheRef<P>) -> bool {
        if self.hand == Some(cache) {
            self.hand = cache.next.get();
        }
        if self.head == Some(cache) {
            self.head = cache.next.get();
            return true;
        }
        let before = self.iter().find(|older| older.next.get() == Some(cache));
        if let Some(before) = before {
            before.next.set(cache.next.get());
        }
        before.is_some()
    }

    /// The caches, newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = CacheRef<P>> {
        core::iter::successors(self.head, |cache| cache.next.get())
    }

    /// The next cache in turn, round and round.
    pub(crate) fn turn(&mut self) -> Option<CacheRef<P>> {
        let cache = self.hand.or(self.head)?;
        self.hand = cache.next.get();
        Some(cache)
    }
}
