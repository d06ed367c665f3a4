//! The kernel that drivers name: its log and its locks.

use core::fmt;
use core::time::Duration;

use kapi::{LockError, SleepLock};

use super::interrupt::Interrupt;
use super::timer::Timer;
use super::wait::WaitQueue;
use super::work::Work;
use crate::klog;
use crate::mm::Kernel;
use crate::sched::Mutex;
use crate::sync::SpinLock;
use crate::time;

impl kapi::Kernel for Kernel {
    type Mutex<T: Send> = Mutex<T>;
    type SpinLock<T: Send> = SpinLock<T>;
    type WaitQueue = WaitQueue;
    type Timer = Timer;
    type Work = Work;
    type Interrupt = Interrupt;

    fn uptime() -> Duration {
        time::TICK.saturating_mul(u32::try_from(time::ticks().0).unwrap_or(u32::MAX))
    }

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

impl<T: Send> kapi::SpinLock<T> for SpinLock<T> {
    fn new(value: T) -> Self {
        Self::new(value)
    }

    #[inline]
    #[track_caller]
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        match self.try_lock() {
            Some(mut value) => f(&mut value),
            None => taken_twice(),
        }
    }

    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.try_lock().map(|mut value| f(&mut value))
    }
}

/// One CPU runs, with interrupts off while it holds a spinlock: whoever finds it taken has taken it himself, and would
/// wait for ever.
#[cold]
#[track_caller]
fn taken_twice() -> ! {
    panic!("a spinlock is taken again by who holds it")
}
