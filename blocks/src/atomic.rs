//! The atomics by which drivers tell of ends.
//! The feature `explore` swaps them for those of `shuttle`, which lets another thread run at each access
//! (`tests/explore`).

#[cfg(not(feature = "explore"))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
#[cfg(feature = "explore")]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};

pub(crate) use core::sync::atomic::Ordering;
