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

use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::page::PageMap;
use crate::platform::MustFlush;
use crate::vm::FrameChain;
use crate::vm::area::{AreaLink, AreaRef, AreaState};
use crate::vm::bucket::{AreaChain, BUCKETS, Bucket, bucket_of, size_bucket};
use crate::vm::chain::FrameWords;

/// Areas that wait for a flush, at most.
const LAZY_AREAS: usize = 64;

/// What a flush sets free.
#[must_use = "the frames and areas are nobody's until they are given back"]
pub(crate) struct Settled {
    pub(crate) frames: FrameChain,
    /// Areas whose ranges have no place in a bucket.
    pub(crate) surplus: AreaChain,
}

/// The free ranges that one CPU has at hand.
#[repr(align(64))]
pub(crate) struct RangeCache {
    /// The lazy areas, the last one first.
    lazy: AreaLink,
    lazy_areas: AtomicUsize,
    /// Lazy areas from which on they are flushed; 0 when another CPU asks this one to empty its cache.
    limit: AtomicUsize,
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
            frames: FrameWords::new(),
            buckets: [const { Bucket::new() }; BUCKETS],
        }
    }

    /// Takes a range of exactly `pages` pages and a guard page, one of 2 MiB at a multiple of that; the area is the caller's
    /// alone, and still `Free`.
    #[inline]
    pub(crate) fn take(&self, pages: usize) -> Option<AreaRef> {
        self.buckets[size_bucket(pages)?].take()
    }

    /// How many ranges of `pages` pages it is time to get at once: more, the more often there was none.
    pub(crate) fn plan_refill(&self, pages: usize) -> u32 {
        size_bucket(pages).map_or(1, |index| self.buckets[index].plan_refill(pages))
    }

    /// Leaves ranges of `pages` pages that no TLB knows, to be taken first. Says whether there was room for them.
    pub(crate) fn refill(&self, pages: usize, ranges: &AreaChain) -> bool {
        size_bucket(pages).is_some_and(|index| self.buckets[index].refill(ranges))
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
    fn sort_in(&self, last: AreaRef) -> AreaChain {
        let by_size = [const { AreaChain::new() }; BUCKETS];
        let (surplus, mut touched, mut next) = (AreaChain::new(), 0_u64, Some(last));
        while let Some(area) = next {
            next = area.next.get();
            match bucket_of(area).filter(|&index| self.buckets[index].has_room(by_size[index].len() + 1)) {
                Some(index) => {
                    by_size[index].push_first(area);
                    touched |= 1 << index;
                }
                None => surplus.push_first(area),
            }
        }
        while touched != 0 {
            let index = touched.trailing_zeros() as usize;
            self.buckets[index].sort_in(&by_size[index]);
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
        self.lazy_areas.load(Relaxed) > 0 || self.buckets.iter().any(|bucket| bucket.len() > 0)
    }

    /// Whether areas here are lazy. Exact on the own CPU, a moment old from elsewhere.
    pub(crate) fn is_any_lazy(&self) -> bool {
        self.lazy_areas.load(Relaxed) > 0
    }

    /// Takes a range that is not lazy out of a bucket, whichever.
    pub(crate) fn take_any(&self) -> Option<AreaRef> {
        self.buckets.iter().find_map(Bucket::take)
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
        if !self.buckets.iter().enumerate().all(|(index, bucket)| bucket.is_sound(index)) {
            return Err("a bucket holds a range that is not free, not of its size or not counted");
        }
        let free = |area: &AreaRef| area.state() == AreaState::Free;
        let lazy = core::iter::successors(self.lazy.get(), |area| area.next.get()).filter(free).count();
        if lazy != self.lazy_areas.load(Relaxed) || !self.frames.get().is_sound(map) {
            return Err("lazy areas or their frames are not as counted");
        }
        Ok(())
    }
}
