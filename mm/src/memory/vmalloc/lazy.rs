//! Flushing late: what vfree leaves behind, until one flush does for many areas.
//!
//! vfree clears the entries at once. TLBs may go on showing the old frames, so frames and addresses get new owners only
//! after a flush; it is put off until some areas or pages have gathered, or somebody wants the memory or the addresses.

use super::{BATCH, Memory};
use crate::addr::VirtAddr;
use crate::order::Order;
use crate::platform::{Lock, MustFlush, Pinned, Platform};
use crate::vm::{AreaRef, Batch, FrameChain, Queue, RangeCache};

/// Lazy pages of one CPU, at most: 32 MiB.
const LAZY_PAGES: usize = 8192;
/// They are at most this share of the machine's memory: one in 32 pages.
const LAZY_SHARE: usize = 32;

impl<P: Platform> Memory<P> {
    /// Runs `f` with the free ranges that this CPU has at hand. Those of another CPU would do as well.
    #[inline]
    pub(super) fn with_ranges<R>(&self, f: impl FnOnce(&mut RangeCache) -> R) -> R {
        let cpu = self.platform.pin().map_or(0, |pin| pin.cpu());
        self.ranges[cpu % self.ranges.len()].with(f)
    }

    /// Leaves an area whose entries are cleared until a flush; flushes if enough has gathered, or memory is short.
    #[inline]
    pub(super) fn defer(&'static self, area: AreaRef, must_flush: MustFlush) {
        let wanted = area.frames.get().last().is_some_and(|frame| self.is_tight(frame));
        let most = if wanted { 0 } else { LAZY_PAGES.min(self.managed_pages() / LAZY_SHARE) };
        if let Some(batch) = self.with_ranges(|ranges| ranges.defer(area, must_flush, most)) {
            self.settle(batch);
        }
    }

    /// Flushes what freed areas left in TLBs and gives their frames back; returns how many pages that were. Any context.
    ///
    /// vfree and iounmap put the flush off. Call this when no stale translation may be left at all.
    pub fn vm_unmap_aliases(&'static self) -> usize {
        self.ranges.iter().filter_map(|ranges| ranges.with(RangeCache::take_lazy)).map(|batch| self.settle(batch)).sum()
    }

    /// One flush for a batch; then its frames and its ranges are free. Returns its pages.
    #[cold]
    #[inline(never)]
    fn settle(&'static self, batch: Batch) -> usize {
        let Batch { areas, must_flush, pages } = batch;
        self.platform.flush(must_flush);
        self.free_frames_of(&areas);
        let mut surplus = self.with_ranges(|ranges| ranges.put(areas));
        while let Some(area) = surplus.pop() {
            self.forget(area);
        }
        pages
    }

    /// Gives the frames of flushed areas back, a run at a time.
    fn free_frames_of(&self, areas: &Queue) {
        for area in areas.iter() {
            let mut chain = area.frames.replace(FrameChain::EMPTY);
            while chain.blocks() > 0 {
                if self.free_cached_chain(&mut chain, BATCH) == 0
                    && let Some(block) = chain.pop(&self.map)
                {
                    // A large block, a page with further references, or memory is short.
                    let order = self.block_order(block).unwrap_or(Order::ZERO);
                    let freed = self.release_frames(block, order);
                    debug_assert!(freed.is_ok());
                }
            }
        }
    }

    /// Ends a free area: its range goes back to the tree, its descriptor to its cache.
    fn forget(&'static self, area: AreaRef) {
        self.areas.with(|areas| areas.remove(area));
        self.return_descriptor(VirtAddr::from_ptr(area.ptr().as_ptr()));
    }

    /// Gives back all ranges that are at hand, and the lazy ones before them. Any context.
    pub(in crate::memory) fn drain_ranges(&'static self) -> usize {
        let pages = self.vm_unmap_aliases();
        for ranges in &self.ranges {
            while let Some(area) = ranges.with(RangeCache::take_any) {
                self.forget(area);
            }
        }
        pages
    }

    /// Pages of freed areas that wait for a flush.
    pub fn lazy_pages(&self) -> usize {
        self.ranges.iter().map(|ranges| ranges.with(|ranges| ranges.lazy_pages())).sum()
    }

    /// Checks the free ranges at hand.
    pub(in crate::memory) fn validate_ranges(&self) -> Result<(), &'static str> {
        self.ranges.iter().try_for_each(|ranges| ranges.with(|ranges| ranges.validate()))
    }

    pub(super) fn return_descriptor(&'static self, descriptor: VirtAddr) {
        let freed = self.put_object(descriptor, Some(&self.boot_caches.areas));
        debug_assert!(freed.is_ok());
    }
}
