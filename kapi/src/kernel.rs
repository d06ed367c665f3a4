//! The kernel as drivers see it: memory, a sleeping lock, a log line.

use core::fmt;

/// The caller may not sleep where it is, so a call that may sleep was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongContext;

/// Why a sleeping lock was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockError {
    /// The caller may not sleep where it is.
    WrongContext,
    /// The wait was interrupted by ^C.
    Interrupted,
    /// A thread died while it held the lock: nobody knows what state the value is in, and nobody gets it any more.
    Broken,
}

impl From<WrongContext> for LockError {
    fn from(_: WrongContext) -> Self {
        Self::WrongContext
    }
}

impl From<WrongContext> for crate::Errno {
    fn from(_: WrongContext) -> Self {
        Self::EAGAIN
    }
}

impl From<LockError> for crate::Errno {
    fn from(error: LockError) -> Self {
        match error {
            LockError::WrongContext => Self::EAGAIN,
            LockError::Interrupted => Self::EINTR,
            LockError::Broken => Self::EIO,
        }
    }
}

/// A lock whose holder may sleep; access is by closure.
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

/// A kernel that drivers run in.
pub trait Kernel: mm::Global {
    /// The kernel's sleeping lock.
    type Mutex<T: Send>: SleepLock<T>;

    /// Writes a line to the kernel log. Any context.
    fn log(line: fmt::Arguments<'_>);
}
