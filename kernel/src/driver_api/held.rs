//! What calls into a driver: found, and taken back, when it goes.
//!
//! A driver that forgets a timer instead of dropping it leaves a call into its own code behind. Whoever unloads the
//! code takes it back first.

use core::fmt;
use core::ops::Range;
use core::panic::Location;

use kapi::TaskQueue;

use super::{timer, work};
use crate::irq::{self, Irq};

/// What is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// A timer.
    Timer,
    /// Work, for this queue.
    Work(TaskQueue),
    /// A handler on this line.
    Interrupt(Irq),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timer => f.write_str("a timer"),
            Self::Work(_) => f.write_str("work"),
            Self::Interrupt(irq) => write!(f, "a handler on irq {}", irq.number()),
        }
    }
}

/// Takes back all that was made by code whose constants lie in `range`, waits for what of it runs, and calls `tell`
/// with each and the place that made it. What its functions have stays taken. Process context; may sleep.
pub fn take_back(range: &Range<usize>, tell: &mut dyn FnMut(Held, &'static Location<'static>)) {
    while let Some((irq, caller)) = irq::revoke(range) {
        tell(Held::Interrupt(irq), caller);
    }
    while let Some((call, caller)) = timer::TIMERS.of(range) {
        timer::retire(&call);
        tell(Held::Timer, caller);
    }
    for queue in [TaskQueue::Scheduler, TaskQueue::Immediate, TaskQueue::Timer] {
        while let Some((call, caller)) = work::list(queue).of(range) {
            work::retire(queue, &call);
            tell(Held::Work(queue), caller);
        }
    }
}
