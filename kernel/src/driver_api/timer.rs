//! Timers that drivers own.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::panic::Location;
use core::time::Duration;

use mm::AllocError;

use crate::calls::{Call, CallList, Function};
use crate::sched::may_sleep;
use crate::time::{self, Ticks};
use crate::timer;

/// All of them, due at ticks.
pub(super) static TIMERS: CallList = CallList::new();
/// Fires when the next of them is due.
static NEXT: timer::Timer = timer::Timer::new(|_| {
    TIMERS.run_due(time::ticks().0);
    arm();
});

/// A timer. Its owner's handle takes it down when it is dropped, the callback's does not.
pub struct Timer {
    call: Arc<Call>,
    holder: Holder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Owner,
    Callback,
}

fn arm() {
    TIMERS.at_next_due(|due| NEXT.add_at(Ticks(due), 0));
}

/// Whole ticks, rounded up, at least one.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(time::TICK.as_nanos())).unwrap_or(u64::MAX).max(1)
}

/// Ends a timer that no owner will start again.
pub(super) fn retire(call: &Arc<Call>) {
    TIMERS.close(call);
    TIMERS.take_down(call);
    TIMERS.spin_until_ended(call);
    TIMERS.forget(call);
}

impl Timer {
    /// The same code for all callbacks.
    #[track_caller]
    fn of(function: Box<Function>) -> Result<Self, AllocError> {
        may_sleep("Timer::new").map_err(|_| AllocError)?;
        Ok(Self { call: TIMERS.add(function, Location::caller())?, holder: Holder::Owner })
    }
}

impl kapi::Timer for Timer {
    fn new(callback: impl Fn(&Self) + Send + Sync + 'static) -> Result<Self, AllocError> {
        let function = move |call: &Arc<Call>| callback(&Self { call: call.clone(), holder: Holder::Callback });
        Self::of(Box::try_new(function).map_err(|_| AllocError)?)
    }

    fn start(&self, delay: Duration) {
        TIMERS.put_off(&self.call, time::deadline(delay).0, 0);
        arm();
    }

    fn start_every(&self, period: Duration) {
        TIMERS.put_off(&self.call, time::deadline(period).0, ticks(period));
        arm();
    }

    fn cancel(&self) -> bool {
        let was_pending = TIMERS.take_down(&self.call);
        TIMERS.spin_until_ended(&self.call);
        was_pending
    }

    fn is_pending(&self) -> bool {
        self.call.is_pending()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if self.holder == Holder::Owner {
            retire(&self.call);
        }
    }
}
