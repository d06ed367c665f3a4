//! A pool of pages that were cleared ahead of a request.
//!
//! Its pages are cached: free, but not in the zone's count.

use crate::addr::Pfn;
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::{BlockChain, BlockKey, PageMap, Word};
use crate::platform::{Lock, Platform};

/// Cleared pages that are kept.
const KEPT: usize = 64;

/// The pool.
pub(super) struct Prezeroed<P: Platform> {
    pages: P::Lock<BlockChain>,
    /// How many there are, readable without the lock.
    count: AtomicUsize,
    /// Zeroed pages that were requested and not yet replaced: only so many are cleared ahead.
    wanted: AtomicUsize,
}

impl<P: Platform> Prezeroed<P> {
    /// The zone that the pages come from: the one that most requests try first.
    pub(super) const ZONE: ZoneKind = ZoneKind::Normal;
    /// Zone and order of the pages.
    pub(super) const KEY: BlockKey = BlockKey::new(Self::ZONE, Order::ZERO);

    /// No pages.
    pub(super) fn new() -> Self {
        Self { pages: Lock::new(BlockChain::EMPTY), count: AtomicUsize::new(0), wanted: AtomicUsize::new(0) }
    }

    /// Pages in the pool.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Whether a page should be added.
    pub(super) fn is_wanting(&self) -> bool {
        self.wanted.load(Relaxed) > 0 && self.len() < KEPT
    }

    /// Counts a request for a zeroed page.
    #[inline]
    pub(super) fn note_request(&self) {
        let wanted = self.wanted.load(Relaxed);
        if wanted < KEPT {
            self.wanted.store(wanted + 1, Relaxed);
        }
    }

    /// Adds a cleared page, which the caller owns, for one that was requested.
    pub(super) fn add(&self, map: &PageMap, frame: Pfn) {
        map.at(frame).set_word(Word::cleared(Self::KEY));
        self.wanted.store(self.wanted.load(Relaxed).saturating_sub(1), Relaxed);
        self.with(|pages| pages.push(map, frame));
    }

    /// Takes a page out.
    pub(super) fn take(&self, map: &PageMap) -> Option<Pfn> {
        self.with(|pages| pages.pop(map))
    }

    /// Takes all pages out, and wants none until the next request.
    pub(super) fn take_all(&self) -> BlockChain {
        self.wanted.store(0, Relaxed);
        if self.len() == 0 {
            return BlockChain::EMPTY;
        }
        self.with(|pages| core::mem::replace(pages, BlockChain::EMPTY))
    }

    /// Checks that the pool holds cached pages only.
    pub(super) fn validate(&self, map: &PageMap) -> Result<(), &'static str> {
        let sound = self.with(|pages| pages.is_sound(map, |word| word == Word::cleared(Self::KEY)));
        if sound { Ok(()) } else { Err("the pool of cleared pages holds one that is not marked so") }
    }

    /// Runs `f` with the pages, and updates their count.
    fn with<R>(&self, f: impl FnOnce(&mut BlockChain) -> R) -> R {
        self.pages.with(|pages| {
            let result = f(pages);
            self.count.store(pages.len() as usize, Relaxed);
            result
        })
    }
}
