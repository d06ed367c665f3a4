//! The drivers: the scull family, memory set aside at boot, ISA DMA, disks.
//!
//! The family are four memory devices that differ only in where their memory comes from. [`Allocator`] hands out
//! memory set aside at boot, [`Floppy`] uses ISA DMA, [`RamDisk`] and [`NullDisk`] are disks without hardware
//! ([`MemDisk`]).
//!
//! Of the family, one generic driver, [`Scull`], keeps one generic device, [`ScullDevice`], per minor; a
//! [`QuantumStore`] says what a quantum is: [`Kmalloc`] (scull), [`Cache`] (scullc), [`Pages`] (scullp) or [`Vmalloc`]
//! (scullv). A new variant is one store and one line in the kernel's table. Only `kapi` is named here, so the
//! drivers run on the host too. (Chapter: "A scull Based on the Slab Caches", "A scull Using Whole Pages", "A scull
//! Using Virtual Addresses".)
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod allocator;
mod device;
mod floppy;
mod geometry;
mod ioctl;
mod items;
mod memdisk;
mod proc;
mod quota;
mod scull;
mod settings;
pub mod store;

pub use allocator::Allocator;
pub use device::ScullDevice;
pub use floppy::Floppy;
pub use geometry::{ByteLocation, Geometry, MAX_QSET, QSETS, Unit};
pub use memdisk::{Fault, Medium, MemDisk, MemDiskSettings, NullDisk, Order, RamDisk, What, When};
pub use quota::{NamedLimit, QUOTA, Quota};
pub use scull::Scull;
pub use store::{
    Atomicity, Cache, IoctlTable, Kmalloc, MAX_DEVICES, Mappable, Pages, QuantumStore, Spec, UnitChange, Vmalloc,
};
