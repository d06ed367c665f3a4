//! The atomics that CPUs hand things over by, all from one place.
//! The feature `explore` swaps them for those of `shuttle`, which lets another thread run at each access
//! (`tests/explore`).
//!
//! The page map's words are not among them: a [`Page`](crate::page::Page) is 16 bytes, and what its words say is handed
//! over by a lock or by what is here. Counts of events hand nothing over either.

#[cfg(not(feature = "explore"))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
#[cfg(feature = "explore")]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

pub(crate) use core::sync::atomic::Ordering;
