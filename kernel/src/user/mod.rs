//! Where ring 3 and the kernel meet: the ways in and out, and memory of ring 3.
//!
//! Key types: [`Ring3`], [`PageFault`], [`UserBytes`]. What a system call does and what an exception means to a process
//! is the matter of the layer above, which says so once ([`serve`]). Files, each naming those before it only:
//!
//! - [`ring3`]: what the layer above is asked
//! - [`copy`], [`memory`]: the only ways to touch memory of ring 3
//! - `entry`: the calls that `arch` makes
//! - [`space`]: the address space that a thread goes by
//!
//! Invariants:
//! - (a) no page is brought while a driver's or a file's lock is held: the copies of a [`UserBytes`] take what is
//!   there, and whoever made it brings the rest afterwards ([`fault_in`]).
//! - (b) a page of ring 3 is brought for ring 3 itself and for the instructions of `arch::user_copy`, never for a stray
//!   pointer of the kernel's: that stays an oops.

pub mod copy;
mod entry;
pub mod memory;
pub mod ring3;
pub mod space;

pub use copy::{
    Value, clear, clear_some, copy_from, copy_from_some, copy_to, copy_to_some, read_string, read_value, write_value,
};
pub use memory::UserBytes;
pub use ring3::{FaultAccess, FaultFrom, PageFault, Ring3, fault_in, serve};
pub use space::ThreadSpace;
