//! The free ranges of one CPU, and the frames that were mapped there.
//!
//! Key types: [`CpuRanges`], one for each CPU. A freed area keeps its descriptor and its place in the tree, and goes to
//! the quantum cache of its size, which hands it out again without a walk through the tree. An empty cache is refilled
//! with ranges that follow one another.
//!
//! No range may have a new owner before the TLBs are flushed, and one flush serves many. An area freed since the last
//! flush is *lazy*, and so are the frames that were mapped there. Lazy areas form one chain and are flushed together;
//! after that each goes to its quantum cache. A caller that frees ascending addresses is given ascending ones again.
//!
//! Who may touch a CPU's ranges: the thread that is pinned to the CPU, and an interrupt only if it has not interrupted
//! such a thread ([`cache_index`](crate::platform::Pinned::cache_index)). The words are atomics, read and written
//! Relaxed, so that other CPUs may read the counts.
//!
//! Invariants (checked by [`CpuRanges::validate`]): every area here is `Free`; each is lazy or in the cache of its
//! size; all are as many as counted.

use crate::areas::area::{AreaLink, AreaRef, AreaState};
use crate::areas::area_chain::AreaChain;
use crate::areas::quantum::{QUANTA, QuantumCache, quantum_of, size_quantum};
use crate::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::flush::{AddressSpace, MustFlush};
use crate::page::{BlockChain, ChainCell, PageMap, Word};

/// Lazy areas of a CPU, at most.
const LAZY_AREAS: usize = 64;

/// The lazy areas and frames of a CPU, taken out to be flushed. Nobody reaches them before.
#[must_use = "the frames and areas are leaked unless they are given back"]
pub(super) struct Lazy {
    count: usize,
    waiting: Flushed,
}

/// Areas and frames that no TLB shows any more.
#[must_use = "the frames and areas are leaked unless they are given back"]
pub(super) struct Flushed {
    /// The areas, the last one first.
    last: AreaRef,
    /// Their frames, by blocks.
    pub(super) frames: BlockChain,
    /// Pages of these frames.
    pub(super) pages: usize,
}

impl Lazy {
    /// Gives the areas and frames out, after `flush`: of the only area, which is flushed page by page, or of `all`.
    pub(super) fn flush(self, all: impl FnOnce() -> MustFlush, flush: impl FnOnce(MustFlush)) -> Flushed {
        let single = |area: AreaRef| MustFlush::new(AddressSpace::Kernel, area.start, area.pages);
        flush(if self.count == 1 { single(self.waiting.last) } else { all() });
        self.waiting
    }
}

impl Flushed {
    /// The areas.
    pub(super) fn areas(&self) -> AreaChain {
        let (areas, mut next) = (AreaChain::new(), Some(self.last));
        while let Some(area) = next {
            next = area.next.get();
            areas.push_first(area);
        }
        areas
    }
}

/// The free ranges of one CPU.
#[repr(align(64))]
pub(super) struct CpuRanges {
    /// The lazy areas, the last one first.
    lazy: AreaLink,
    lazy_areas: AtomicUsize,
    frames: ChainCell,
    /// Pages of these frames.
    lazy_pages: AtomicUsize,
    caches: [QuantumCache; QUANTA],
}

impl CpuRanges {
    /// No ranges.
    pub(super) const fn new() -> Self {
        Self {
            lazy: AreaLink::new(),
            lazy_areas: AtomicUsize::new(0),
            frames: ChainCell::new(),
            lazy_pages: AtomicUsize::new(0),
            caches: [const { QuantumCache::new() }; QUANTA],
        }
    }

    /// Takes a range of exactly `pages` pages and a guard page, one of 2 MiB at a multiple of that; only the caller
    /// uses the area, which is still `Free`.
    #[inline]
    pub(super) fn take(&self, pages: usize) -> Option<AreaRef> {
        self.caches[size_quantum(pages)?].take()
    }

    /// How many ranges of `pages` pages to get at once: twice as many each time that there was none.
    pub(super) fn plan_refill(&self, pages: usize) -> u32 {
        size_quantum(pages).map_or(1, |index| self.caches[index].plan_refill(pages))
    }

    /// Adds ranges of `pages` pages that no TLB shows, to be taken first. Says whether there was room for them.
    pub(super) fn refill(&self, pages: usize, ranges: &AreaChain) -> bool {
        size_quantum(pages).is_some_and(|index| self.caches[index].refill(ranges))
    }

    /// The lazy frames.
    #[inline]
    pub(super) fn frames(&self) -> BlockChain {
        self.frames.get()
    }

    /// Sets the lazy frames: those that [`frames`](Self::frames) returned, and before them others of so many pages.
    /// Returns the lazy pages.
    #[inline]
    pub(super) fn add_frames(&self, frames: BlockChain, pages: usize) -> usize {
        self.frames.set(frames);
        let pages = self.lazy_pages.load(Relaxed).wrapping_add(pages);
        self.lazy_pages.store(pages, Relaxed);
        pages
    }

    /// Makes an area lazy whose page-table entries are cleared; the flush of lazy areas covers `must_flush` too. Says
    /// whether that should come at once, because enough areas are lazy.
    #[inline]
    pub(super) fn defer(&self, area: AreaRef, must_flush: MustFlush) -> bool {
        debug_assert!(must_flush.start() >= area.start && must_flush.end() <= area.end());
        must_flush.flushed();
        area.set_free();
        area.next.set(self.lazy.get());
        self.lazy.set(Some(area));
        let areas = self.lazy_areas.load(Relaxed).wrapping_add(1);
        self.lazy_areas.store(areas, Relaxed);
        areas >= LAZY_AREAS
    }

    /// Takes the lazy areas and frames out, if there are any.
    pub(super) fn take_lazy(&self) -> Option<Lazy> {
        let last = self.lazy.replace(None)?;
        let (count, pages) = (self.lazy_areas.load(Relaxed), self.lazy_pages.load(Relaxed));
        // Whoever sees that none is left sees what was announced before.
        self.lazy_areas.store(0, Release);
        self.lazy_pages.store(0, Relaxed);
        Some(Lazy { count, waiting: Flushed { last, frames: self.frames.take(), pages } })
    }

    /// Puts areas that no TLB shows any more into the quantum caches; returns those for which there is no room.
    pub(super) fn put(&self, flushed: &Flushed) -> AreaChain {
        let by_size = [const { AreaChain::new() }; QUANTA];
        let (surplus, mut touched, mut next) = (AreaChain::new(), 0_u64, Some(flushed.last));
        while let Some(area) = next {
            next = area.next.get();
            match quantum_of(area).filter(|&index| self.caches[index].has_room(by_size[index].len() + 1)) {
                Some(index) => {
                    by_size[index].push_first(area);
                    touched |= 1 << index;
                }
                None => surplus.push_first(area),
            }
        }
        while touched != 0 {
            let index = touched.trailing_zeros() as usize;
            self.caches[index].sort_in(&by_size[index]);
            touched &= touched - 1;
        }
        surplus
    }

    /// Moves all ranges that are not lazy to `into`.
    pub(super) fn take_all(&self, into: &AreaChain) {
        self.caches.iter().for_each(|cache| cache.take_all(into));
    }

    /// Pages of lazy frames. Exact on the own CPU, a moment old on another.
    pub(super) fn lazy_pages(&self) -> usize {
        self.lazy_pages.load(Relaxed)
    }

    /// Whether there are ranges here. Exact on the own CPU, a moment old on another.
    pub(super) fn holds_ranges(&self) -> bool {
        self.lazy_areas.load(Relaxed) > 0 || self.caches.iter().any(|cache| cache.len() > 0)
    }

    /// Whether areas here are lazy. Exact on the own CPU, a moment old on another.
    pub(super) fn is_any_lazy(&self) -> bool {
        self.lazy_areas.load(Acquire) > 0
    }

    /// Checks the invariants above; returns the one that is broken. No call may run on the CPU.
    pub(super) fn validate(&self, map: &PageMap, frame_is_right: impl Fn(Word) -> bool) -> Result<(), &'static str> {
        if !self.caches.iter().enumerate().all(|(index, cache)| cache.is_sound(index)) {
            return Err("a quantum cache holds a range that is not free, not of its size or not counted");
        }
        let free = |area: &AreaRef| area.state() == AreaState::Free;
        let lazy = core::iter::successors(self.lazy.get(), |area| area.next.get()).filter(free).count();
        if lazy != self.lazy_areas.load(Relaxed) || !self.frames.get().is_sound(map, frame_is_right) {
            return Err("lazy areas or their frames are not as counted");
        }
        Ok(())
    }
}
