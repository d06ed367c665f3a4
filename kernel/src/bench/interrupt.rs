//! Probes in interrupt context: a timer's callback runs them, a thread waits.

use core::time::Duration;

use mm::AllocError;

use super::calls::{CacheCall, Kmalloc, Pages};
use super::probe::{Batch, Ticks, pairs};
use crate::sched::WaitQueue;
use crate::sync::SpinLock;
use crate::timer::Timer;

/// What can be run there.
pub enum TimedCall {
    /// kmalloc and kfree.
    Kmalloc(Kmalloc),
    /// Pages.
    Pages(Pages),
    /// An object of a cache.
    Cache(CacheCall),
    /// Many objects from kmalloc.
    Batch(Batch<Kmalloc>),
}

impl TimedCall {
    fn run(&mut self, count: u32) -> Result<Ticks, AllocError> {
        match self {
            Self::Kmalloc(call) => pairs(*call, count),
            Self::Pages(call) => pairs(*call, count),
            Self::Cache(call) => pairs(*call, count),
            Self::Batch(batch) => batch.run(count),
        }
    }
}

/// What the callback is to do, and what came of it.
struct Shot {
    call: Option<TimedCall>,
    count: u32,
    result: Option<Result<Ticks, AllocError>>,
}

static SHOT: SpinLock<Shot> = SpinLock::new(Shot { call: None, count: 0, result: None });
static TIMER: Timer = Timer::new(shoot);
static DONE: WaitQueue = WaitQueue::new();

/// Calls that are set up. Dropping this puts them away.
pub struct Set(());

impl Set {
    /// Sets up `call`; only one at a time.
    pub fn up(call: TimedCall) -> Self {
        SHOT.with(|shot| shot.call = Some(call));
        Self(())
    }

    /// Makes the calls `count` times in interrupt context. Sleeps.
    pub fn run(&self, count: u32) -> Result<Ticks, AllocError> {
        SHOT.with(|shot| (shot.count, shot.result) = (count, None));
        TIMER.add(Duration::ZERO, 0);
        DONE.wait_until(|| SHOT.with(|shot| shot.result.is_some())).map_err(|_| AllocError)?;
        SHOT.with(|shot| shot.result.take()).unwrap_or(Err(AllocError))
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        TIMER.cancel();
        // What the calls hold is freed without the lock.
        drop(SHOT.with(|shot| shot.call.take()));
    }
}

/// The callback. It works under the lock, so with interrupts off, as a hardware interrupt's handler would.
fn shoot(_: usize) {
    SHOT.with(|shot| {
        let count = shot.count;
        shot.result = shot.call.as_mut().map(|call| call.run(count));
    });
    DONE.wake_all();
}
