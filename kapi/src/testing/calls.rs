//! Timers and work of the host: calls that wait for the test to run them.

use core::time::Duration;
use std::sync::Arc;

use mm::AllocError;

use super::pending::Call;
use super::world::{TICK, World, may_sleep, world};
use crate::context::WrongContext;
use crate::timer::Timer;
use crate::work::{TaskQueue, Work};

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
        self.world.run_immediate();
        queued
    }

    fn flush(&self) -> Result<(), WrongContext> {
        if !may_sleep() || self.call.running.is_mine() {
            return Err(WrongContext);
        }
        while self.call.is_pending() {
            match self.queue {
                TaskQueue::Scheduler => self.world.run_scheduler(),
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
