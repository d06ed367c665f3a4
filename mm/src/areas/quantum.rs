//! Free ranges by their size: chains of them, and the buckets of a CPU.
//!
//! Key types: [`AreaChain`], `Bucket`. Links and counts are atomics, read and written Relaxed by whoever owns the chain.

use crate::addr::PAGE_SIZE;
use crate::atomic::{AtomicU32, Ordering::Relaxed};
use crate::vm::area::{AreaLink, AreaRef, AreaState};

/// Sizes that have a bucket: see [`size_bucket`].
pub(super) const BUCKETS: usize = 36;
/// Ranges that wait in a bucket, at most.
const RANGES: u32 = 256;
/// Pages of the largest size that has a bucket: 2 MiB.
const LARGE_PAGES: usize = 512;
/// Ranges that an empty bucket gets at once, at most; one at first, then twice as many each time.
const REFILL: u32 = 8;
/// Pages of such ranges, at most.
const REFILL_PAGES: usize = 256;

/// The bucket of a size: 1 to 32, 64, 128, 256 and 512 pages have one.
#[inline]
pub(super) fn size_bucket(pages: usize) -> Option<usize> {
    match pages {
        1..=32 => Some(pages - 1),
        64 | 128 | 256 | LARGE_PAGES => Some(26 + pages.ilog2() as usize),
        _ => None,
    }
}

/// The bucket that a range may wait in. What lies in that of 2 MiB serves a large page. Larger ranges, which want more than
/// that, have none.
#[inline]
pub(super) fn bucket_of(area: AreaRef) -> Option<usize> {
    let may_wait = area.pages < LARGE_PAGES || area.start.is_aligned(LARGE_PAGES * PAGE_SIZE);
    size_bucket(area.pages).filter(|_| may_wait)
}

/// A chain of free areas; the link of the last one leads nowhere.
pub(crate) struct AreaChain {
    first: AreaLink,
    /// Says nothing if there is no first one.
    last: AreaLink,
    count: AtomicU32,
}

impl AreaChain {
    /// No areas.
    pub(crate) const fn new() -> Self {
        Self { first: AreaLink::new(), last: AreaLink::new(), count: AtomicU32::new(0) }
    }

    /// Areas in it.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// Adds an area at the beginning.
    #[inline]
    pub(super) fn push_first(&self, area: AreaRef) {
        let first = self.first.get();
        if first.is_none() {
            self.last.set(Some(area));
        }
        area.next.set(first);
        self.first.set(Some(area));
        self.count.store(self.len().wrapping_add(1), Relaxed);
    }

    /// Adds a free area at the end.
    pub(crate) fn push(&self, area: AreaRef) {
        let one = Self::new();
        one.push_first(area);
        self.append(&one);
    }

    /// Takes the first area.
    #[inline]
    pub(crate) fn pop(&self) -> Option<AreaRef> {
        let area = self.first.get()?;
        self.first.set(area.next.get());
        self.count.store(self.len().wrapping_sub(1), Relaxed);
        Some(area)
    }

    fn last(&self) -> Option<AreaRef> {
        self.last.get().filter(|_| self.first.get().is_some())
    }

    /// Takes all areas of another chain over: behind an own one, or before all.
    fn splice(&self, behind: Option<AreaRef>, others: &Self) {
        let (Some(first), Some(last)) = (others.first.get(), others.last()) else { return };
        let next = match behind {
            Some(own) => own.next.replace(Some(first)),
            None => self.first.replace(Some(first)),
        };
        last.next.set(next);
        if next.is_none() {
            self.last.set(Some(last));
        }
        self.count.store(self.len().wrapping_add(others.len()), Relaxed);
        others.first.set(None);
        others.count.store(0, Relaxed);
    }

    /// Takes all areas of another chain over, behind the own ones.
    fn append(&self, others: &Self) {
        self.splice(self.last(), others);
    }

    /// Takes all areas of another chain over, behind all that begin below the first of them.
    fn sort_in(&self, others: &Self) {
        let below = |area: &AreaRef| others.first.get().is_some_and(|first| area.start < first.start);
        let behind = self.last().filter(below).or_else(|| self.iter().take_while(below).last());
        self.splice(behind, others);
    }

    fn iter(&self) -> impl Iterator<Item = AreaRef> + use<> {
        core::iter::successors(self.first.get(), |area| area.next.get())
    }

    /// Whether these are as many as counted, free, and of the size of a bucket.
    pub(super) fn is_sound(&self, bucket: usize) -> bool {
        let right = |area: AreaRef| area.state() == AreaState::Free && bucket_of(area) == Some(bucket);
        let (count, last) = (self.iter().count(), self.iter().last());
        self.iter().all(right) && count == self.len() as usize && last == self.last()
    }
}

/// The free ranges of one size that a CPU has at hand.
pub(super) struct Bucket {
    ranges: AreaChain,
    /// Ranges to get at the next refill.
    refill: AtomicU32,
}

impl Bucket {
    pub(super) const fn new() -> Self {
        Self { ranges: AreaChain::new(), refill: AtomicU32::new(1) }
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

    /// Lets more ranges be taken, for which there is room. Whoever frees ranges and takes them again finds neighbours in a
    /// row.
    pub(super) fn sort_in(&self, ranges: &AreaChain) {
        self.ranges.sort_in(ranges);
    }

    /// How many ranges of so many pages it is time to get at once: more, the more often there was none.
    pub(super) fn plan_refill(&self, pages: usize) -> u32 {
        let refill = self.refill.load(Relaxed);
        self.refill.store((refill * 2).min(REFILL), Relaxed);
        refill.min((REFILL_PAGES / pages) as u32).max(1)
    }

    /// Takes over ranges that are to be taken first. Says whether there was room for them.
    pub(super) fn refill(&self, ranges: &AreaChain) -> bool {
        let room = self.has_room(ranges.len());
        if room {
            self.ranges.splice(None, ranges);
        }
        room
    }

    /// Checks what it holds.
    pub(super) fn is_sound(&self, index: usize) -> bool {
        self.ranges.is_sound(index) && self.has_room(0)
    }
}
