//! Processes: programs in ring 3, each a thread with its own address space.
//!
//! Key types: [`Process`], [`Pid`], [`Exit`], [`ChildEvent`], [`Limits`]. A process's number is that of its thread. The
//! table has it from before its thread first runs until its parent has waited for it. Files, each naming those before
//! it only:
//!
//! - [`pid`], [`exit_status`], [`limits`]: words that all of them use
//! - [`descriptors`]: what a process has open
//! - [`signal`]: its signals, and what they are to it
//! - [`record`]: what the kernel knows of a process
//! - [`table`]: all of them, by number
//! - [`deliver`]: signals between processes; sessions and groups
//! - [`wait`]: a parent learns what became of its children
//! - [`arguments`], [`executable`], [`image`]: what a program is called with, its file, its memory
//! - [`exec`], [`death`], [`birth`]: the life of a process
//! - [`fault`]: what an exception means to a process
//! - [`oom`]: who is ended when memory is out
//! - [`facts`], [`procfs`]: what /proc shows
//!
//! Everything here runs in process context and may sleep, unless it says otherwise.
#![forbid(unsafe_code)]

pub mod arguments;
pub mod birth;
pub mod death;
pub mod deliver;
pub mod descriptors;
pub mod exec;
pub mod executable;
pub mod exit_status;
pub mod facts;
pub mod fault;
pub mod image;
pub mod limits;
pub mod oom;
pub mod pid;
pub mod procfs;
pub mod record;
pub mod signal;
pub mod table;
pub mod wait;

pub use birth::{Fork, Role, Start, Terminal, fork, start, vfork};
pub use death::exit;
pub use descriptors::{Descriptors, OnExec};
pub use exit_status::{ChildEvent, Exit};
pub use limits::{Limit, Limits, Resource};
pub use pid::Pid;
pub use record::Process;
pub use table::{current, each, find, with_current};
