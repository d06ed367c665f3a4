//! A disk goes.

use kapi::{Kernel, SpinLock, WaitQueue};

use crate::dispatch::Start;
use crate::queue::Queue;

impl<K: Kernel> Queue<K> {
    /// Takes the disk away: what waits fails, as does what is submitted from here on; what the driver has ends, or its
    /// time does; then the driver is dropped. Process context; sleeps.
    pub fn retire(&self) {
        let engine = &*self.engine;
        engine.state.with(|state| state.is_going = true);
        engine.run(Start::Later);
        engine.waiters.wake_all();
        let is_idle = || engine.state.with(|state| !state.is_under_way() && state.aborting == 0);
        let waited = engine.waiters.wait_until_uninterruptible(is_idle);
        // Where nobody may sleep, the driver stays as long as the queue.
        if waited.is_ok() {
            let driver = engine.state.with(|state| state.driver.take());
            drop(driver);
        }
    }
}
