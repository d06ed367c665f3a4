//! Free address ranges at hand: those of freed areas, first until their TLB flush, then until they are wanted again.
//!
//! Key types: [`RangeCache`], one for each CPU, and [`Batch`]. A freed area keeps its descriptor and its place in the tree.
//! It waits among the lazy ones until the flush that covers them all ([`Batch`]); then its range lies in the bucket of its
//! size, to be taken in a few steps, without a walk through the tree. Buckets are queues: who frees ascending addresses
//! gets them back ascending.
//!
//! Invariants (checked by [`RangeCache::validate`]): every area here is `Free`; each is in the bucket of its size; the
//! counts are right; something must be flushed exactly when an area is lazy.

use crate::addr::PAGE_SIZE;
use crate::platform::MustFlush;
use crate::vm::area::{AreaRef, AreaState};

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
#[derive(Clone, Copy)]
pub(crate) struct Queue {
    first: Option<AreaRef>,
    last: Option<AreaRef>,
}

impl Queue {
    pub(crate) const EMPTY: Self = Self { first: None, last: None };

    /// Adds an area.
    #[inline]
    pub(crate) fn push(&mut self, area: AreaRef) {
        area.next.set(None);
        match self.last {
            Some(last) => last.next.set(Some(area)),
            None => self.first = Some(area),
        }
        self.last = Some(area);
    }

    /// Takes the area that has waited longest.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<AreaRef> {
        let area = self.first?;
        self.first = area.next.get();
        if self.first.is_none() {
            self.last = None;
        }
        Some(area)
    }

    /// All areas, the one that has waited longest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = AreaRef> + use<> {
        core::iter::successors(self.first, |area| area.next.get())
    }
}

/// Lazy areas, and the flush that ends their wait.
#[must_use = "its areas and their frames are nobody's until it is flushed and put back"]
pub(crate) struct Batch {
    pub(crate) areas: Queue,
    pub(crate) must_flush: MustFlush,
    /// Pages of memory that wait with the areas.
    pub(crate) pages: usize,
}

/// Ranges of one size.
struct Bucket {
    ranges: Queue,
    count: usize,
}

impl Bucket {
    #[inline]
    fn pop(&mut self) -> Option<AreaRef> {
        let area = self.ranges.pop()?;
        self.count -= 1;
        Some(area)
    }
}

/// The free ranges that one CPU has at hand.
pub(crate) struct RangeCache {
    buckets: [Bucket; BUCKETS],
    lazy: Queue,
    lazy_areas: usize,
    lazy_pages: usize,
    must_flush: Option<MustFlush>,
}

impl RangeCache {
    /// Nothing at hand.
    pub(crate) const fn new() -> Self {
        Self {
            buckets: [const { Bucket { ranges: Queue::EMPTY, count: 0 } }; BUCKETS],
            lazy: Queue::EMPTY,
            lazy_areas: 0,
            lazy_pages: 0,
            must_flush: None,
        }
    }

    /// Takes a range of exactly `pages` pages and a guard page that starts at a multiple of `align`; the area is the caller's
    /// alone, and still `Free`.
    #[inline]
    pub(crate) fn take(&mut self, pages: usize, align: usize) -> Option<AreaRef> {
        let bucket = &mut self.buckets[bucket_of(pages)?];
        let next = bucket.ranges.first?;
        if next.start.is_aligned(align) { bucket.pop() } else { None }
    }

    /// Leaves an area whose entries are cleared until the flush. Returns all that are lazy, to be flushed now, when they are
    /// too many or more than `most` pages wait with them.
    #[inline]
    pub(crate) fn defer(&mut self, area: AreaRef, must_flush: MustFlush, most: usize) -> Option<Batch> {
        area.set_state(AreaState::Free);
        self.lazy.push(area);
        self.lazy_areas += 1;
        self.lazy_pages += area.frames.get().pages();
        self.must_flush = Some(match self.must_flush.take() {
            Some(before) => before.merge(must_flush),
            None => must_flush,
        });
        if self.lazy_areas < LAZY_AREAS && self.lazy_pages <= most { None } else { self.take_lazy() }
    }

    /// Takes all that is lazy.
    pub(crate) fn take_lazy(&mut self) -> Option<Batch> {
        let must_flush = self.must_flush.take()?;
        self.lazy_areas = 0;
        let pages = core::mem::take(&mut self.lazy_pages);
        Some(Batch { areas: core::mem::replace(&mut self.lazy, Queue::EMPTY), must_flush, pages })
    }

    /// Pages of memory that wait with the lazy areas.
    pub(crate) const fn lazy_pages(&self) -> usize {
        self.lazy_pages
    }

    /// Puts flushed areas without frames into the buckets; returns those that do not fit.
    pub(crate) fn put(&mut self, mut areas: Queue) -> Queue {
        let mut surplus = Queue::EMPTY;
        while let Some(area) = areas.pop() {
            // What lies in the bucket of 2 MiB serves a large page.
            let fits = area.pages < LARGE_PAGES || area.start.is_aligned(LARGE_PAGES * PAGE_SIZE);
            match bucket_of(area.pages).map(|index| &mut self.buckets[index]) {
                Some(bucket) if bucket.count < RANGES && fits => {
                    bucket.ranges.push(area);
                    bucket.count += 1;
                }
                _ => surplus.push(area),
            }
        }
        surplus
    }

    /// Takes a range out of a bucket, whichever.
    pub(crate) fn take_any(&mut self) -> Option<AreaRef> {
        self.buckets.iter_mut().find_map(Bucket::pop)
    }

    /// Checks the invariants above; returns the one that is broken.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let free = |area: AreaRef| area.state() == AreaState::Free;
        for (index, bucket) in self.buckets.iter().enumerate() {
            if !bucket.ranges.iter().all(|area| free(area) && bucket_of(area.pages) == Some(index)) {
                return Err("a bucket holds a range that is not free or not of its size");
            }
            if bucket.ranges.iter().count() != bucket.count {
                return Err("ranges in a bucket are not as many as counted");
            }
        }
        let pages: usize = self.lazy.iter().map(|area| area.frames.get().pages()).sum();
        let counted = (self.lazy.iter().count(), pages) == (self.lazy_areas, self.lazy_pages);
        if !counted || !self.lazy.iter().all(free) || self.must_flush.is_some() != (self.lazy_areas > 0) {
            return Err("lazy areas are not as counted");
        }
        Ok(())
    }
}
