//! Whose turn it is: what one thread runs, others wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// Takes a lock of a test's machine: a test that failed does not make others fail.
pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
            by = self.ended.wait(by).unwrap_or_else(PoisonError::into_inner);
        }
        *by = Some(me);
        Turn::Mine(RunningGuard(self))
    }

    /// Waits until it does not run, unless the caller is what runs.
    pub(super) fn wait(&self) {
        drop(self.begin());
    }

    /// Whether the caller runs it.
    pub(super) fn is_mine(&self) -> bool {
        *hold(&self.by) == Some(std::thread::current().id())
    }
}

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        *hold(&self.0.by) = None;
        self.0.ended.notify_all();
    }
}
