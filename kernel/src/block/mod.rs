//! Disks: which there are, who waits for them, their pages.
//!
//! A driver adds its disk ([`add`], or [`kapi::Disks`]), which has a queue of the crate `blocks` between itself and who
//! wants sectors. Key types: [`Disk`], found by name or number; [`Registration`], a driver's hold on it. The files:
//! `numbers.rs` (names and numbers), `waits.rs` (threads that wait for one request), `backing.rs` (the page cache's
//! way), `disk.rs`, `registry.rs`, `kblockd.rs` (limits in time), `bounce.rs` (a mistake
//! on request), `texts.rs` (/proc).
#![forbid(unsafe_code)]

mod backing;
mod bounce;
mod disk;
mod kblockd;
mod numbers;
mod registry;
mod texts;
mod waits;

pub use disk::Disk;
pub use numbers::DiskNumber;
pub use registry::{Registration, add, find, find_number, nth};
pub use texts::{control, show_control, write_diskstats, write_partitions};
