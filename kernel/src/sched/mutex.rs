//! The sleeping lock: for data that only threads share.
//!
//! Key types: [`Mutex`], [`MutexGuard`]. The holder may sleep. Locking is refused in a context that may not sleep even
//! when the lock is free; [`Mutex::try_lock`] works everywhere.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

use kapi::{LockError, WrongContext};

use super::may_sleep::may_sleep;
use super::task;
use super::wait::WaitQueue;

/// A value that one thread at a time may touch.
pub struct Mutex<T: ?Sized> {
    locked: AtomicBool,
    waiters: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: `locked` lets one thread at a time have the guard, and the guard is the only way to the value.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: a mutex owns its value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), waiters: WaitQueue::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the lock, sleeping until it is free; ^C ends the wait. Process context.
    #[track_caller]
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, LockError> {
        may_sleep("Mutex::lock").map_err(|_| LockError::WrongContext)?;
        self.waiters.wait_until_interruptible(|| self.acquire())?;
        Ok(MutexGuard::of(self))
    }

    /// Takes the lock, sleeping until it is free, whatever comes. Process context.
    #[track_caller]
    pub fn lock_uninterruptible(&self) -> Result<MutexGuard<'_, T>, WrongContext> {
        may_sleep("Mutex::lock_uninterruptible")?;
        self.waiters.wait_until(|| self.acquire())?;
        Ok(MutexGuard::of(self))
    }

    /// Takes the lock if it is free at once. Any context.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.acquire().then(|| MutexGuard::of(self))
    }

    fn acquire(&self) -> bool {
        !self.locked.swap(true, Ordering::Acquire)
    }
}

/// A taken [`Mutex`]: the way to its value. Dropping it gives the lock back and wakes one waiter.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    // The thread that took a lock gives it back.
    _not_send: PhantomData<*mut ()>,
}

impl<'a, T> MutexGuard<'a, T> {
    /// The guard of a lock that the caller has just acquired.
    fn of(mutex: &'a Mutex<T>) -> Self {
        task::count_mutex_taken();
        Self { mutex, _not_send: PhantomData }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one of a lock that is taken.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the borrow of the guard makes the reference unique.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        task::count_mutex_given();
        self.mutex.locked.store(false, Ordering::Release);
        self.mutex.waiters.wake_one();
    }
}
