//! What explains a failure, or provokes one.
//!
//! Backtraces, names of functions, guarded accesses, bad ends on request.

pub mod backtrace;
pub mod blame;
pub mod caller;
pub mod crash;
pub mod loaded;
pub mod panicking;
pub mod probe;
pub mod symbols;
