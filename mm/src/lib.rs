//! The allocator stack of a kernel.
//! It has bootmem, zoned buddy pages, slab caches, kmalloc, vmalloc and ioremap.
//!
//! # In another kernel
//!
//! Implement [`Platform`], hand [`Memory`] a [`PageMap`] and the free frames, and call. This kernel has 8 MiB, one CPU
//! that never sleeps, and no page tables of its own, so no vmalloc:
//!
//! ```
//! # use core::ptr::NonNull;
//! # use mm::page::{Page, mark_present};
//! # use mm::pages::AtomicFloor;
//! use mm::*;
//!
//! struct Machine { direct_map: VirtAddr }
//!
//! // SAFETY: memory shows from `direct_map` on for ever, one CPU runs, and no interrupt handler calls the allocators.
//! unsafe impl Platform for Machine {
//!     type Lock<T: Send> = SpinLock<T, NoInterrupts>;
//!     type Cpus = OneCpu<NoInterrupts>;
//!     type Tables = NoTables;
//!     fn cpus(&self) -> &Self::Cpus { &OneCpu::NEW }
//!     fn tables(&self) -> &NoTables { &NoTables }
//!     fn context(&self) -> Context { Context::Process }
//!     fn direct_map(&self) -> VirtAddr { self.direct_map }
//!     fn report(&self, report: &Report<'_>) { println!("{report} ({})", report.call.at()); }
//! }
//!
//! const FRAMES: u32 = 2048;
//! // Memory and page array come from Bootmem on a real machine.
//! let ram = Box::leak(vec![[0u8; PAGE_SIZE]; FRAMES as usize + 1].into_boxed_slice());
//! let direct_map = VirtAddr::new(ram.as_ptr().addr().next_multiple_of(PAGE_SIZE));
//! let pages: Box<[Page]> = (0..FRAMES).map(|_| Page::new()).collect();
//! let mut present = vec![0; PageMap::present_words(FRAMES)];
//! let free = PfnRange::new(Pfn::new(1), Pfn::new(FRAMES));
//! mark_present(&mut present, free);
//! // SAFETY: every entry exists for ever, and nothing else uses them.
//! let map = unsafe { PageMap::new(NonNull::from(Box::leak(pages)).cast(), FRAMES, present.leak()) };
//!
//! let config = Config {
//!     highmem_start: Pfn::new(u32::MAX),
//!     vmalloc_start: VirtAddr::new(0xffff_c900_0000_0000),
//!     vmalloc_end: VirtAddr::new(0xffff_e900_0000_0000),
//!     kmap_start: VirtAddr::new(0xffff_ff80_0000_0000),
//!     atomic_floor: AtomicFloor::LastPage,
//! };
//! let place = NonNull::from(Box::leak(Box::<Memory<Machine>>::new_uninit())).cast(); // A static, in a kernel.
//! // SAFETY: the place is leaked, and nothing else knows of it.
//! let memory = unsafe { Memory::init(place, Machine { direct_map }, map, config) };
//! memory.release(free).expect("each frame once");
//! memory.init_caches().expect("room for the kmalloc caches");
//!
//! let buffer = memory.kmalloc(4000, GfpFlags::KERNEL).expect("memory is plenty");
//! assert_eq!(memory.kfree(buffer.as_ptr()), Ok(()));
//! assert_eq!(memory.kfree(buffer.as_ptr()), Err(FreeError::DoubleFree));
//! ```
#![no_std]
#![deny(clippy::std_instead_of_core)]
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc)]
#[cfg(feature = "testing")]
extern crate std;

pub mod addr;
pub mod areas;
mod atomic;
pub mod bootmem;
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
pub mod own;
pub mod page;
pub mod pages;
mod percpu;
pub mod platform;
pub mod proc;
mod reclaim;
pub mod region;
pub mod report;
pub mod tables;
mod tag;
#[cfg(feature = "testing")]
pub mod testing;
mod wipe;

pub use addr::{PAGE_SHIFT, PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr, kib};
pub use bootmem::{BootBlock, BootZone, Bootmem};
pub use config::Config;
pub use context::Context;
pub use error::{
    AllocError, BootmemError, CreateError, DestroyError, FreeError, MapError, RangeError, ReleaseError, TuneError,
};
pub use flush::{AddressSpace, MustFlush};
pub use gfp::{DMA_END, GfpFlags, Priority, ZoneKind};
pub use gfp_names::ParseGfpError;
pub use mapper::{Access, Frames, Mapping, Spares, Unlinked};
pub use memory::Memory;
pub use objects::{CacheFlags, CacheRef, CacheSpec, CacheStats, CtorFlags};
pub use order::Order;
pub use own::{Buffer, Global};
pub use page::PageMap;
pub use platform::{
    CountCpus, CpuCount, Cpus, Interrupts, KernelTables, Lock, LockedTables, MAX_CPUS, NoInterrupts, NoTables, OneCpu,
    Pinned, Platform, SpinLock, Tlb,
};
pub use reclaim::Shrinker;
pub use report::{Call, Report};
pub use tag::Tag;
