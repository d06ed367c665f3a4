//! What comes of a call: an answer, or a refusal.

use core::fmt;

use ::mm::{CreateError, DestroyError, FreeError, Pfn, VirtAddr};
use kapi::{Errno, LockError};

use super::caches::{CACHES, CacheState};
use super::handout::{HANDOUTS, Handout};

/// What a call did.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// It handed this out.
    Handed(Handout),
    /// It freed this handout.
    Freed(Handout),
    /// There was nothing to free: address 0, or an object of a slab that was damaged.
    Nothing,
    /// It made a cache.
    Created,
    /// It gave so many pages back.
    Shrunk(usize),
    /// It destroyed a cache, of which this is the last state.
    Destroyed(CacheState),
}

/// Why there is no [`Answer`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The call failed; the log says why.
    Alloc,
    /// The call refused to free.
    Free(FreeError),
    /// The call refused to create a cache.
    Create(CreateError),
    /// The call refused to destroy a cache.
    Destroy(DestroyError),
    /// The call was not made: it would have freed memory that was not handed out here.
    NotYours(VirtAddr),
    /// The call was not made: it would have freed a block that was not handed out here.
    NotYourBlock(Pfn),
    /// The call was not made: as much as can be remembered is handed out and was not freed.
    Full,
    /// The call was not made: no cache of this name was created here.
    NoSuchCache,
    /// The call was not made: there are as many caches as can be remembered.
    TooManyCaches,
    /// The call was not made: ^C came first, or an earlier call died.
    Lock(Errno),
}

impl core::convert::From<LockError> for Refusal {
    fn from(error: LockError) -> Self {
        Self::Lock(error.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alloc => f.write_str("refused, or out of memory: the log says which"),
            Self::Free(error) => f.write_str(error.reason()),
            Self::Create(error) => f.write_str(error.reason()),
            Self::Destroy(DestroyError::Busy(1)) => f.write_str("1 object is still allocated"),
            Self::Destroy(DestroyError::Busy(objects)) => write!(f, "{objects} objects are still allocated"),
            Self::Destroy(DestroyError::WrongContext) => f.write_str("may sleep, called where it may not"),
            Self::Destroy(_) | Self::NoSuchCache => f.write_str("no cache of this name was created at the prompt"),
            Self::NotYours(_) | Self::NotYourBlock(_) => f.write_str("not handed out at the prompt"),
            Self::Full => write!(f, "{} handouts are not freed yet: free some (held lists them)", HANDOUTS),
            Self::TooManyCaches => write!(f, "at most {} caches at a time", CACHES),
            Self::Lock(errno) => write!(f, "{errno}"),
        }
    }
}
