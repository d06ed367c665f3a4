//! The list of all caches, newest first, and where the reaper looks next.

use crate::objects::cache::CachePtr;
use crate::objects::debug::DebugChoice;
use crate::page::{SlabUser, Word};
use crate::platform::Platform;

/// The numbers below belong to the allocators' own caches, which exist from the start.
const FIRST_NUMBER: u32 = 16;

/// All caches, and where the reaper looks next.
pub(super) struct CacheList<P: Platform> {
    head: Option<CachePtr<P>>,
    hand: Option<CachePtr<P>>,
    numbers: u32,
    /// The debugging of caches that are created now.
    pub(super) debug: DebugChoice,
}

impl<P: Platform> CacheList<P> {
    pub(super) const fn new() -> Self {
        Self { head: None, hand: None, numbers: FIRST_NUMBER, debug: DebugChoice::NONE }
    }

    /// A word for the pages of a new cache; words repeat after almost 2^32 caches.
    pub(super) fn next_tag(&mut self, user: SlabUser) -> Word {
        let number = self.numbers;
        self.numbers = number.checked_add(1).unwrap_or(FIRST_NUMBER);
        Word::slab(number, user)
    }

    /// Adds a cache at the head.
    pub(super) fn push(&mut self, cache: CachePtr<P>) {
        cache.next.set(self.head);
        self.head = Some(cache);
    }

    /// Takes a cache out. `false` when it is not in the list.
    pub(super) fn remove(&mut self, cache: CachePtr<P>) -> bool {
        if self.hand == Some(cache) {
            self.hand = cache.next.get();
        }
        if self.head == Some(cache) {
            self.head = cache.next.get();
            return true;
        }
        let before = self.iter().find(|older| older.next.get() == Some(cache));
        if let Some(before) = before {
            before.next.set(cache.next.get());
        }
        before.is_some()
    }

    /// The caches, newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = CachePtr<P>> {
        core::iter::successors(self.head, |cache| cache.next.get())
    }

    /// The next cache in turn, round and round.
    pub(super) fn turn(&mut self) -> Option<CachePtr<P>> {
        let cache = self.hand.or(self.head)?;
        self.hand = cache.next.get();
        Some(cache)
    }
}
