//! The lock that interrupts share, and lists through their members.
//!
//! | need | use | contexts |
//! |---|---|---|
//! | data that interrupts share | [`SpinLock`] | any; never sleeps |
//! | data that only threads share | [`Mutex`](crate::sched::Mutex) | process; sleeps |
//! | wait for something to happen | [`WaitQueue`](crate::sched::WaitQueue) | process sleeps, any wakes |
//!
//! Each call that may sleep returns a `Result` and is refused, with a report, where it may not: see
//! [`may_sleep`](crate::sched::may_sleep()).
//!
//! Lock order of what is built here, each lock before those to its right; locks in braces are never held together:
//! serial input, a wait queue, the run queue, {timers, task queues, clock, log, serial output, interrupt lines}; the
//! interrupt chip comes last.
//! The allocators' own order is stated in `mm::memory`; none of these is held when they are called.

pub mod list;
pub mod preempt;
pub mod spin;

pub use spin::{SpinGuard, SpinLock, without_interrupts};
