//! What this kernel is to its drivers: every implementation of a trait of the crate `kapi`.
#![forbid(unsafe_code)]

mod hardware;
