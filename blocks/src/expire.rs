//! Limits in time: a request that gets no answer ends.
//!
//! It does so when the driver has let go of its memory.

use alloc::sync::Arc;
use core::time::Duration;

use kapi::{BlockDriver, BlockError, Kernel, SpinLock};

use crate::dispatch::Start;
use crate::engine::{Engine, now};
use crate::queue::Queue;
use crate::state::State;

impl<K: Kernel> Queue<K> {
    /// Says how long the driver may take for a request; 30 s at first. Any context.
    pub fn set_timeout(&self, timeout: Duration) {
        self.engine.set_timeout(timeout);
    }

    /// Has the driver give up the requests that it has had for too long, which end with [`BlockError::Timeout`]; says
    /// how many. Asks a driver again that was busy, and logs what was left out. To be called about once a second.
    /// Process context; may sleep; needs no memory.
    pub fn expire(&self) -> usize {
        let (engine, mut expired) = (&*self.engine, 0);
        let limit = now::<K>().checked_sub(engine.timeout());
        while let Some((tag, driver)) = limit.and_then(|limit| engine.overdue(limit)) {
            driver.abort(tag as u16);
            expired += usize::from(engine.aborted(tag));
            engine.run(Start::Later);
        }
        engine.run(Start::Now);
        while let Some(missed) = engine.state.with(|state| state.reports.missed(now::<K>())) {
            K::log(format_args!("{}: {missed}", engine.name));
        }
        expired
    }
}

impl<K: Kernel> State<K> {
    /// Tags of requests that the driver has, in which nobody has it give up.
    fn started(&self) -> impl Iterator<Item = usize> + use<K> {
        let tags = self.all_tags & !self.free_tags & !self.aborting;
        (0..u64::BITS as usize).filter(move |tag| tags >> tag & 1 != 0)
    }
}

impl<K: Kernel> Engine<K> {
    /// A request that was started before `limit` and has not ended: nobody else gets its tag from here to
    /// [`aborted`](Self::aborted).
    fn overdue(&self, limit: u64) -> Option<(usize, Arc<dyn BlockDriver>)> {
        self.state.with(|state| {
            let is_overdue = |tag: &usize| {
                state.requests[usize::from(state.slot_of[*tag])].started() <= limit && self.tags.is_started(*tag)
            };
            let tag = state.started().find(is_overdue)?;
            let driver = state.driver.clone()?;
            state.aborting |= 1 << tag;
            Some((tag, driver))
        })
    }

    /// The driver has given up this request, unless it ended before, which this says.
    fn aborted(&self, tag: usize) -> bool {
        self.state.with(|state| {
            state.aborting &= !(1 << tag);
            let ends = self.tags.end(tag, Err(BlockError::Timeout)).is_some();
            // It ended meanwhile, and was taken already or will be now.
            if !ends && !self.tags.is_ended(tag) {
                state.free_tags |= 1 << tag;
            }
            ends
        })
    }
}
