//! Requests that wait go to the driver.

use kapi::Kernel;

use crate::state::State;
use crate::tags::Tags;

/// Whether requests go to the driver while runs are open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    /// When the runs have ended, or somebody waits for a request: he may have a run open himself.
    Later,
    /// All the same.
    Now,
}

impl<K: Kernel> State<K> {
    /// Starts as many requests as the driver takes.
    pub(crate) fn dispatch(&mut self, tags: &Tags, start: Start, now: u64) {
        let waits = self.elevator.len() > 0 && !self.is_going;
        let is_early = self.runs > 0 && start == Start::Later && !self.has_waiters();
        if !waits || is_early {
            return;
        }
        tags.enter();
        while self.free_tags != 0 && self.start_one(tags, now).is_some() {}
        tags.leave();
    }

    /// Starts the next request; `None` when there is none, or the driver is busy.
    fn start_one(&mut self, tags: &Tags, now: u64) -> Option<()> {
        let driver = self.driver.as_deref()?;
        let slot = self.elevator.take(&self.requests)?;
        let tag = self.free_tags.trailing_zeros();
        let request = &mut self.requests[usize::from(slot)];
        request.start(now);
        tags.begin(tag as usize);
        let started = driver.start(request.for_driver(tag as u16));
        if started.is_err() && tags.take_back(tag as usize) {
            self.elevator.put_back(slot);
            return None;
        }
        self.free_tags &= !(1 << tag);
        self.slot_of[tag as usize] = slot;
        Some(())
    }
}
