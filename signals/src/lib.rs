//! Signals as data: what is sent, what waits, what a handler sees.
//!
//! No clock, no locks, no memory of its own: a kernel keeps one [`SignalState`] a process, under its lock, asks it what
//! a signal does, and carries that out. Numbers and layouts are those of Linux on x86-64 (crate `linux-raw-sys`).
//!
//! - [`signal`], [`set`]: one signal, and sets of them
//! - [`info`]: what a signal tells of its cause, and its 128 bytes
//! - [`pending`]: the queue of those that wait
//! - [`action`], [`stack`]: what a process wants done, and on which stack
//! - [`state`]: all of a process's signals: sending, and what comes next
//! - [`frame`]: what lies on the user's stack while a handler runs, and the check of it afterwards

#![no_std]
#![forbid(unsafe_code)]

pub mod action;
mod bytes;
pub mod frame;
pub mod info;
pub mod pending;
pub mod set;
pub mod signal;
pub mod stack;
pub mod state;

pub use action::{Action, ActionFlags, Handler};
pub use frame::{BadFrame, Context, FRAME_BYTES, Placement, Registers};
pub use info::{Code, Info, Origin};
pub use pending::{Pending, QueueFull};
pub use set::SignalSet;
pub use signal::{DefaultAction, Signal};
pub use stack::{AlternateStack, StackError};
pub use state::{Delivery, MaskChange, Protection, Sent, SignalState};
