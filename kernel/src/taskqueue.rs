//! Task queues: calls that interrupt handlers put off, in the order in which they were queued.
//!
//! Key types: [`TaskQueue`], [`Work`]. The queuer owns the work, a static; nothing is allocated. Work runs in interrupt
//! context, with interrupts on: it may allocate with GFP_ATOMIC, and must not sleep.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::softirq::{self, Softirq};
use crate::sync::SpinLock;
use crate::sync::list::{Link, Linked, List};

/// A call to be made later.
pub struct Work {
    link: Link<Self>,
    call: fn(usize),
    argument: AtomicUsize,
}

impl Work {
    /// Work that will call `call`.
    pub const fn new(call: fn(usize)) -> Self {
        Self { link: Link::new(), call, argument: AtomicUsize::new(0) }
    }
}

impl Linked<0> for Work {
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

/// Work that waits for one soft interrupt.
pub struct TaskQueue {
    waiting: SpinLock<List<Work>>,
}

/// Runs as soon as the current interrupt ends.
pub static IMMEDIATE: TaskQueue = TaskQueue::new();
/// Runs at the next tick of the timer.
pub static TIMER: TaskQueue = TaskQueue::new();

impl TaskQueue {
    const fn new() -> Self {
        Self { waiting: SpinLock::new(List::new()) }
    }

    /// Has `work` called with `argument`, once; says false, and leaves it as it was, if it is queued already. Any
    /// context, the call itself included.
    pub fn queue(&'static self, work: &'static Work, argument: usize) -> bool {
        let queued = self.waiting.with(|waiting| {
            let queued = waiting.push(work);
            if queued {
                work.argument.store(argument, Ordering::Relaxed);
            }
            queued
        });
        if core::ptr::eq(self, &IMMEDIATE) {
            softirq::raise(Softirq::Immediate);
        }
        queued
    }

    /// Calls what was queued before the call; work that queues itself again runs the next time.
    pub(crate) fn run(&self) {
        let mut batch = self.waiting.with(core::mem::take);
        while let Some((work, argument)) = self.waiting.with(|_| take(&mut batch)) {
            (work.call)(argument);
        }
    }
}

/// The next work, off its list: from here on it can be queued again.
fn take(batch: &mut List<Work>) -> Option<(&'static Work, usize)> {
    let work = batch.pop()?;
    Some((work, work.argument.load(Ordering::Relaxed)))
}
