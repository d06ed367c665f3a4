//! The text of /proc files: pure writers over snapshots.

mod buddyinfo;
mod meminfo;
mod slabinfo;
mod vmallocinfo;
mod vmstat;
mod zoneinfo;

pub use buddyinfo::buddyinfo;
pub use meminfo::{FileCache, meminfo};
pub use slabinfo::{Statistics, parse_tuning, slabinfo};
pub use vmallocinfo::vmallocinfo;
pub use vmstat::vmstat;
pub use zoneinfo::zoneinfo;
