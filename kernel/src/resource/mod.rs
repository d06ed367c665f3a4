//! Who has which physical addresses and which ports.
//!
//! /proc/iomem and /proc/ioports show it. A driver claims its device's range with [`request_mem_region`] or
//! [`request_region`] before it touches it, so that no two of them drive one device. What is there at all, [`init`]
//! enters at boot, with the PCI functions that [`pci`] finds. Process context.
#![forbid(unsafe_code)]

mod claims;
mod inventory;
pub mod pci;

pub use claims::{
    MEMORY, MemRegion, PORTS, Space, release_mem_region, release_region, request_mem_region, request_region,
};
pub use inventory::init;
