//! Free address ranges at hand: those of freed areas, and neighbours of new ones, until they are wanted.
//!
//! Key types: [`RangeCache`], one for each CPU. A freed area keeps its descriptor and its place in the tree, and waits in
//! the bucket of its size, to be taken in a few steps, without a walk through the tree. An empty bucket is refilled with
//! ranges that follow one another.
//!
//! No range may have a new owner before the TLBs are flushed, and one flush does for many. What was freed since the last
//! one is *lazy*, and so are the frames that were mapped there. Lazy areas wait in one chain; after the flush each goes to
//! its bucket. Who frees ascending addresses gets them back ascending.
//!
//! Who may touch a CPU's cache: the thread that is pinned to the CPU, and an interrupt only if it did not come in between
//! ([`front`](crate::platform::Pinned::front)). Its words are atomics, read and written Relaxed, so that others may look at
//! the counts.
//!
//! Invariants (checked by [`RangeCache::validate`]): every area here is `Free`; each is lazy or in the bucket of its size;
//! all are as many as counted.

use crate::addr::PAGE_SIZE;
use crate::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use crate::page::PageMap;
use crate::platform::MustFlush;
use crate::vm::FrameChain;
use crate::vm::area::{AreaLink, AreaRef, AreaState};
use crate::vm::chain::FrameWords;

/// Sizes that have a bucket: see [`bucket_of`].
const BUCKETS: usize = 36;
/// Ranges that wait in a bucket, at most.
const RANGES: u32 = 256;
/// Pages of the largest size that has a bucket: 2 MiB.
const LARGE_PAGES: usize = 512;
/// Areas that wait for a flush, at most.
const LAZY_AREAS: usize = 64;
/// Areas that a CPU takes without a bias after one was revoked.
const UNBIASED: usize = 1024;
/// Ranges that an empty bucket gets at once, at most; one at first, then twice as many each time.
const REFILL: u32 = 8;
/// Pages of such ranges, at most.
const REFILL_PAGES: usize = 256;

/// The bucket of a size: 1 to 32, 64, 128, 256 and 512 pages have one.
#[inline]
fn bucket_of(pages: usize) -> Option<usize> {
    match pages {
        1..=32 => Some(pages - 1),
        64 | 128 | 256 | LARGE_PAGES => Some(26 + pages.ilog2() as usize),
        _ => None,
    }
}

/// A chain of free areas; the link of the last one leads nowhere.
pub(crate) struct Chain {
    first: AreaLink,
    /// Says nothing if there is no first one.
    last: AreaLink,
}

impl Chain {
    /// No areas.
    pub(crate) const fn new() -> Self {
        Self { first: AreaLink::new(), last: AreaLink::new() }
    }

    /// Adds an area at the beginning.
    #[inline]
    fn push_first(&self, area: AreaRef) {
        let first = self.first.get();
        if first.is_none() {
            self.last.set(Some(area));
        }
        area.next.set(first);
        self.first.set(Some(area));
    }

    /// Adds an area at the end, which is free from here on.
    pub(crate) fn push(&self, area: AreaRef) {
        area.set_free();
        let one = Self::new();
        one.push_first(area);
        self.append(&one);
    }

    /// Takes the first area.
    #[inline]
    pub(crate) fn pop(&self) -> Option<AreaRef> {
        let area = self.first.get()?;
        self.first.set(area.next.get());
        Some(area)
    }

    /// Takes all areas of another chain over, behind the own ones.
    fn append(&self, others: &Self) {
        let Some(first) = others.first.get() else { return };
        match self.last.get().filter(|_| self.first.get().is_some()) {
            Some(last) => last.next.set(Some(first)),
            None => self.first.set(Some(first)),
        }
        self.last.set(others.last.get());
        others.first.set(None);
    }

    /// Takes all areas of another chain over, before the own ones.
    fn prepend(&self, others: &Self) {
        others.append(self);
        self.append(others);
    }

    /// Takes all areas of another chain over, behind an own one that is not the last, or before all.
    fn insert(&self, before: Option<AreaRef>, others: &Self) {
        let Some(before) = before else { return self.prepend(others) };
        let rest = Self { first: AreaLink::to(before.next.get()), last: AreaLink::to(self.last.get()) };
        self.last.set(Some(before));
        self.append(others);
        self.append(&rest);
    }

    fn iter(&self) -> impl Iterator<Item = AreaRef> + use<> {
        core::iter::successors(self.first.get(), |area| area.next.get())
    }
}

/// Free ranges of one size.
struct Bucket {
    ranges: Chain,
    /// Those that are only now being sorted in.
    new: Chain,
    count: AtomicU32,
    /// Ranges to get at the next refill.
    refill: AtomicU32,
}

impl Bucket {
    const fn new() -> Self {
        Self { ranges: Chain::new(), new: Chain::new(), count: AtomicU32::new(0), refill: AtomicU32::new(1) }
    }

    fn has_room(&self, ranges: u32) -> bool {
        self.count.load(Relaxed) + ranges <= RANGES
    }

    fn add(&self, ranges: u32) {
        self.count.store(self.count.load(Relaxed) + ranges, Relaxed);
    }

    /// Takes the first range.
    #[inline]
    fn pop(&self) -> Option<AreaRef> {
        let area = self.ranges.pop()?;
        self.count.store(self.count.load(Relaxed).wrapping_sub(1), Relaxed);
        Some(area)
    }

    /// Lets the new ranges be taken, of which there is one: behind all that begin below the first of them. So whoever frees
    /// ranges and takes them again finds neighbours in a row.
    fn sort_in(&self) {
        let below = |area: &AreaRef| self.new.first.get().is_some_and(|first| area.start < first.start);
        match self.ranges.last.get().filter(|_| self.ranges.first.get().is_some()) {
            Some(last) if !below(&last) => self.ranges.insert(self.ranges.iter().take_while(below).last(), &self.new),
            _ => self.ranges.append(&self.new),
        }
    }
}

/// What a flush sets free.
#[must_use = "the frames and areas are nobody's until they are given back"]
pub(crate) struct Settled {
    pub(crate) frames: FrameChain,
    /// Areas whose ranges have no place in a bucket.
    pub(crate) surplus: Chain,
}

/// The free ranges that one CPU has at hand.
#[repr(align(64))]
pub(crate) struct RangeCache {
    /// The lazy areas, the last one first.
    lazy: AreaLink,
    lazy_areas: AtomicUsize,
    /// Lazy areas from which on they are flushed; 0 when another CPU asks this one to empty its cache.
    limit: AtomicUsize,
    /// Areas that the CPU is to take without a bias, after others had to revoke some.
    unbiased: AtomicUsize,
    frames: FrameWords,
    buckets: [Bucket; BUCKETS],
}

impl RangeCache {
    /// Nothing at hand.
    pub(crate) const fn new() -> Self {
        Self {
            lazy: AreaLink::new(),
            lazy_areas: AtomicUsize::new(0),
            limit: AtomicUsize::new(LAZY_AREAS),
            unbiased: AtomicUsize::new(0),
            frames: FrameWords::new(),
            buckets: [const { Bucket::new() }; BUCKETS],
        }
    }

    /// Takes a range of exactly `pages` pages and a guard page, one of 2 MiB at a multiple of that; the area is the caller's
    /// alone, and still `Free`.
    #[inline]
    pub(crate) fn take(&self, pages: usize) -> Option<AreaRef> {
        self.buckets[bucket_of(pages)?].pop()
    }

    /// Whether the next area is to be biased to the CPU.
    #[inline]
    pub(crate) fn biases(&self) -> bool {
        let unbiased = self.unbiased.load(Relaxed);
        if unbiased > 0 {
            // If another CPU adds to them at this moment, that is lost: they need not be exact.
            self.unbiased.store(unbiased - 1, Relaxed);
        }
        unbiased == 0
    }

    /// Another CPU had to revoke a bias. That takes long: it pays only if the CPU frees nearly all of its areas itself.
    pub(crate) fn note_revoked(&self) {
        self.unbiased.fetch_add(UNBIASED, Relaxed);
    }

    /// How many ranges of `pages` pages it is time to get at once: more, the more often there was none.
    pub(crate) fn plan_refill(&self, pages: usize) -> u32 {
        let Some(bucket) = bucket_of(pages).map(|index| &self.buckets[index]) else { return 1 };
        let refill = bucket.refill.load(Relaxed);
        bucket.refill.store((refill * 2).min(REFILL), Relaxed);
        refill.min((REFILL_PAGES / pages) as u32).max(1)
    }

    /// Leaves `count` ranges of `pages` pages that no TLB knows, to be taken first. Says whether there was room for them.
    pub(crate) fn refill(&self, pages: usize, ranges: &Chain, count: u32) -> bool {
        let bucket = bucket_of(pages).map(|index| &self.buckets[index]).filter(|bucket| bucket.has_room(count));
        if let Some(bucket) = bucket {
            bucket.add(count);
            bucket.ranges.prepend(ranges);
        }
        bucket.is_some()
    }

    /// The frames that wait for the flush.
    #[inline]
    pub(crate) fn frames(&self) -> FrameChain {
        self.frames.get()
    }

    /// Sets the frames that wait for the flush: those that did, and others before them.
    #[inline]
    pub(crate) fn set_frames(&self, frames: FrameChain) {
        self.frames.set(frames);
    }

    /// Leaves an area whose entries are cleared until the flush. Says whether that should come at once, because enough areas
    /// wait.
    #[inline]
    pub(crate) fn defer(&self, area: AreaRef, must_flush: MustFlush) -> bool {
        debug_assert!(must_flush.start() >= area.start && must_flush.end() <= area.end());
        area.set_free();
        area.next.set(self.lazy.get());
        self.lazy.set(Some(area));
        let areas = self.lazy_areas.load(Relaxed).wrapping_add(1);
        self.lazy_areas.store(areas, Relaxed);
        areas >= self.limit.load(Relaxed)
    }

    /// Lets `flush` flush what is lazy, if anything is: the pages that it is told, or the whole range, since only few pages
    /// are worth being flushed one by one. Then the ranges can be taken, and the rest is the caller's.
    pub(crate) fn settle(&self, flush: impl FnOnce(Option<MustFlush>)) -> Option<Settled> {
        let last = self.lazy.get()?;
        let single = self.lazy_areas.load(Relaxed) == 1;
        flush(single.then(|| MustFlush::new(last.start, last.pages)));
        self.lazy.set(None);
        self.lazy_areas.store(0, Relaxed);
        Some(Settled { frames: self.frames.take(), surplus: self.sort_in(last) })
    }

    /// Brings a chain of areas, the last one first, into the buckets; returns those that have no place there.
    fn sort_in(&self, last: AreaRef) -> Chain {
        let (surplus, mut touched, mut next) = (Chain::new(), 0_u64, Some(last));
        while let Some(area) = next {
            next = area.next.get();
            match bucket_of(area.pages) {
                Some(index) if self.buckets[index].has_room(1) && may_wait(area) => {
                    self.buckets[index].add(1);
                    self.buckets[index].new.push_first(area);
                    touched |= 1 << index;
                }
                _ => surplus.push_first(area),
            }
        }
        while touched != 0 {
            self.buckets[touched.trailing_zeros() as usize].sort_in();
            touched &= touched - 1;
        }
        surplus
    }

    /// Pages of memory that wait with the lazy areas. Exact on the own CPU, a moment old from elsewhere.
    pub(crate) fn lazy_pages(&self) -> usize {
        self.frames.get().pages()
    }

    /// Whether there are ranges here. Exact on the own CPU, a moment old from elsewhere.
    pub(crate) fn holds_ranges(&self) -> bool {
        self.lazy_areas.load(Relaxed) > 0 || self.buckets.iter().any(|bucket| bucket.count.load(Relaxed) > 0)
    }

    /// Whether areas here are lazy. Exact on the own CPU, a moment old from elsewhere.
    pub(crate) fn is_any_lazy(&self) -> bool {
        self.lazy_areas.load(Relaxed) > 0
    }

    /// Takes a range that is not lazy out of a bucket, whichever.
    pub(crate) fn take_any(&self) -> Option<AreaRef> {
        self.buckets.iter().find_map(Bucket::pop)
    }

    /// Asks the CPU to empty its cache at its next free.
    pub(crate) fn want_drain(&self) {
        self.limit.store(0, Relaxed);
    }

    /// Whether another CPU wants the cache emptied; asked once.
    pub(crate) fn take_drain_wish(&self) -> bool {
        self.limit.load(Relaxed) == 0 && self.limit.swap(LAZY_AREAS, Relaxed) == 0
    }

    /// Checks the invariants above; returns the one that is broken. Needs the CPU at rest.
    pub(crate) fn validate(&self, map: &PageMap) -> Result<(), &'static str> {
        let free = |area: AreaRef| area.state() == AreaState::Free;
        for (index, bucket) in self.buckets.iter().enumerate() {
            if !bucket.ranges.iter().all(|area| free(area) && bucket_of(area.pages) == Some(index) && may_wait(area)) {
                return Err("a bucket holds a range that is not free or not of its size");
            }
            let (count, last) = (bucket.ranges.iter().count(), bucket.ranges.iter().last());
            if count != bucket.count.load(Relaxed) as usize || !bucket.has_room(0) {
                return Err("ranges in a bucket are not as many as counted");
            }
            if bucket.new.first.get().is_some() || last.is_some_and(|last| bucket.ranges.last.get() != Some(last)) {
                return Err("ranges are not sorted in as they should be");
            }
        }
        let lazy = core::iter::successors(self.lazy.get(), |area| area.next.get()).filter(|&area| free(area)).count();
        if lazy != self.lazy_areas.load(Relaxed) || !self.frames.get().is_sound(map) {
            return Err("lazy areas or their frames are not as counted");
        }
        Ok(())
    }
}

/// Whether a range may wait in a bucket: what lies in that of 2 MiB serves a large page. Larger ones, which want more than
/// that, have none.
fn may_wait(area: AreaRef) -> bool {
    area.pages < LARGE_PAGES || area.start.is_aligned(LARGE_PAGES * PAGE_SIZE)
}
