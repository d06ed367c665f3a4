//! The caches that must exist first: for caches, slabs, magazines themselves.

use crate::objects::cache::Cache;
use crate::objects::geometry::{Geometry, OFF_SLAB_BYTES};
use crate::objects::magazine::{CAPACITIES, Magazine};
use crate::objects::name::CacheName;
use crate::objects::origin::Origin;
use crate::page::{SlabUser, Word};
use crate::place::{Place, in_place};
use crate::platform::Platform;

/// The caches that every other cache needs.
pub(super) struct OwnCaches<P: Platform> {
    /// Objects: caches. Its slabs are never given back, so a stale handle always leads to the place of a cache.
    pub(super) caches: Cache<P>,
    /// Objects: descriptors of slabs whose objects are large.
    pub(super) descriptors: Cache<P>,
    /// Objects: magazines, small ones first.
    pub(super) magazines: [Cache<P>; CAPACITIES.len()],
}

const MAGAZINE_NAMES: [CacheName; CAPACITIES.len()] = [
    CacheName::literal("magazine-8"),
    CacheName::literal("magazine-16"),
    CacheName::literal("magazine-32"),
    CacheName::literal("magazine-64"),
];

impl<P: Platform> OwnCaches<P> {
    /// All of them; the first keeps its slabs for ever.
    pub(super) fn all(&self) -> impl Iterator<Item = &Cache<P>> {
        core::iter::once(&self.caches).chain(self.shrinkable())
    }

    /// Whether one of these caches has this name.
    pub(super) fn has(&self, name: CacheName) -> bool {
        self.all().any(|cache| cache.name == name)
    }

    /// Those whose whole slabs may be given back: of magazines, then of descriptors.
    pub(super) fn shrinkable(&self) -> impl Iterator<Item = &Cache<P>> {
        self.magazines.iter().chain([&self.descriptors])
    }

    /// All of them, with the CPUs' part of each.
    pub(super) fn settle(place: Place<Self>) -> &'static Self {
        const CACHES: CacheName = CacheName::literal("kmem_cache");
        let places = Origin { ctor: Some(Cache::<P>::construct), ..Origin::default() };
        const DESCRIPTORS: CacheName = CacheName::literal("slab");
        let own_cache = |name, bytes: usize, number, origin| {
            let tag = Word::slab(number, SlabUser::Allocators);
            Cache::own(name, Geometry::for_descriptors(bytes), origin, tag)
        };
        let magazine = |kind: usize| {
            own_cache(MAGAZINE_NAMES[kind], Magazine::bytes(CAPACITIES[kind]), 3 + kind as u32, Origin::default())
        };
        let own = in_place!(
            place,
            Self {
                caches: |place: Place<Cache<P>>| {
                    place.make(|| own_cache(CACHES, size_of::<Cache<P>>(), 1, places).keeping_all_slabs())
                },
                descriptors: |place: Place<Cache<P>>| {
                    place.make(|| own_cache(DESCRIPTORS, OFF_SLAB_BYTES, 2, Origin::default()))
                },
                magazines: |place: Place<_>| place.fill(magazine),
            }
        );
        own.all().for_each(|cache| cache.cpus.init_in_place());
        own
    }
}
