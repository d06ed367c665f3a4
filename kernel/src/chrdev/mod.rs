//! Character devices: the table of drivers, and drivers without hardware.
#![forbid(unsafe_code)]

pub mod memdev;
mod table;

pub use table::{Device, Major, Nodes, find, register, unregister, visit, write_devices};
