//! A mutex as a platform's lock, and how many of them a thread holds.

use core::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::platform::Lock;

std::thread_local! {
    /// How many locks of allocators the thread holds.
    static LOCKS: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread holds a lock of the allocators.
pub(super) fn is_locked() -> bool {
    LOCKS.get() > 0
}

/// A mutex as a platform's lock.
pub struct HostLock<T>(Mutex<T>);

// SAFETY: it is a mutex.
unsafe impl<T: Send> Lock<T> for HostLock<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut value = hold(&self.0);
        let _held = Held::new();
        f(&mut value)
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut value = self.0.try_lock().ok()?;
        let _held = Held::new();
        Some(f(&mut value))
    }
}

/// One lock of the allocators that this thread holds, counted.
struct Held;

impl Held {
    fn new() -> Self {
        LOCKS.set(LOCKS.get() + 1);
        Self
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        LOCKS.set(LOCKS.get() - 1);
    }
}

/// Locks a mutex; a test that failed while it held one does not make others fail.
pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
