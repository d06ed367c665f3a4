//! System calls: what programs in ring 3 ask, numbered as on Linux.
//!
//! Each family of calls is a file with one short function a call over the kernel's own services, and a row
//! ([`calls!`](entry::calls)) that names them; [`table`] has all rows. Key types: [`Call`], what a program asks;
//! [`Entry`], what is known of a call. Files, each naming those before it only:
//!
//! - [`call`], [`entry`]: a call, and a row of a table
//! - the families
//! - [`table`]: all calls by number, and how often they came
//! - `trace`: the kernel option `strace=1`
//! - [`mod@dispatch`]: from the registers to the function, and back
//!
//! A call that no family has is `ENOSYS`, and counted like the others: /proc/syscalls shows all that ever came. Numbers
//! and layouts are those of `linux-raw-sys`, by way of the crate `abi`.
#![forbid(unsafe_code)]

mod attributes;
mod buffers;
pub mod call;
mod copying;
mod descriptors;
pub mod dispatch;
pub mod entry;
mod files;
mod identity;
mod io;
mod kernel_log;
mod memory;
mod modules;
mod mounts;
mod names;
mod path;
mod poll;
mod process;
mod refused;
mod ring3;
mod session;
mod signal;
mod swap;
mod system;
pub mod table;
mod thread;
mod time;
mod trace;

pub use call::Call;
pub use dispatch::dispatch;
pub use entry::{Entry, Kind};
pub use ring3::serve;
pub use table::init;
