//! Work that drivers own, for each of the task queues.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::panic::Location;

use kapi::{TaskQueue, WrongContext};
use mm::AllocError;

use crate::calls::{Call, CallList, Function};
use crate::sched::{context, may_sleep};
use crate::{taskqueue, work, workqueue};

/// Work for the end of the interrupt.
static IMMEDIATE: CallList = CallList::new();
/// Work for the next tick.
static TICK: CallList = CallList::new();

/// What the task queues call for each list.
static RUN_IMMEDIATE: work::Work = work::Work::new(|_| run_queued(&IMMEDIATE));
static RUN_TICK: work::Work = work::Work::new(|_| run_queued(&TICK));

/// Work. Its owner's handle flushes it when it is dropped, the call's does not.
pub struct Work {
    queue: TaskQueue,
    call: Arc<Call>,
    holder: Holder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Owner,
    Callback,
}

/// Makes the calls that were queued before this; one that queues itself again runs the next time.
fn run_queued(list: &CallList) {
    if let Some(last) = list.queued().checked_sub(1) {
        list.run_due(last);
    }
}

/// The list of a queue.
pub(super) fn list(queue: TaskQueue) -> &'static CallList {
    match queue {
        TaskQueue::Scheduler => &workqueue::SCHEDULER,
        TaskQueue::Immediate => &IMMEDIATE,
        TaskQueue::Timer => &TICK,
    }
}

/// Has the list of `queue` run.
fn raise(queue: TaskQueue) {
    match queue {
        TaskQueue::Scheduler => workqueue::wake(),
        TaskQueue::Immediate => {
            taskqueue::IMMEDIATE.queue(&RUN_IMMEDIATE, 0);
        }
        TaskQueue::Timer => {
            taskqueue::TIMER.queue(&RUN_TICK, 0);
        }
    }
}

/// Ends `call`, which no owner will queue again: what is queued runs first, where the caller may wait for that.
pub(super) fn retire(queue: TaskQueue, call: &Arc<Call>) {
    let list = list(queue);
    list.close(call);
    if is_runner(queue) || !context().may_sleep() || list.flush(call).is_err() {
        list.take_down(call);
        if !is_runner(queue) {
            list.spin_until_ended(call);
        }
    }
    list.forget(call);
}

/// Whether the caller is what runs the queue, for which it would wait for ever.
fn is_runner(queue: TaskQueue) -> bool {
    queue == TaskQueue::Scheduler && workqueue::is_current()
}

impl Work {
    /// The same code for all functions.
    #[track_caller]
    fn of(queue: TaskQueue, function: Box<Function>) -> Result<Self, AllocError> {
        may_sleep("Work::new").map_err(|_| AllocError)?;
        if queue == TaskQueue::Scheduler {
            workqueue::ensure_started()?;
        }
        Ok(Self { queue, call: list(queue).add(function, Location::caller())?, holder: Holder::Owner })
    }
}

impl kapi::Work for Work {
    fn new(queue: TaskQueue, function: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError> {
        let function = move |call: &Arc<Call>| function(&Self { queue, call: call.clone(), holder: Holder::Callback });
        Self::of(queue, Box::try_new(function).map_err(|_| AllocError)?)
    }

    fn queue(&self) -> bool {
        let queued = list(self.queue).queue(&self.call);
        if queued {
            raise(self.queue);
        }
        queued
    }

    fn flush(&self) -> Result<(), WrongContext> {
        if is_runner(self.queue) {
            return Err(WrongContext);
        }
        list(self.queue).flush(&self.call)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.holder == Holder::Owner {
            retire(self.queue, &self.call);
        }
    }
}
