//! Character devices: the table of their drivers, and the drivers that need no hardware.
#![forbid(unsafe_code)]

pub mod memdev;
mod table;

pub use table::{Device, Major, Nodes, find, register, unregister, visit, write_devices};
