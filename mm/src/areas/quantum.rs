//! Quantum caches: the free ranges of each often-used size.
//!
//! (J. Bonwick, J. Adams, "Magazines and Vmem", 2001: an arena's small multiples of its quantum, here the page.)

use crate::addr::PAGE_SIZE;
use crate::areas::area::AreaRef;
use crate::areas::area_chain::AreaChain;
use crate::atomic::{AtomicU32, Ordering::Relaxed};

/// Sizes that have a cache: see [`size_quantum`].
pub(super) const QUANTA: usize = 36;
/// Ranges in a cache, at most.
const RANGES: u32 = 256;
/// Pages of the largest size that has a cache: 2 MiB.
const LARGE_PAGES: usize = 512;
/// Ranges that an empty cache gets at once, at most; 1 at first, then twice as many each time.
const REFILL: u32 = 8;
/// Pages of such ranges, at most.
const REFILL_PAGES: usize = 256;

/// The cache of a size: 1 to 32, 64, 128, 256 and 512 pages have one.
#[inline]
pub(super) fn size_quantum(pages: usize) -> Option<usize> {
    match pages {
        1..=32 => Some(pages - 1),
        64 | 128 | 256 | LARGE_PAGES => Some(26 + pages.ilog2() as usize),
        _ => None,
    }
}

/// The cache that a range may be in. The one of 2 MiB has ranges for a large page only. Larger ranges, whose alignment
/// may be larger too, have none.
#[inline]
pub(super) fn quantum_of(area: AreaRef) -> Option<usize> {
    let may_wait = area.pages < LARGE_PAGES || area.start.is_aligned(LARGE_PAGES * PAGE_SIZE);
    size_quantum(area.pages).filter(|_| may_wait)
}

/// The free ranges of one size of a CPU.
pub(super) struct QuantumCache {
    ranges: AreaChain,
    /// Ranges to get at the next refill.
    refill: AtomicU32,
}

impl QuantumCache {
    pub(super) const fn new() -> Self {
        Self { ranges: AreaChain::new(), refill: AtomicU32::new(1) }
    }

    /// Moves all ranges to `into`.
    pub(super) fn take_all(&self, into: &AreaChain) {
        into.append(&self.ranges);
    }

    /// Takes the first range.
    #[inline]
    pub(super) fn take(&self) -> Option<AreaRef> {
        self.ranges.pop()
    }

    /// Ranges that can be taken.
    pub(super) fn len(&self) -> u32 {
        self.ranges.len()
    }

    /// Whether there is room for more ranges.
    #[inline]
    pub(super) fn has_room(&self, more: u32) -> bool {
        self.ranges.len() + more <= RANGES
    }

    /// Adds ranges for which there is room, by address: a caller that frees neighbours and allocates again gets
    /// neighbours.
    pub(super) fn sort_in(&self, ranges: &AreaChain) {
        self.ranges.sort_in(ranges);
    }

    /// How many ranges of so many pages to get at once: twice as many each time that there was none.
    pub(super) fn plan_refill(&self, pages: usize) -> u32 {
        let refill = self.refill.load(Relaxed);
        self.refill.store((refill * 2).min(REFILL), Relaxed);
        refill.min((REFILL_PAGES / pages) as u32).max(1)
    }

    /// Adds ranges that are to be taken first. Says whether there was room for them.
    pub(super) fn refill(&self, ranges: &AreaChain) -> bool {
        let room = self.has_room(ranges.len());
        if room {
            self.ranges.splice(None, ranges);
        }
        room
    }

    /// Checks what it holds.
    pub(super) fn is_sound(&self, index: usize) -> bool {
        self.ranges.is_sound(|area| quantum_of(area) == Some(index)) && self.has_room(0)
    }
}
