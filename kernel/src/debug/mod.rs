//! What explains a failure, or provokes one: backtraces, names of functions, guarded accesses.

pub mod backtrace;
pub mod crash;
pub mod panicking;
pub mod probe;
pub mod symbols;
