//! What this kernel is to drivers: all that implements the traits of `kapi`.
//!
//! A driver reaches what stands here and in `mm`'s owning types, and nothing else: `kernel.rs` has the log and the
//! locks, `wait.rs`, `timer.rs`, `work.rs` and `interrupt.rs` what a driver waits for and is called by, `held.rs` what
//! of that it has forgotten when it goes, `hardware.rs` claims on addresses, the frame buffer and memory that boot set
//! aside, `floppy.rs` the floppy controller. Which drivers there are, says `modules`. ([`Kernel`](crate::mm::Kernel)
//! is the one type that all of it is implemented for.)
#![forbid(unsafe_code)]

mod floppy;
mod hardware;
pub mod held;
mod interrupt;
mod kernel;
mod timer;
mod wait;
mod work;
