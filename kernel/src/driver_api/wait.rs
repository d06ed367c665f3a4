//! Wait queues that drivers own.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use core::time::Duration;

use kapi::{LockError, WrongContext};

use crate::sched;

/// A wait queue that counts its wake-ups.
pub struct WaitQueue {
    queue: sched::WaitQueue,
    wakes: AtomicU64,
}

impl kapi::WaitQueue for WaitQueue {
    fn new() -> Self {
        Self { queue: sched::WaitQueue::new(), wakes: AtomicU64::new(0) }
    }

    #[track_caller]
    fn wait_until(&self, ready: impl FnMut() -> bool) -> Result<(), LockError> {
        self.queue.wait_until_interruptible(ready)
    }

    #[track_caller]
    fn wait_until_uninterruptible(&self, ready: impl FnMut() -> bool) -> Result<(), WrongContext> {
        self.queue.wait_until(ready)
    }

    #[track_caller]
    fn wait_timeout(&self, ready: impl FnMut() -> bool, limit: Duration) -> Result<bool, LockError> {
        self.queue.wait_timeout_interruptible(ready, limit)
    }

    fn wake_one(&self) {
        self.wakes.fetch_add(1, SeqCst);
        self.queue.wake_one();
    }

    fn wake_all(&self) {
        self.wakes.fetch_add(1, SeqCst);
        self.queue.wake_all();
    }

    fn wakes(&self) -> u64 {
        self.wakes.load(SeqCst)
    }
}
