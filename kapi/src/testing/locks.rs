//! Locks of the host: mutexes of the standard library.

use std::sync::{Mutex, TryLockError};

use mm::Context;

use super::running::hold;
use super::world::{in_context, may_sleep};
use crate::context::LockError;
use crate::lock::{SleepLock, SpinLock};

/// A sleeping lock. A test that panics while it holds one breaks it.
#[derive(Debug)]
pub struct HostMutex<T>(Mutex<T>);

impl<T: Send> SleepLock<T> for HostMutex<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        if !may_sleep() {
            return Err(LockError::WrongContext);
        }
        self.0.lock().map(|mut value| f(&mut value)).map_err(|_| LockError::Broken)
    }

    fn with_uninterruptible<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        self.with(f)
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_lock().ok().map(|mut value| f(&mut value))
    }
}

/// A spinlock. Its closures are told that they may not sleep.
#[derive(Debug)]
pub struct HostSpinLock<T>(Mutex<T>);

impl<T: Send> SpinLock<T> for HostSpinLock<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let mut value = hold(&self.0);
        in_context(Context::Atomic, || f(&mut value))
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut value = match self.0.try_lock() {
            Ok(value) => value,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(in_context(Context::Atomic, || f(&mut value)))
    }
}
