//! Task queues: calls that interrupt handlers put off, in order.
//!
//! Key types: [`TaskQueue`], [`Work`]. Work runs in interrupt context, as a soft interrupt, with interrupts on: it may
//! allocate with GFP_ATOMIC, and must not sleep.

use crate::softirq::{self, Softirq};
use crate::work::{self, WorkList};

pub use crate::work::Work;

/// A list of work, and the soft interrupt that runs it, if queuing is what raises that.
pub struct TaskQueue {
    list: &'static WorkList,
    raises: Option<Softirq>,
}

/// Runs as soon as the current interrupt ends.
pub static IMMEDIATE: TaskQueue = TaskQueue { list: &work::IMMEDIATE, raises: Some(Softirq::Immediate) };
/// Runs at the next tick of the timer, which raises its soft interrupt.
pub static TIMER: TaskQueue = TaskQueue { list: &work::TICK, raises: None };

impl TaskQueue {
    /// Has `work` called with `argument`, once; says false, and leaves it as it was, if it is queued already. Any
    /// context, the call itself included.
    #[inline]
    pub fn queue(&'static self, work: &'static Work, argument: usize) -> bool {
        let queued = self.list.add(work, argument);
        if let Some(softirq) = self.raises {
            softirq::raise(softirq);
        }
        queued
    }
}
