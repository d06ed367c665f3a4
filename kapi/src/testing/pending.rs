//! Calls that are put off: lists of them, by when they are due.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::boxed::Box;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

use super::running::{Running, Turn, hold};
use crate::work::TaskQueue;

/// What a machine has put off.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) timers: List,
    pub(super) scheduler: List,
    pub(super) immediate: List,
    pub(super) tick: List,
}

/// Calls that are due in order of a number.
#[derive(Default)]
pub(super) struct List {
    pending: Mutex<Vec<Arc<Call>>>,
    /// Counts what was queued.
    queued: AtomicU64,
}

/// What a call does. It gets itself, to put itself off again.
type Function = dyn Fn(&Arc<Call>) + Send + Sync;

/// Something that is run later, by the test.
pub(super) struct Call {
    due: Mutex<Due>,
    pub(super) running: Running,
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

impl List {
    /// Puts a call on the list, or moves it there. A call whose owner is gone stays off.
    pub(super) fn put(&self, call: &Arc<Call>, at: u64, period: Option<u64>) {
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
    pub(super) fn queue(&self, call: &Arc<Call>) -> bool {
        let free = !call.is_pending() && !hold(&call.due).closed;
        if free {
            self.put(call, self.queued.fetch_add(1, SeqCst), None);
        }
        free
    }

    /// Takes a call off; whether it was on the list.
    pub(super) fn remove(&self, call: &Arc<Call>) -> bool {
        let mut pending = hold(&self.pending);
        hold(&call.due).at = None;
        let before = pending.len();
        pending.retain(|other| !Arc::ptr_eq(other, call));
        pending.len() < before
    }

    /// Runs, in order, what is due by `now`.
    pub(super) fn run(&self, now: u64) {
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
    pub(super) fn run_queued(&self) {
        if let Some(last) = self.queued.load(SeqCst).checked_sub(1) {
            self.run(last);
        }
    }
}

impl Calls {
    /// The list of a task queue.
    pub(super) const fn queue(&self, queue: TaskQueue) -> &List {
        match queue {
            TaskQueue::Scheduler => &self.scheduler,
            TaskQueue::Immediate => &self.immediate,
            TaskQueue::Timer => &self.tick,
        }
    }
}

impl Call {
    /// A call that is on no list.
    pub(super) fn new(function: impl Fn(&Arc<Self>) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { due: Mutex::default(), running: Running::default(), function: Box::new(function) })
    }

    /// Whether it is on a list.
    pub(super) fn is_pending(&self) -> bool {
        hold(&self.due).at.is_some()
    }

    /// Its owner goes: it is put on no list any more.
    pub(super) fn close(&self) {
        hold(&self.due).closed = true;
    }
}
