//! Disks in memory, as slow and as faulty as one says.
//!
//! A [`MemDisk`] copies sectors between pages and a [`Medium`] when a timer says that their time has come: so waiting
//! for a disk is real, and the same in each run. Some of what was written may be in a cache that is lost with the
//! power, as in real disks. At the prompt and in tests its requests can be made to fail, or to get no answer. Two
//! modules make such disks: [`RamDisk`] in RAM that `mem=` hid, /dev/ram0 and so on; [`NullDisk`] one that keeps
//! nothing, /dev/nullb0. The files, bottom up: `medium.rs`, `undo.rs` (the disk's own cache), `faults.rs`, `recent.rs`
//! (the last requests), `orders.rs` (lines from the prompt), `state.rs` (what its lock protects), `disk.rs`, `sizes.rs`
//! and `place.rs` (which disks, and where in hidden RAM), `modules.rs`.

mod disk;
mod faults;
mod medium;
mod modules;
mod orders;
mod place;
mod recent;
mod sizes;
mod state;
mod undo;

pub use disk::{MemDisk, MemDiskSettings};
pub use faults::{Fault, What, When};
pub use medium::Medium;
pub use modules::{NullDisk, RamDisk};
pub use orders::Order;
