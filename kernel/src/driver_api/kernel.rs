//! The kernel that drivers name: its log and its sleeping lock.

use core::fmt;

use kapi::{LockError, SleepLock};

use crate::klog;
use crate::mm::Kernel;
use crate::sched::Mutex;

impl kapi::Kernel for Kernel {
    type Mutex<T: Send> = Mutex<T>;

    fn log(line: fmt::Arguments<'_>) {
        klog!("{line}");
    }
}

impl<T: Send> SleepLock<T> for Mutex<T> {
    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[track_caller]
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        Ok(f(&mut *self.lock()?))
    }

    #[track_caller]
    fn with_uninterruptible<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError> {
        Ok(f(&mut *self.lock_uninterruptible()?))
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        Some(f(&mut *self.try_lock()?))
    }
}
