//! The allocator stack of a kernel: bootmem, zoned buddy pages, slab caches, kmalloc, vmalloc and ioremap.
#![no_std]
#![deny(clippy::std_instead_of_core)]
#[cfg(any(test, feature = "testing"))]
extern crate std;

pub mod addr;
pub mod error;
pub mod gfp;
pub mod order;
pub mod platform;

pub use addr::{PAGE_SHIFT, PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr};
pub use error::{AllocError, BootmemError, CreateError, DestroyError, FreeError, MapError};
pub use gfp::{GfpFlags, Priority, ZoneKind};
pub use order::Order;
pub use platform::{Context, Lock, Mapping, Platform, Report};

/// Stand-in until the allocators land.
pub trait Global {}
