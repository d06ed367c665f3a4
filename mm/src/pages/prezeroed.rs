//! Pages that were cleared while nobody needed the processor: get_zeroed_page takes them as they are.

use super::Memory;
use crate::addr::Pfn;
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::gfp::{GfpFlags, ZoneKind};
use crate::magazine::{Class, Magazine};
use crate::order::Order;
use crate::page::{BlockKey, Word};
use crate::platform::{Lock, Platform};

/// Cleared pages that are kept.
const KEPT: usize = 64;
/// The zone that they come from: the one that most requests try first.
const ZONE: ZoneKind = ZoneKind::Normal;
/// What its pages are.
const KEY: BlockKey = BlockKey::new(ZONE, Order::ZERO);

/// The pool. Its pages are parked: free, but outside of the zone's count.
pub(super) struct ClearedPool<P: Platform> {
    pages: P::Lock<Magazine>,
    /// How many there are, to be looked at without the lock.
    count: AtomicUsize,
    /// Zeroed pages that were asked for and not yet replaced: nothing is cleared that nobody wants.
    wanted: AtomicUsize,
}

impl<P: Platform> ClearedPool<P> {
    pub(super) fn new() -> Self {
        Self { pages: Lock::new(Magazine::EMPTY), count: AtomicUsize::new(0), wanted: AtomicUsize::new(0) }
    }

    /// Pages in the pool.
    pub(super) fn len(&self) -> usize {
        self.count.load(Relaxed)
    }
}

impl<P: Platform> Memory<P> {
    /// Clears one page for each zeroed page that was asked for, up to 64 ahead; `false` when there is nothing to do. The
    /// idle thread calls it until it says no. Any context.
    pub fn clear_ahead(&self) -> bool {
        let wanted = self.cleared.wanted.load(Relaxed);
        if wanted == 0 || self.cleared.len() >= KEPT || self.tight[ZONE as usize].load(Relaxed) {
            return false;
        }
        // Nobody else runs here meanwhile, so no page is ever seen on its way.
        let _pin = self.platform.pin();
        let mut frame = [Pfn::new(0)];
        if self.alloc_cached(KEY, frame.iter_mut()) == 0 {
            return false;
        }
        let [frame] = frame;
        self.platform.clear_page(self.virt(frame));
        self.map.at(frame).set_word(Word::parked(KEY));
        self.cleared.wanted.store(wanted - 1, Relaxed);
        self.cleared.pages.with(|pages| {
            pages.push(&self.map, frame);
            self.cleared.count.store(pages.len() as usize, Relaxed);
        });
        true
    }

    /// A cleared page, if the request may have one from this zone and there is one.
    pub(super) fn take_cleared(&self, gfp: GfpFlags) -> Option<Pfn> {
        if self.first_zone(gfp) != ZONE {
            return None;
        }
        let wanted = self.cleared.wanted.load(Relaxed);
        self.cleared.wanted.store((wanted + 1).min(KEPT), Relaxed);
        if self.cleared.len() == 0 || !self.platform.admits(Order::ZERO) {
            return None;
        }
        let frame = self.cleared.pages.with(|pages| {
            let frame = pages.pop(&self.map);
            self.cleared.count.store(pages.len() as usize, Relaxed);
            frame
        })?;
        self.map.at(frame).set_word(Word::allocated(KEY));
        self.platform.on_alloc(frame, Order::ZERO, ZONE);
        Some(frame)
    }

    /// Gives all cleared pages to the zone, and wants none until the next is asked for; returns how many that were. Any
    /// context.
    pub(super) fn drain_cleared(&self) -> usize {
        self.cleared.wanted.store(0, Relaxed);
        if self.cleared.len() == 0 {
            return 0;
        }
        let all = self.cleared.pages.with(|pages| {
            self.cleared.count.store(0, Relaxed);
            core::mem::replace(pages, Magazine::EMPTY)
        });
        if let (Some(class), true) = (Class::of(Order::ZERO), all.len() > 0) {
            self.with_zone(ZONE, |zone| zone.empty(&self.map, class, all));
        }
        all.len() as usize
    }

    /// Cleared pages of `zone`.
    pub(super) fn cleared_pages(&self, zone: ZoneKind) -> usize {
        if zone == ZONE { self.cleared.len() } else { 0 }
    }

    /// Checks that the pool holds parked pages only.
    pub(super) fn validate_cleared(&self) -> Result<(), &'static str> {
        self.cleared.pages.with(|pages| pages.validate(&self.map, Word::parked(KEY)))
    }
}
