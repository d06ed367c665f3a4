//! Locks and waiting: which one to use where.
//!
//! | need | use | contexts |
//! |---|---|---|
//! | data that interrupts share | [`SpinLock`] | any; never sleeps |
//! | data that only threads share | [`Mutex`] | process; sleeps |
//! | wait for something to happen | [`WaitQueue`] | process sleeps, any wakes |
//!
//! Each call that may sleep returns a `Result` and is refused, with a report, where it may not: see
//! [`may_sleep`](crate::sched::preempt::may_sleep).

pub mod list;
pub mod mutex;
pub mod spin;
pub mod wait;

pub use mutex::{Mutex, MutexGuard};
pub use spin::{SpinGuard, SpinLock};
pub use wait::WaitQueue;
