//! What the cache knows of a page frame: 32 bytes.
//!
//! Invariants, under the index lock:
//! - (a) a descriptor with a page is in the hash and on exactly one list of its mapping: that of its state.
//! - (b) one without a page is in none; it may be locked.
//! - (c) a page that is not up to date is clean and locked, by who reads it.

use bitflags::bitflags;
use mm::own::{Global, PageRef};

use crate::state::State;

/// No frame: frame 0 is never allocated.
pub(crate) const NONE: u32 = 0;

bitflags! {
    /// More of a page.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Marks: u8 {
        /// Somebody has its lock.
        const LOCKED = 1 << 0;
        /// It holds what it should.
        const UP_TO_DATE = 1 << 1;
        /// It was written to on its way out: it is dirty when it has come there.
        const REDIRTIED = 1 << 2;
        /// Who reads it is about to need the pages behind it.
        const READ_ON = 1 << 3;
        /// Its last write failed since the last sync of its mapping began.
        const FAILED = 1 << 4;
        /// Somebody waits until it is locked no more: who ends the lock wakes him. Nobody is woken where nobody waits.
        const WANTED = 1 << 5;
    }
}

/// What the cache knows of a frame.
pub(crate) struct Descriptor<K: Global> {
    /// The cache's reference.
    pub(super) page: Option<PageRef<K>>,
    /// Whose page it is: a slot.
    pub(super) mapping: u32,
    /// Which page of it.
    pub(super) index: u32,
    /// The next one in its chain of the hash.
    pub(super) chain: u32,
    /// Its neighbours on its list.
    pub(super) before: u32,
    pub(super) after: u32,
    /// Dirty: the tick at which it became so. On its way out: the number of its write.
    pub(crate) stamp: u32,
    pub(super) state: State,
    pub(crate) marks: Marks,
    /// Writes that failed since the last one that did not.
    pub(crate) tries: u8,
}

impl<K: Global> Descriptor<K> {
    const IS_SMALL: () = assert!(size_of::<Self>() == 32);

    pub(crate) const fn new() -> Self {
        const { Self::IS_SMALL };
        Self {
            page: None,
            mapping: 0,
            index: 0,
            chain: NONE,
            before: NONE,
            after: NONE,
            stamp: 0,
            state: State::Clean,
            marks: Marks::empty(),
            tries: 0,
        }
    }

    pub(crate) const fn has(&self, marks: Marks) -> bool {
        self.marks.contains(marks)
    }

    /// Its lock ends. Whether somebody waits for that.
    pub(crate) fn unlock(&mut self) -> bool {
        let was_wanted = self.has(Marks::WANTED);
        self.marks -= Marks::LOCKED | Marks::WANTED;
        was_wanted
    }

    /// Whether it is not locked; if it is, somebody waits for the end of that.
    pub(crate) fn is_unlocked_or_wanted(&mut self) -> bool {
        let is_locked = self.has(Marks::LOCKED);
        if is_locked {
            self.marks |= Marks::WANTED;
        }
        !is_locked
    }

    pub(crate) const fn is_kept(&self) -> bool {
        self.page.is_some()
    }

    /// Whether it is the page at `index` of `mapping`.
    #[inline]
    pub(crate) const fn is_at(&self, mapping: u32, index: u32) -> bool {
        self.mapping == mapping && self.index == index && self.page.is_some()
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    pub(crate) const fn index(&self) -> u32 {
        self.index
    }

    pub(crate) const fn mapping(&self) -> u32 {
        self.mapping
    }

    /// Ticks from when the dirty page became so to `now`; below 0 if that was later.
    pub(crate) const fn age(&self, now: u32) -> i32 {
        now.wrapping_sub(self.stamp) as i32
    }

    /// One more reference to the page.
    #[inline]
    pub(crate) fn another(&self) -> Option<PageRef<K>> {
        self.page.as_ref()?.another()
    }

    /// References to the page.
    pub(crate) fn references(&self) -> u32 {
        self.page.as_ref().map_or(0, PageRef::references)
    }
}
