//! Free address ranges at hand: those of freed areas, until they are wanted again.
//!
//! Key types: [`RangeCache`], one for each CPU. A freed area keeps its descriptor and its place in the tree, and waits in
//! the bucket of its size, to be taken in a few steps, without a walk through the tree. Buckets are queues: who frees
//! ascending addresses gets them back ascending.
//!
//! No range may have a new owner before the TLBs are flushed, and one flush does for many. So each area bears the number of
//! the flush that it waits for, and the cache knows which one comes next: what waits for that is *lazy*, and so are the
//! frames that were mapped there. In a bucket the lazy areas are the last ones.
//!
//! Who may touch a CPU's cache: the thread that is pinned to the CPU, and an interrupt only if it did not come in between
//! ([`front`](crate::platform::Pinned::front)). Its words are atomics, read and written Relaxed, so that others may look at
//! the counts.
//!
//! Invariants (checked by [`RangeCache::validate`]): every area here is `Free`; each is in the bucket of its size; no lazy
//! area comes before one that is not; the counts are right; something must be flushed exactly when an area is lazy.

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::page::PageMap;
use crate::platform::MustFlush;
use crate::vm::FrameChain;
use crate::vm::area::{AreaLink, AreaRef, AreaState};
use crate::vm::chain::FrameWords;

/// Sizes that have a bucket: see [`bucket_of`].
const BUCKETS: usize = 36;
/// Ranges that wait in a bucket, at most.
const RANGES: usize = 256;
/// Pages of the largest size that has a bucket: 2 MiB.
const LARGE_PAGES: usize = 512;
/// Areas that wait for a flush, at most.
const LAZY_AREAS: usize = 64;

/// The bucket of a size: 1 to 32, 64, 128, 256 and 512 pages have one.
#[inline]
const fn bucket_of(pages: usize) -> Option<usize> {
    match pages {
        1..=32 => Some(pages - 1),
        64 | 128 | 256 | LARGE_PAGES => Some(26 + pages.ilog2() as usize),
        _ => None,
    }
}

/// A chain of areas, first in, first out.
pub(crate) struct Queue {
    first: AreaLink,
    last: AreaLink,
    count: AtomicUsize,
}

impl Queue {
    const fn new() -> Self {
        Self { first: AreaLink::new(), last: AreaLink::new(), count: AtomicUsize::new(0) }
    }

    /// Adds an area.
    #[inline]
    fn push(&self, area: AreaRef) {
        area.next.set(None);
        match self.last.get() {
            Some(last) => last.next.set(Some(area)),
            None => self.first.set(Some(area)),
        }
        self.last.set(Some(area));
        self.count.store(self.len().wrapping_add(1), Relaxed);
    }

    /// Takes the area that has waited longest.
    #[inline]
    pub(crate) fn pop(&self) -> Option<AreaRef> {
        let area = self.first.get()?;
        let next = area.next.get();
        self.first.set(next);
        if next.is_none() {
            self.last.set(None);
        }
        self.count.store(self.len().wrapping_sub(1), Relaxed);
        Some(area)
    }

    #[inline]
    fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// All areas, the one that has waited longest first.
    fn iter(&self) -> impl Iterator<Item = AreaRef> + use<> {
        core::iter::successors(self.first.get(), |area| area.next.get())
    }

    /// Takes all of them.
    fn take(&self) -> Self {
        let all = Self::new();
        all.first.set(self.first.get());
        all.last.set(self.last.get());
        all.count.store(self.len(), Relaxed);
        self.first.set(None);
        self.last.set(None);
        self.count.store(0, Relaxed);
        all
    }
}

/// What is to be flushed.
struct Pending {
    start: AtomicUsize,
    end: AtomicUsize,
    pages: AtomicUsize,
}

impl Pending {
    const fn new() -> Self {
        Self { start: AtomicUsize::new(usize::MAX), end: AtomicUsize::new(0), pages: AtomicUsize::new(0) }
    }

    #[inline]
    fn add(&self, more: MustFlush) {
        self.start.store(self.start.load(Relaxed).min(more.start().as_usize()), Relaxed);
        self.end.store(self.end.load(Relaxed).max(more.end().as_usize()), Relaxed);
        self.pages.store(self.pages.load(Relaxed) + more.pages(), Relaxed);
    }

    fn take(&self) -> Option<MustFlush> {
        let (start, end) = (self.start.load(Relaxed), self.end.load(Relaxed));
        let pages = self.pages.load(Relaxed);
        self.start.store(usize::MAX, Relaxed);
        self.end.store(0, Relaxed);
        self.pages.store(0, Relaxed);
        (pages > 0).then(|| MustFlush::between(VirtAddr::new(start), VirtAddr::new(end), pages))
    }
}

/// What a flush sets free.
#[must_use = "the frames and areas are nobody's until they are given back"]
pub(crate) struct Settled {
    pub(crate) frames: FrameChain,
    /// Areas whose ranges have no place in a bucket.
    pub(crate) surplus: Queue,
}

/// The free ranges that one CPU has at hand.
#[repr(align(64))]
pub(crate) struct RangeCache {
    /// The flush that comes next, by its number.
    flush: AtomicUsize,
    lazy_areas: AtomicUsize,
    /// Lazy areas from which on they are flushed; 0 when another CPU asks this one to empty its cache.
    limit: AtomicUsize,
    must_flush: Pending,
    frames: FrameWords,
    buckets: [Queue; BUCKETS],
    /// Lazy areas whose ranges have no place in a bucket.
    surplus: Queue,
}

impl RangeCache {
    /// Nothing at hand.
    pub(crate) const fn new() -> Self {
        Self {
            flush: AtomicUsize::new(0),
            lazy_areas: AtomicUsize::new(0),
            limit: AtomicUsize::new(LAZY_AREAS),
            must_flush: Pending::new(),
            frames: FrameWords::new(),
            buckets: [const { Queue::new() }; BUCKETS],
            surplus: Queue::new(),
        }
    }

    /// Takes a range of exactly `pages` pages and a guard page that starts at a multiple of `align`; the area is the
    /// caller's alone, and still `Free`.
    #[inline]
    pub(crate) fn take(&self, pages: usize, align: usize) -> Option<AreaRef> {
        let bucket = &self.buckets[bucket_of(pages)?];
        let first = bucket.first.get()?;
        if self.is_lazy(first) || !first.start.is_aligned(align) { None } else { bucket.pop() }
    }

    #[inline]
    fn is_lazy(&self, area: AreaRef) -> bool {
        area.flush.get() == self.flush.load(Relaxed)
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
        area.set_state(AreaState::Free);
        area.flush.set(self.flush.load(Relaxed));
        self.must_flush.add(must_flush);
        // What lies in the bucket of 2 MiB serves a large page.
        let fits = area.pages < LARGE_PAGES || area.start.is_aligned(LARGE_PAGES * PAGE_SIZE);
        match bucket_of(area.pages).map(|index| &self.buckets[index]) {
            Some(bucket) if bucket.len() < RANGES && fits => bucket.push(area),
            _ => self.surplus.push(area),
        }
        let areas = self.lazy_areas.load(Relaxed).wrapping_add(1);
        self.lazy_areas.store(areas, Relaxed);
        areas >= self.limit.load(Relaxed)
    }

    /// Lets `flush` flush what is lazy, if anything is; then the ranges can be taken, and the rest is the caller's.
    pub(crate) fn settle(&self, flush: impl FnOnce(MustFlush)) -> Option<Settled> {
        flush(self.must_flush.take()?);
        self.flush.store(self.flush.load(Relaxed).wrapping_add(1), Relaxed);
        self.lazy_areas.store(0, Relaxed);
        Some(Settled { frames: self.frames.take(), surplus: self.surplus.take() })
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
        let flushed = |bucket: &&Queue| bucket.first.get().is_some_and(|area| !self.is_lazy(area));
        self.buckets.iter().find(flushed)?.pop()
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
        let lazy = |area: AreaRef| self.is_lazy(area);
        for (index, bucket) in self.buckets.iter().enumerate() {
            if !bucket.iter().all(|area| free(area) && bucket_of(area.pages) == Some(index)) {
                return Err("a bucket holds a range that is not free or not of its size");
            }
            if bucket.iter().count() != bucket.len() || bucket.len() > RANGES {
                return Err("ranges in a bucket are not as many as counted");
            }
            if !bucket.iter().is_sorted_by_key(lazy) {
                return Err("a range that waits for the flush comes before one that does not");
            }
        }
        let waiting = |queue: &Queue| queue.iter().filter(|&area| lazy(area) && free(area)).count();
        let areas = self.buckets.iter().chain([&self.surplus]).map(waiting).sum::<usize>();
        let pending = self.must_flush.pages.load(Relaxed) > 0;
        let counted = areas == self.lazy_areas.load(Relaxed) && waiting(&self.surplus) == self.surplus.len();
        if !counted || pending != (areas > 0) || !self.frames.get().is_sound(map) {
            return Err("lazy areas or their frames are not as counted");
        }
        Ok(())
    }
}
