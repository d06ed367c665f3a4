//! The list of all caches, newest first, and where the reaper looks next.
//!
//! A cache is found by its name in one of 64 chains, so that with a thousand caches a new one costs little more than
//! with ten.

use crate::addr::VirtAddr;
use crate::objects::cache::CachePtr;
use crate::objects::debug::DebugChoice;
use crate::objects::name::CacheName;
use crate::page::{SlabUser, Word};
use crate::platform::Platform;

/// The numbers below belong to the allocators' own caches, which exist from the start.
const FIRST_NUMBER: u32 = 16;
/// log2 of how many chains there are.
const CHAIN_BITS: u32 = 6;

/// All caches, and where the reaper looks next.
pub(super) struct CacheList<P: Platform> {
    head: Option<CachePtr<P>>,
    hand: Option<CachePtr<P>>,
    /// The newest cache of each chain.
    chains: [Option<CachePtr<P>>; 1 << CHAIN_BITS],
    numbers: u32,
    /// The debugging of caches that are created now.
    pub(super) debug: DebugChoice,
}

impl<P: Platform> CacheList<P> {
    pub(super) const fn new() -> Self {
        Self {
            head: None,
            hand: None,
            chains: [None; 1 << CHAIN_BITS],
            numbers: FIRST_NUMBER,
            debug: DebugChoice::NONE,
        }
    }

    /// A word for the pages of a new cache; words repeat after almost 2^32 caches.
    pub(super) fn next_tag(&mut self, user: SlabUser) -> Word {
        let number = self.numbers;
        self.numbers = number.checked_add(1).unwrap_or(FIRST_NUMBER);
        Word::slab(number, user)
    }

    /// Adds a cache at the head.
    pub(super) fn push(&mut self, cache: CachePtr<P>) {
        if let Some(head) = self.head {
            head.prev.set(Some(cache));
        }
        cache.next.set(self.head);
        self.head = Some(cache);
        let chain = &mut self.chains[cache.name.number(CHAIN_BITS)];
        cache.alike.set(chain.replace(cache));
    }

    /// Takes a cache out. `false` when it is not in the list.
    pub(super) fn remove(&mut self, cache: CachePtr<P>) -> bool {
        let (next, prev) = (cache.next.get(), cache.prev.take());
        match prev {
            Some(prev) => prev.next.set(next),
            None if self.head == Some(cache) => self.head = next,
            None => return false,
        }
        if let Some(next) = next {
            next.prev.set(prev);
        }
        if self.hand == Some(cache) {
            self.hand = next;
        }
        self.unchain(cache);
        true
    }

    /// Takes a cache out of the chain of its name.
    fn unchain(&mut self, cache: CachePtr<P>) {
        let chain = &mut self.chains[cache.name.number(CHAIN_BITS)];
        if *chain == Some(cache) {
            *chain = cache.alike.get();
            return;
        }
        let newer = core::iter::successors(*chain, |newer| newer.alike.get());
        if let Some(newer) = newer.into_iter().find(|newer| newer.alike.get() == Some(cache)) {
            newer.alike.set(cache.alike.get());
        }
    }

    /// The caches of this name, newest first: one, besides those that were disowned.
    pub(super) fn named(&self, name: CacheName) -> impl Iterator<Item = CachePtr<P>> {
        let chain = self.chains[name.number(CHAIN_BITS)];
        core::iter::successors(chain, |cache| cache.alike.get()).filter(move |cache| cache.name == name)
    }

    /// Where the address of the newest cache lies.
    pub(super) fn head_word(&self) -> VirtAddr {
        VirtAddr::from_ptr(&raw const self.head)
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
