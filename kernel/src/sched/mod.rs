//! Kernel threads: preemptive, round robin, one timer tick each.
//!
//! Key types: [`Thread`], [`ThreadInfo`], [`Mutex`], [`WaitQueue`]. A thread runs a closure on a stack of its own, with
//! an unmapped page below it, and ends when the closure returns. Files, each naming those before it only:
//!
//! - [`name`], [`stack`], `user_slot`, `view`, [`task`]: a thread's name, its memory, its part in processes, what
//!   drivers in C see of it, and a thread as the scheduler sees it
//! - [`run_queue`]: who runs next; the switch
//! - [`mod@may_sleep`], [`wait`] with `poll`, [`mutex`]: what threads sleep on
//! - [`owned`]: what a thread has, found after its death; `serving`: the disk that it works for
//! - [`user`]: threads that go to ring 3
//! - `exit`, [`thread`], `reaper`, `idle`, [`mod@current`]: a thread's life, and handles to it
//! - `start`: the first threads

pub mod current;
mod exit;
mod idle;
pub mod may_sleep;
pub mod mutex;
pub mod name;
pub mod owned;
mod poll;
mod reaper;
pub mod run_queue;
mod serving;
pub mod stack;
mod start;
pub mod task;
pub mod thread;
pub mod user;
mod user_slot;
mod view;
pub mod wait;

pub use crate::sync::preempt::{PreemptGuard, context, in_interrupt, preempt_disable};
pub use current::{
    clear_interrupt, current, interrupted, is_called, set_essential, set_heir, set_name, sleep, view, yield_now,
};
pub use exit::DIED;
pub(crate) use exit::abandon;
pub use exit::exit;
pub use idle::{IdleWork, set_idle_work};
pub use may_sleep::may_sleep;
pub use mutex::{Mutex, MutexGuard};
pub use name::Name;
pub use owned::Owned;
pub use poll::PollTable;
pub(crate) use run_queue::tick;
pub use run_queue::{ready_threads, user_ticks};
pub use serving::{Serving, served, serving};
pub use stack::{KernelStack, STACK_BYTES, StackSource};
pub use start::{init, set_boot_stack, start_threads};
pub use task::{FramesGone, Heir, Served, caller, module_on_the_way};
pub use thread::{NewThread, Thread, ThreadInfo, first_from, owner_of_stack, prepare, spawn, started, threads};
pub use user_slot::{Owner, UserStart};
pub use view::{Tty, View, WaitEntry};
pub use wait::WaitQueue;
