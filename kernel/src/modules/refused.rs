//! Why a module was not attached, for people.
#![forbid(unsafe_code)]

use core::fmt;

use kapi::{Errno, LockError};
use mm::AllocError;

use crate::mm::KString;

/// Why a module was not attached or detached.
pub struct Refused {
    /// In a word.
    pub errno: Errno,
    why: Option<KString>,
}

impl Refused {
    /// `errno`, and what `why` says.
    pub fn said(errno: Errno, why: fmt::Arguments<'_>) -> Self {
        // Without memory for it the word alone has to do.
        Self { errno, why: KString::try_format(why).ok() }
    }
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Self { errno, why: None }
    }
}

impl From<AllocError> for Refused {
    fn from(error: AllocError) -> Self {
        Errno::from(error).into()
    }
}

impl From<LockError> for Refused {
    fn from(error: LockError) -> Self {
        Errno::from(error).into()
    }
}

impl From<Refused> for Errno {
    fn from(refused: Refused) -> Self {
        refused.errno
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => f.write_str(why),
            None => self.errno.fmt(f),
        }
    }
}
