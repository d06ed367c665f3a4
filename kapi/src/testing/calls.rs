//! Timers and work of the host: calls that wait for the test to run them.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use core::time::Duration;
use std::boxed::Box;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;
use std::vec::Vec;

use mm::{AllocError, Context};

use super::world::{TICK, World, hold, in_context, may_sleep, world};
use crate::context::WrongContext;
use crate::timer::Timer;
use crate::work::{TaskQueue, Work};

/// What a machine has put off.
#[derive(Default)]
pub(super) struct Calls {
    timers: List,
    scheduler: List,
    immediate: List,
    tick: List,
}

/// Calls that are due in order of a number.
#[derive(Default)]
struct List {
    pending: Mutex<Vec<Arc<Call>>>,
    /// Counts what was queued.
    queued: AtomicU64,
}

/// What a call does. It gets itself, to put itself off again.
type Function = dyn Fn(&Arc<Call>) + Send + Sync;

struct Call {
    due: Mutex<Due>,
    running: Running,
    function: Box<Function>,
}

/// When a call is due: at which tick, or behind how many others.
#[derive(Clone, Copy, Default)]
struct Due {
    at: Option<u64>,
    /// After how many ticks again.
    period: Option<u64>,
    /// Its owner is gone.
    closed: bool,
}

/// Which thread runs something at the moment.
#[derive(Default)]
pub(super) struct Running {
    by: Mutex<Option<ThreadId>>,
    ended: Condvar,
}

/// Whether the caller is the one to run it.
pub(super) enum Turn<'a> {
    Mine(RunningGuard<'a>),
    /// It runs, further down on this thread.
    Nested,
}

/// Something runs until this is dropped.
pub(super) struct RunningGuard<'a>(&'a Running);

impl Running {
    /// Waits for its turn.
    pub(super) fn begin(&self) -> Turn<'_> {
        let me = std::thread::current().id();
        let mut by = hold(&self.by);
        if *by == Some(me) {
            return Turn::Nested;
        }
        while by.is_some() {
            by = self.ended.wait(by).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *by = Some(me);
        Turn::Mine(RunningGuard(self))
    }

    /// Waits until it does not run, unless the caller is what runs.
    pub(super) fn wait(&self) {
        drop(self.begin());
    }

    fn is_mine(&self) -> bool {
        *hold(&self.by) == Some(std::thread::current().id())
    }
}

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        *hold(&self.0.by) = None;
        self.0.ended.notify_all();
    }
}

impl List {
    /// Puts a call on the list, or moves it there. A call whose owner is gone stays off.
    fn put(&self, call: &Arc<Call>, at: u64, period: Option<u64>) {
        let mut pending = hold(&self.pending);
        let mut due = hold(&call.due);
        if due.closed {
            return;
        }
        (due.at, due.period) = (Some(at), period);
        if !pending.iter().any(|other| Arc::ptr_eq(other, call)) {
            pending.push(call.clone());
        }
    }

    /// Puts a call behind all others, unless it is on the list.
    fn queue(&self, call: &Arc<Call>) -> bool {
        let free = !call.is_pending() && !hold(&call.due).closed;
        if free {
            self.put(call, self.queued.fetch_add(1, SeqCst), None);
        }
        free
    }

    fn remove(&self, call: &Arc<Call>) -> bool {
        let mut pending = hold(&self.pending);
        hold(&call.due).at = None;
        let before = pending.len();
        pending.retain(|other| !Arc::ptr_eq(other, call));
        pending.len() < before
    }

    /// Runs, in order, what is due by `now`.
    fn run(&self, now: u64) {
        while let Some(call) = self.take(now) {
            if let Turn::Mine(_turn) = call.running.begin() {
                (call.function)(&call);
            }
        }
    }

    fn take(&self, now: u64) -> Option<Arc<Call>> {
        let mut pending = hold(&self.pending);
        let when = |call: &Arc<Call>| hold(&call.due).at.unwrap_or(u64::MAX);
        let call = pending.iter().filter(|call| when(call) <= now).min_by_key(|call| when(call))?.clone();
        let mut due = hold(&call.due);
        due.at = due.period.map(|period| now + period);
        if due.at.is_none() {
            pending.retain(|other| !Arc::ptr_eq(other, &call));
        }
        drop(due);
        Some(call)
    }

    /// What was queued before now.
    fn run_queued(&self) {
        if let Some(last) = self.queued.load(SeqCst).checked_sub(1) {
            self.run(last);
        }
    }
}

impl Calls {
    const fn queue(&self, queue: TaskQueue) -> &List {
        match queue {
            TaskQueue::Scheduler => &self.scheduler,
            TaskQueue::Immediate => &self.immediate,
            TaskQueue::Timer => &self.tick,
        }
    }

    /// Runs what is due at a tick, in interrupt context.
    pub(super) fn run_tick(&self, now: u64) {
        in_context(Context::Interrupt, || {
            self.timers.run(now);
            self.tick.run_queued();
        });
        self.run_immediate();
    }

    /// Runs the work that waits for the end of an interrupt.
    pub(super) fn run_immediate(&self) {
        if may_sleep() {
            in_context(Context::Interrupt, || self.immediate.run_queued());
        }
    }

    /// Runs the work that waits for a thread.
    pub(super) fn run_scheduler(&self) {
        self.scheduler.run_queued();
    }
}

impl Call {
    fn new(function: impl Fn(&Arc<Self>) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { due: Mutex::default(), running: Running::default(), function: Box::new(function) })
    }

    fn is_pending(&self) -> bool {
        hold(&self.due).at.is_some()
    }

    fn close(&self) {
        hold(&self.due).closed = true;
    }
}

/// Whose handle it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Owner,
    /// The call itself, while it runs.
    Callback,
}

/// A timer.
pub struct HostTimer {
    world: Arc<World>,
    call: Arc<Call>,
    holder: Holder,
}

impl Timer for HostTimer {
    fn new(callback: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError> {
        if !may_sleep() {
            return Err(AllocError);
        }
        let call = Call::new(move |call| {
            callback(&Self { world: world(), call: call.clone(), holder: Holder::Callback });
        });
        Ok(Self { world: world(), call, holder: Holder::Owner })
    }

    fn start(&self, delay: Duration) {
        self.world.calls.timers.put(&self.call, self.world.ticks() + ticks(delay), None);
    }

    fn start_every(&self, period: Duration) {
        let period = ticks(period);
        self.world.calls.timers.put(&self.call, self.world.ticks() + period, Some(period));
    }

    fn cancel(&self) -> bool {
        let was_pending = self.world.calls.timers.remove(&self.call);
        if may_sleep() {
            self.call.running.wait();
        }
        was_pending
    }

    fn is_pending(&self) -> bool {
        self.call.is_pending()
    }
}

/// Whole ticks, rounded up, at least one.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX >> 1).clamp(1, u64::MAX >> 1)
}

impl Drop for HostTimer {
    fn drop(&mut self) {
        if self.holder == Holder::Owner {
            self.call.close();
            self.cancel();
        }
    }
}

/// Work.
pub struct HostWork {
    world: Arc<World>,
    queue: TaskQueue,
    call: Arc<Call>,
    holder: Holder,
}

impl Work for HostWork {
    fn new(queue: TaskQueue, function: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError> {
        if !may_sleep() {
            return Err(AllocError);
        }
        let call = Call::new(move |call| {
            function(&Self { world: world(), queue, call: call.clone(), holder: Holder::Callback });
        });
        Ok(Self { world: world(), queue, call, holder: Holder::Owner })
    }

    fn queue(&self) -> bool {
        let queued = self.world.calls.queue(self.queue).queue(&self.call);
        self.world.calls.run_immediate();
        queued
    }

    fn flush(&self) -> Result<(), WrongContext> {
        if !may_sleep() || self.call.running.is_mine() {
            return Err(WrongContext);
        }
        while self.call.is_pending() {
            match self.queue {
                TaskQueue::Scheduler => self.world.calls.run_scheduler(),
                TaskQueue::Immediate | TaskQueue::Timer => self.world.tick(),
            }
        }
        self.call.running.wait();
        Ok(())
    }
}

impl Drop for HostWork {
    fn drop(&mut self) {
        if self.holder == Holder::Owner {
            self.call.close();
            if self.flush().is_err() {
                self.world.calls.queue(self.queue).remove(&self.call);
            }
        }
    }
}
