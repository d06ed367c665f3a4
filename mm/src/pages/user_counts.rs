//! What processes have of pages, and what they did.

use core::sync::atomic::AtomicU64;

use crate::atomic::{AtomicUsize, Ordering::Relaxed};

/// What processes have, and what they did.
pub(super) struct UserPages {
    /// Pages of their own.
    pub(super) anonymous: AtomicUsize,
    /// Faults of theirs that were resolved.
    pub(super) faults: AtomicU64,
    /// Of these, by a copy.
    pub(super) copies: AtomicU64,
}

impl UserPages {
    /// None.
    pub(super) const fn new() -> Self {
        Self { anonymous: AtomicUsize::new(0), faults: AtomicU64::new(0), copies: AtomicU64::new(0) }
    }

    /// A snapshot of what they did.
    pub(super) fn counts(&self) -> UserCounts {
        UserCounts { faults: self.faults.load(Relaxed), copies: self.copies.load(Relaxed) }
    }
}

/// A snapshot of what processes did since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct UserCounts {
    /// Faults of theirs that were resolved.
    pub faults: u64,
    /// Of these, by a copy of a page.
    pub copies: u64,
}
