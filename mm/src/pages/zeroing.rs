//! What is done to pages at allocation or free: zeros, poison, owners noted.
//!
//! The fast way checks none of this. While either is wanted, the magazines stay empty, so each request and each free
//! goes to its zone, and there the page is filled or looked at: after the zone grants it, or before the zone takes it
//! back, never under the zone's lock.

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use bitflags::bitflags;

bitflags! {
    /// When pages are filled with zeros.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct ZeroPages: u8 {
        /// Whenever they are allocated. (Kernel option `init_on_alloc=1`.)
        const ON_ALLOC = 1;
        /// Whenever they are freed. (Kernel option `init_on_free=1`.)
        const ON_FREE = 2;
        /// Not zeros: a pattern whenever they are freed, which is looked for when they are allocated. (Kernel option
        /// `page_poison=1`.)
        const POISON = 4;
        /// Nothing is filled: who allocates a block is remembered. (Kernel option `page_owner=1`.)
        const OWNERS = 8;
    }
}

/// When pages are cleared. Changed at boot only.
pub(super) struct Zeroing(AtomicU8);

impl Zeroing {
    /// Never.
    pub(super) const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Whether pages are cleared at this event.
    #[inline]
    pub(super) fn is_wanted_at(&self, event: ZeroPages) -> bool {
        self.0.load(Relaxed) & event.bits() != 0
    }

    /// Whether every page must come from and go to its zone.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted_at(ZeroPages::all())
    }

    /// Sets the events of `mask`; says whether that changes anything.
    pub(super) fn set(&self, mask: ZeroPages, events: ZeroPages) -> bool {
        let before = self.0.load(Relaxed);
        let after = before & !mask.bits() | events.bits();
        self.0.store(after, Relaxed);
        after != before
    }
}
