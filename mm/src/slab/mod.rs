//! Slab caches: named pools of equal objects, carved from blocks of pages.
//!
//! `geometry.rs` decides how a slab is laid out, `descriptor.rs` is one slab, `cache.rs` one cache with its lists of
//! slabs, `chain.rs` the list of all caches. The calls (`kmem_cache_alloc` and the rest) are in `memory/caches.rs`.
//! (Bonwick 1994; chapter: "Lookaside Caches".)

pub(crate) mod cache;
pub(crate) mod chain;
pub(crate) mod descriptor;
pub(crate) mod geometry;
mod name;

pub use cache::{CacheRef, CacheStats, Ctor, CtorFlags, Dtor};
pub use geometry::{CacheFlags, Geometry};
pub use name::CacheName;

pub(crate) use cache::Cache;
pub(crate) use chain::{BootCaches, Chain};
