//! Page-table entries of processors, for the walker of the crate `mm`.
//!
//! [`mm::mapper::PageMapper`] walks and changes page tables of any [`Format`](mm::mapper::Format); this crate has the
//! formats: [`X86_64`], and [`Sv39`] and [`Sv48`] of riscv64. Each is built for every target, so tables of one
//! processor can be made and looked at on another. What only the processor itself can do, flushing its TLB, is in
//! `x86_64::OneCpuTlb` and `riscv64::OneHartTlb`, on these targets alone: with them,
//! [`LockedTables`](mm::LockedTables) is all that a kernel with one CPU needs for vmalloc.
//!
//! ```
//! use mm::mapper::{Entry, Format, Level};
//! use mm::{Access, Mapping, Pfn};
//! use pagetable::X86_64;
//!
//! let format = X86_64::new(Level::Two);
//! let rights = X86_64::with_access(X86_64::rights(Mapping::Memory), Access::Read);
//! let entry = format.leaf(Pfn::new(0x1234), Level::One, rights);
//! assert_eq!(entry, 0x8000_0000_0123_4061); // no-execute, dirty, accessed, present
//! assert_eq!(format.read(entry, Level::One), Entry::Leaf(Pfn::new(0x1234), rights));
//! ```
#![no_std]
#![deny(clippy::std_instead_of_core)]

pub mod riscv64;
pub mod x86_64;

pub use riscv64::{Sv39, Sv48, SvUser};
pub use x86_64::{X86_64, X86_64User};
