//! What this kernel is to drivers: all that implements the traits of `kapi`.
//!
//! A driver reaches what stands here and in `mm`'s owning types, and nothing else: `kernel.rs` has the log and the
//! sleeping lock, `hardware.rs` claims on addresses, the frame buffer and memory that boot set aside, `floppy.rs` the
//! floppy controller. Which drivers there are, says `modules.rs`. ([`Kernel`](crate::mm::Kernel) is the one type that
//! all of it is implemented for.)
#![forbid(unsafe_code)]

mod floppy;
mod hardware;
mod kernel;
