//! Character devices: the table of drivers, and drivers without hardware.
#![forbid(unsafe_code)]

mod driver;
pub mod memdev;
mod table;

pub use driver::{Driver, User, Users};
pub use table::{
    Device, Major, Nodes, Polled, find, find_number, next, register, register_for, set_polled, unregister,
    write_devices,
};
