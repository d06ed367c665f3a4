//! The object allocator: named caches of equal objects, and kmalloc on them.
//! The objects are carved from blocks of pages.
//!
//! [`ObjectAllocator`] is the part; it stands on the page allocator and names nothing above.
//!
//! Core types: `mix.rs` sums words, `geometry.rs` is the layout of a slab, `object_index.rs` the number of the object
//! at an address, `origin.rs` what a cache has of its creator, `descriptor.rs` one slab, `object_state.rs` where an
//! object is, `slab_list.rs` and `slabs.rs` all slabs of a cache, `magazine.rs` and `depot.rs` the cached objects of a
//! CPU, `debug.rs` what is debugged, `watched.rs` the surroundings of a debugged object, `gaps.rs` what belongs to
//! nobody, `quarantine.rs` freed objects that wait. They know no lock. `cpu_caches.rs` puts the depots behind locks,
//! `cache.rs` is one cache with its locks, `list.rs` all of them, `own_caches.rs` those that must exist first,
//! `classes.rs` kmalloc's.
//!
//! The calls, bottom up: `refusals.rs`, `retire.rs` (damaged slabs), `find.rs` (from an address to its slab and cache),
//! `inspect.rs` (what a person may know of it), `describe.rs` (where all that lies),
//! `watch.rs` (checks of debugged caches), `grow.rs` (slabs are made and freed), `check.rs` (all is looked at),
//! `detain.rs` (the way through quarantine), `supply.rs` (magazines are made and freed), `alloc.rs` (allocate and
//! free); `kmem_cache.rs`, `kmalloc.rs`, `reap.rs`, `tune.rs`, `destroy.rs`,
//! `disown.rs` (whoever took memory is gone), `purge.rs`.
//! (Bonwick 1994; chapter: "Lookaside Caches".)

mod alloc;
mod cache;
mod check;
mod classes;
mod cpu_caches;
mod debug;
mod depot;
mod describe;
mod descriptor;
mod destroy;
mod detain;
mod disown;
mod find;
mod gaps;
mod geometry;
mod grow;
mod inspect;
mod kmalloc;
mod kmem_cache;
mod list;
mod magazine;
mod mix;
mod name;
mod object_index;
mod object_state;
mod origin;
mod own_caches;
mod purge;
mod quarantine;
mod reap;
mod refusals;
mod retire;
mod slab_list;
mod slabs;
mod supply;
mod tune;
mod watch;
mod watched;

use crate::atomic::{AtomicBool, AtomicUsize};
use crate::page::DirectMap;
use crate::pages::PageAllocator;
use crate::place::{Place, in_place, value};
use crate::platform::{Lock, Platform};

pub use cache::{Cache, CacheRef, CacheStats};
pub use check::SlabCheck;
pub use classes::{KMALLOC_CLASSES, KMALLOC_MAX, NO_BYTES};
pub use debug::{DebugChoice, DebugFlags};
pub use disown::{LeftCache, LeftObject};
pub use geometry::{CacheFlags, Geometry};
pub use inspect::{ObjectInfo, Whereabouts};
pub use kmem_cache::CacheSpec;
pub use name::CacheName;
pub use origin::{Ctor, CtorFlags, Dtor};

pub(crate) use kmalloc::{Resized, zero_behind};

use classes::SizeClasses;
use list::CacheList;
use own_caches::OwnCaches;
use quarantine::Quarantine;

/// The object allocator of one machine.
pub struct ObjectAllocator<P: Platform> {
    pages: &'static PageAllocator<P>,
    /// A copy of the page allocator's: a free finds its page without a further step.
    direct: DirectMap,
    classes: SizeClasses<P>,
    own: OwnCaches<P>,
    list: P::Lock<CacheList<P>>,
    quarantine: P::Lock<Quarantine>,
    quarantine_in_use: AtomicBool,
    /// Pages of slabs that were retired.
    retired: AtomicUsize,
}

impl<P: Platform> ObjectAllocator<P> {
    /// An object allocator without caches: [`init`](Self::init) makes kmalloc's.
    pub(crate) fn settle(place: Place<Self>, below: &'static PageAllocator<P>) -> &'static Self {
        in_place!(
            place,
            Self {
                pages: value(below),
                direct: value(*below.direct()),
                classes: |place: Place<_>| place.make(SizeClasses::new),
                own: OwnCaches::settle,
                list: |place: Place<_>| place.make(|| Lock::new(CacheList::new())),
                quarantine: |place: Place<_>| place.make(|| Lock::new(Quarantine::new())),
                quarantine_in_use: value(AtomicBool::new(false)),
                retired: value(AtomicUsize::new(0)),
            }
        )
    }

    /// The page allocator below.
    #[inline]
    pub(crate) fn pages(&self) -> &'static PageAllocator<P> {
        self.pages
    }

    /// The kernel beneath.
    #[inline]
    fn platform(&self) -> &'static P {
        self.pages.platform()
    }
}
