//! The allocator stack of a kernel.
//! It has bootmem, zoned buddy pages, slab caches, kmalloc, vmalloc and ioremap, and address spaces of processes.
//!
//! # In another kernel
//!
//! Implement [`Platform`], tell [`Bootmem`] which memory there is, and [start](MemoryCell::start). This kernel has
//! 8 MiB, one CPU, no threads, no interrupt handlers that allocate, and no page tables of its own, so no vmalloc:
//!
//! ```
//! use mm::{
//!     Bootmem, Config, Context, FreeError, GfpFlags, Lock, MemoryCell, NoInterrupts, NoTables, OneCpu, PhysAddr,
//!     Platform, Report, SpinLock, VirtAddr,
//! };
//!
//! struct Machine {
//!     direct_map: VirtAddr, // A multiple of 2 MiB; a constant, in most kernels.
//! }
//!
//! // SAFETY: memory shows from `direct_map` on for ever, one CPU runs, and no interrupt handler calls the allocators.
//! unsafe impl Platform for Machine {
//!     type Lock<T: Send> = SpinLock<T, NoInterrupts>;
//!     type Cpus = OneCpu<NoInterrupts>;
//!     type Tables = NoTables;
//!
//!     fn cpus(&self) -> &OneCpu<NoInterrupts> {
//!         &OneCpu::NEW
//!     }
//!
//!     fn tables(&self) -> &NoTables {
//!         &NoTables
//!     }
//!
//!     fn context(&self) -> Context {
//!         Context::Process
//!     }
//!
//!     fn direct_map(&self) -> VirtAddr {
//!         self.direct_map
//!     }
//!
//!     fn report(&self, report: &Report<'_>) {
//!         println!("{report} ({})", report.call.at());
//!     }
//! }
//!
//! static BOOTMEM: SpinLock<Bootmem, NoInterrupts> = SpinLock::new(Bootmem::new());
//! static MEMORY: MemoryCell<Machine> = MemoryCell::new();
//!
//! # let layout = std::alloc::Layout::from_size_align(8 << 20, 2 << 20)?;
//! # // SAFETY: the layout is not empty.
//! # let direct_map = VirtAddr::from_ptr(unsafe { std::alloc::alloc_zeroed(layout) });
//! let memory = BOOTMEM.with(|bootmem| {
//!     // From the firmware's map; the kernel's image is reserved.
//!     bootmem.add_ram(PhysAddr::new(0), PhysAddr::new(8 << 20));
//!     bootmem.reserve(PhysAddr::new(0), PhysAddr::new(1 << 20))?;
//!     // SAFETY: what is free there is used by nobody, and shows in the direct map.
//!     unsafe { MEMORY.start(Machine { direct_map }, bootmem, Config::new()) }
//! })?;
//!
//! let buffer = memory.kmalloc(4000, GfpFlags::KERNEL).expect("memory is plenty");
//! // SAFETY: the buffer is ours, and not used any more.
//! assert_eq!(unsafe { memory.kfree(buffer.as_ptr()) }, Ok(()));
//! // SAFETY: it is nobody's: the call says so.
//! assert_eq!(unsafe { memory.kfree(buffer.as_ptr()) }, Err(FreeError::DoubleFree));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! A kernel with page tables has [`LockedTables`] in the place of [`NoTables`], with a [format](mapper::Format) and a
//! [`Tlb`]; the crate `pagetable` has some. README.md shows all that such a kernel needs, and
//! [`Heap`](own::Heap) makes the allocators Rust's global one.
#![no_std]
#![deny(clippy::std_instead_of_core)]
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]
#[cfg(feature = "testing")]
extern crate std;

pub mod addr;
pub mod areas;
mod atomic;
pub mod bootmem;
mod cell;
mod config;
mod context;
pub mod error;
mod flush;
pub mod gfp;
mod gfp_names;
pub mod kmap;
pub mod mapper;
pub mod memory;
pub mod objects;
pub mod order;
pub mod outside;
pub mod own;
pub mod page;
pub mod pages;
mod percpu;
mod place;
mod places;
pub mod platform;
pub mod proc;
mod reclaim;
pub mod region;
pub mod report;
mod sleep;
pub mod space;
pub mod tables;
mod tag;
#[cfg(feature = "testing")]
pub mod testing;
mod trusted;
mod wipe;

pub use addr::{PAGE_SHIFT, PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr, kib};
pub use bootmem::{BootBlock, BootZone, Bootmem};
pub use cell::MemoryCell;
pub use config::Config;
pub use context::Context;
pub use error::{
    AllocError, BootmemError, CreateError, DestroyError, FreeError, MapError, RangeError, ReleaseError, StartError,
    TuneError,
};
pub use flush::{AddressSpace, MustFlush};
pub use gfp::{DMA_END, GfpFlags, Priority, ZoneKind};
pub use gfp_names::ParseGfpError;
pub use mapper::{Access, Frames, Mapping, Spares, Unlinked};
pub use memory::{Memory, Reference};
pub use objects::{CacheFlags, CacheRef, CacheSpec, CacheStats, CtorFlags};
pub use order::Order;
pub use own::{Buffer, Global};
pub use page::{PageFlags, PageMap};
pub use pages::Hand;
pub use platform::{
    CountCpus, CpuCount, Cpus, Interrupts, KernelTables, LastResort, Lock, LockedTables, MAX_CPUS, NoInterrupts,
    NoTables, OneCpu, Pinned, Platform, Reclaiming, SpinLock, Tlb, Verdict,
};
pub use reclaim::{Holder, Shrinker};
pub use report::{Call, Report};
pub use sleep::{Freed, Slept, Waiting};
pub use tag::Tag;
pub use trusted::TrustedMemory;
