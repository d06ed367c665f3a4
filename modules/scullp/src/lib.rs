//! The kernel's scullp as a module: one source for both.
//!
//! What is linked in has the name until `rmmod scullp`.
#![no_std]
#![forbid(unsafe_code)]

/// The scull driver over whole pages.
pub type Module<K> = drivers::Scull<K, drivers::Pages>;
