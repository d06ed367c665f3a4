//! The list of all caches, newest first, and those that must exist before any other.

use crate::page::{SlabUser, Word};
use crate::platform::Platform;
use crate::slab::cache::{Cache, CacheRef};
use crate::slab::debug::{DebugChoice, DebugFlags};
use crate::slab::descriptor::Slab;
use crate::slab::geometry::{CacheFlags, Geometry, OFF_SLAB_OBJECTS};
use crate::slab::magazine::{CAPACITIES, Magazine};
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
    /// Objects: magazines, small ones first.
    pub(crate) magazines: [Cache<P>; CAPACITIES.len()],
}

const MAGAZINE_NAMES: [CacheName; CAPACITIES.len()] = [
    CacheName::literal("magazine-8"),
    CacheName::literal("magazine-16"),
    CacheName::literal("magazine-32"),
    CacheName::literal("magazine-64"),
];

impl<P: Platform> BootCaches<P> {
    /// All of them; the first keeps its slabs for ever.
    fn all(&self) -> impl Iterator<Item = &Cache<P>> {
        core::iter::once(&self.caches).chain(self.shrinkable())
    }

    /// Whether one of these caches has this name.
    pub(crate) fn has(&self, name: CacheName) -> bool {
        self.all().any(|cache| cache.name == name)
    }

    /// Whether `cache` is one of these: what comes from them belongs to the allocators alone.
    pub(crate) fn contains(&self, cache: &Cache<P>) -> bool {
        self.all().any(|boot| core::ptr::eq(boot, cache))
    }

    /// Those whose whole slabs may be given back; what others need to be given back comes last.
    pub(crate) fn shrinkable(&self) -> impl Iterator<Item = &Cache<P>> {
        self.magazines.iter().chain([&self.areas, &self.descriptors])
    }

    /// Prepares their fronts. Once, when they do not move any more.
    pub(crate) fn attach(&self) {
        self.all().for_each(|cache| cache.front.attach());
    }

    pub(crate) fn new() -> Self {
        const CACHES: CacheName = CacheName::literal("kmem_cache");
        const DESCRIPTORS: CacheName = CacheName::literal("slab");
        const AREAS: CacheName = CacheName::literal("vm_area");
        let boot_cache = |name, bytes: usize, number| {
            let tag = Word::slab(number, SlabUser::Allocators);
            let geometry = Geometry::for_descriptors(bytes);
            Cache::new(name, (geometry, DebugFlags::empty()), CacheFlags::NO_REAP, (None, None), tag)
        };
        Self {
            caches: boot_cache(CACHES, size_of::<Cache<P>>(), 1).keeping_all_slabs(),
            descriptors: boot_cache(DESCRIPTORS, Slab::bytes(OFF_SLAB_OBJECTS), 2),
            areas: boot_cache(AREAS, size_of::<VmArea>(), 3),
            magazines: core::array::from_fn(|kind| {
                boot_cache(MAGAZINE_NAMES[kind], Magazine::bytes(CAPACITIES[kind]), 4 + kind as u32)
            }),
        }
    }
}

/// The numbers below belong to the boot caches.
const FIRST_NUMBER: u32 = 16;

/// All caches, and where the reaper looks next.
pub(crate) struct Chain<P: Platform> {
    head: Option<CacheRef<P>>,
    hand: Option<CacheRef<P>>,
    numbers: u32,
    /// What caches that are created now are debugged for.
    pub(crate) debug: DebugChoice,
}

impl<P: Platform> Chain<P> {
    pub(crate) const fn new() -> Self {
        Self { head: None, hand: None, numbers: FIRST_NUMBER, debug: DebugChoice::NONE }
    }

    /// A word for the pages of a new cache, which no cache had before.
    pub(crate) fn next_tag(&mut self) -> Word {
        let number = self.numbers;
        self.numbers = number.checked_add(1).unwrap_or(FIRST_NUMBER);
        Word::slab(number, SlabUser::Anyone)
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
