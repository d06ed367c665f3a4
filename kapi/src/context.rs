//! Where a call may sleep, and why it did not.

use crate::errno::Errno;

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

impl From<WrongContext> for Errno {
    fn from(_: WrongContext) -> Self {
        Self::EAGAIN
    }
}

impl From<LockError> for Errno {
    fn from(error: LockError) -> Self {
        match error {
            LockError::WrongContext => Self::EAGAIN,
            LockError::Interrupted => Self::EINTR,
            LockError::Broken => Self::EIO,
        }
    }
}
