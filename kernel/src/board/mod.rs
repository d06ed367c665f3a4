//! The devices of the machine: ports and registers, no policy.

pub mod floppy;
pub mod fw_cfg;
pub mod irq;
pub mod isa_dma;
pub mod keyboard;
pub mod pci;
pub mod pic;
pub mod pit;
pub mod qemu;
pub mod rtc;
pub mod serial;
pub mod watcher;
