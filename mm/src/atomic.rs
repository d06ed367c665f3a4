//! The atomics that hand data from one CPU to another.
//! The feature `explore` swaps them for those of `shuttle`, which lets another thread run at each access
//! (`tests/explore`).
//!
//! The page map's words are not among them: a [`Page`](crate::page::Page) is 16 bytes, and a lock or an atomic from
//! here hands over what its words say. Counts of events hand nothing over.

#[cfg(not(feature = "explore"))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
#[cfg(feature = "explore")]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

pub(crate) use core::sync::atomic::Ordering;
