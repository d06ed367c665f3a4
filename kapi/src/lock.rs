//! Locks: one whose holder may sleep, one for every context.

use crate::context::LockError;

/// A lock whose holder may sleep; access is by closure.
///
/// ```
/// use kapi::testing::Host;
/// use kapi::{Kernel, SleepLock};
///
/// let total: <Host as Kernel>::Mutex<u64> = SleepLock::new(40);
/// total.with(|total| *total += 2)?;
/// assert_eq!(total.try_with(|total| *total), Some(42));
/// # Ok::<(), kapi::LockError>(())
/// ```
pub trait SleepLock<T>: Send + Sync {
    /// A lock around `value`.
    fn new(value: T) -> Self;

    /// Runs `f` with the value, alone; sleeps until the lock is free. Refused in a context that may not sleep, even
    /// when the lock is free; ^C ends the wait. For good refused once a thread has died within `f`.
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError>;

    /// [`with`](Self::with), but ^C does not end the wait: for work that must not stop halfway.
    fn with_uninterruptible<R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R, LockError>;

    /// Runs `f` with the value if the lock is free at once, and not broken. Any context; the closure runs in the
    /// caller's.
    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R>;
}

/// A lock for every context, interrupts included; access is by closure.
///
/// ```
/// use kapi::testing::Host;
/// use kapi::{Kernel, SpinLock};
///
/// let total: <Host as Kernel>::SpinLock<u64> = SpinLock::new(40);
/// total.with(|total| *total += 2);
/// assert_eq!(total.try_with(|total| *total), Some(42));
/// ```
pub trait SpinLock<T>: Send + Sync {
    /// A lock around `value`.
    fn new(value: T) -> Self;

    /// Runs `f` with the value, alone, in atomic context: `f` does not sleep, and does not take the lock again. Any
    /// context.
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R;

    /// [`with`](Self::with) if the lock is free at once. Any context.
    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R>;
}
