//! Slab caches: named pools of equal objects, carved from blocks of pages.
//!
//! `geometry.rs` decides how a slab is laid out, `descriptor.rs` is one slab, `slabs.rs` all slabs of a cache, `front.rs`
//! the magazines of each CPU before them, `depot.rs` those that wait to be traded, `cache.rs` one cache, `chain.rs` the
//! list of all caches. The calls (`kmem_cache_alloc` and the rest) are in `memory/caches.rs`. (Bonwick 1994; chapter:
//! "Lookaside Caches".)

pub(crate) mod cache;
#[path = "list.rs"]
pub(crate) mod chain;
pub(crate) mod debug;
pub(crate) mod depot;
pub(crate) mod descriptor;
#[path = "cpu_caches.rs"]
pub(crate) mod front;
pub(crate) mod geometry;
pub(crate) mod magazine;
mod name;
mod places;
pub(crate) mod slabs;

pub use cache::{CacheRef, CacheStats, Ctor, CtorFlags, Dtor};
pub use debug::{Damage, DebugChoice, DebugFlags};
pub use geometry::{CacheFlags, Geometry};
pub use name::CacheName;

pub(crate) use cache::Cache;
pub(crate) use chain::{BootCaches, Chain};
