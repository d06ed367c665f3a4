//! The allocator stack of a kernel: bootmem, zoned buddy pages, slab caches, kmalloc, vmalloc and ioremap.
#![no_std]
#![deny(clippy::std_instead_of_core)]
#[cfg(feature = "testing")]
extern crate std;

pub mod addr;
pub mod bootmem;
mod buddy;
pub mod error;
pub mod gfp;
mod magazine;
pub mod memory;
pub mod order;
pub mod own;
pub mod page;
pub mod platform;
pub mod proc;
pub mod region;
pub mod slab;
#[cfg(feature = "testing")]
pub mod testing;
pub mod vm;
pub mod zone;

pub use addr::{PAGE_SHIFT, PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr};
pub use bootmem::{BootBlock, BootZone, Bootmem};
pub use error::{AllocError, BootmemError, CreateError, DestroyError, FreeError, MapError};
pub use gfp::{GfpFlags, Priority, ZoneKind};
pub use memory::{CacheSpec, Config, Memory};
pub use order::Order;
pub use own::{Buffer, Global};
pub use page::PageMap;
pub use platform::{Context, Lock, Mapping, Pinned, Platform, Report};
pub use slab::{CacheFlags, CacheRef, CacheStats, CtorFlags};
