//! Character devices: the table of drivers, and drivers without hardware.
#![forbid(unsafe_code)]

mod driver;
pub mod memdev;
mod raw;
mod table;

pub use driver::{Driver, User, Users};
pub use raw::{RawDriver, RawFile, RawMapping, Wanted};
pub use table::{
    Device, Major, Nodes, Polled, find, find_number, next, register, register_for, register_raw, set_polled,
    unregister, unregister_number, write_devices,
};
