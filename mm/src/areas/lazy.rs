//! Flushing late: what vfree leaves behind, until one flush does for many areas.
//!
//! vfree clears the entries at once. TLBs may go on showing the old frames, so frames and addresses get new owners only
//! after a flush; it is put off until some areas or pages have gathered, or somebody wants the memory or the addresses.
//! What waits is this CPU's, in a cache that it touches without a lock.

use core::ptr::NonNull;

use super::{BATCH, Memory};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::order::Order;
use crate::platform::{Lock, MustFlush, Pinned, Platform};
use crate::vm::{AreaChain, AreaRef, FrameChain, Purpose, RangeCache, RangeDepot, Settled};

/// Lazy pages of one CPU, at most: 32 MiB.
const LAZY_PAGES: usize = 8192;
/// They are at most this share of the machine's memory: one in 32 pages.
const LAZY_SHARE: usize = 32;

/// The free ranges of a CPU.
pub(super) struct CpuRanges<P: Platform> {
    pub(super) ranges: &'static RangeCache,
    /// What lets the caller touch them.
    pin: P::Pin,
}

impl<P: Platform> Memory<P> {
    /// The free ranges that this CPU has at hand; `None` for a caller that may have interrupted their use, or has no CPU.
    #[inline]
    pub(super) fn pin_ranges(&'static self) -> Option<CpuRanges<P>> {
        let pin = self.platform.pin()?;
        let ranges = self.ranges.get(pin.front())?;
        Some(CpuRanges { ranges, pin })
    }

    /// The free ranges of `cpu`, if that is the caller's or nothing runs there.
    fn pin_ranges_of(&'static self, cpu: usize) -> Option<CpuRanges<P>> {
        let own = self.platform.pin().filter(|pin| pin.front() == cpu);
        let pin = own.or_else(|| self.platform.pin_idle(cpu))?;
        Some(CpuRanges { ranges: self.ranges.get(cpu)?, pin })
    }

    /// Takes a closed area apart, as far as it was built. Its frames and addresses wait for a flush, which comes at once if
    /// enough has gathered, or memory is short.
    #[cold]
    #[inline(never)]
    pub(super) fn take_apart(&'static self, area: AreaRef, purpose: Purpose) {
        match self.pin_ranges() {
            Some(here) => self.take_apart_here(here, area, purpose),
            None => self.take_apart_alone(area),
        }
    }

    /// [`take_apart`](Self::take_apart) into the cache of the CPU that the caller is pinned to.
    #[inline(always)]
    pub(super) fn take_apart_here(&'static self, here: CpuRanges<P>, area: AreaRef, purpose: Purpose) {
        let ranges = here.ranges;
        let (must_flush, full) = match purpose {
            Purpose::Vmalloc => {
                let mut frames = ranges.frames();
                let must_flush = self.unmap_area(area, &mut frames);
                ranges.set_frames(frames);
                (must_flush, self.is_too_much(frames))
            }
            Purpose::Ioremap | Purpose::Vmap => (self.platform.unmap(area.start, area.pages, |_, _| ()), false),
        };
        if ranges.defer(area, must_flush) || full {
            self.settle(here);
        }
    }

    /// [`take_apart`](Self::take_apart) for a caller without a CPU: all at once.
    #[cold]
    #[inline(never)]
    fn take_apart_alone(&'static self, area: AreaRef) {
        let mut frames = FrameChain::EMPTY;
        let must_flush = match area.purpose() {
            Purpose::Vmalloc => self.unmap_area(area, &mut frames),
            Purpose::Ioremap | Purpose::Vmap => self.platform.unmap(area.start, area.pages, |_, _| ()),
        };
        self.platform.flush(must_flush);
        self.free_chain(frames);
        self.forget(area);
    }

    /// Clears an area's entries, and adds its frames to `frames`.
    #[inline]
    fn unmap_area(&self, area: AreaRef, frames: &mut FrameChain) -> MustFlush {
        // In registers, as long as nothing takes its address.
        let mut all = *frames;
        let must_flush = self.platform.unmap(area.start, area.pages, |frame, pages| all.push(&self.map, frame, pages));
        *frames = all;
        must_flush
    }

    /// Whether more frames wait than may.
    #[inline]
    fn is_too_much(&self, frames: FrameChain) -> bool {
        let most = LAZY_PAGES.min(self.managed_pages() / LAZY_SHARE);
        frames.pages() > most || frames.last().is_some_and(|frame| self.is_tight(frame))
    }

    /// One flush for all that is lazy in a cache; then its frames and its ranges are free. Returns its pages.
    #[cold]
    #[inline(never)]
    fn settle(&'static self, CpuRanges { ranges, pin }: CpuRanges<P>) -> usize {
        let settled = ranges.settle(|single| self.platform.flush(single.unwrap_or_else(|| self.all_areas())));
        drop(pin);
        let Some(Settled { frames, surplus }) = settled else { return 0 };
        let wanted = ranges.take_drain_wish();
        self.free_chain(frames);
        if wanted {
            // All that is this CPU's, and nobody else's.
            let next = || surplus.pop().or_else(|| self.pin_ranges()?.ranges.take_any());
            core::iter::from_fn(next).for_each(|area| self.forget(area));
        } else {
            self.pass_on(&surplus);
        }
        frames.pages()
    }

    fn all_areas(&self) -> MustFlush {
        MustFlush::new(self.config.vmalloc_start, self.vmalloc_total() / PAGE_SIZE)
    }

    /// Leaves free ranges that no TLB knows to other CPUs, or to the tree.
    pub(super) fn pass_on(&'static self, ranges: &AreaChain) {
        if ranges.len() > 0 {
            let rest = self.range_depot.with(|depot| depot.put(ranges));
            core::iter::from_fn(|| rest.pop()).for_each(|area| self.forget(area));
        }
    }

    /// Gives frames back that no TLB shows any more, a run at a time.
    fn free_chain(&self, mut chain: FrameChain) {
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

    /// Ends a free area: its range goes back to the tree, its descriptor to its cache.
    fn forget(&'static self, area: AreaRef) {
        self.areas.with(|areas| {
            self.memo.forget(area);
            areas.remove(area);
        });
        self.return_descriptor(area.ptr());
    }

    /// Flushes what freed areas left in TLBs and gives their frames back; returns how many pages that were. Any context.
    ///
    /// vfree and iounmap put the flush off. Call this when no stale translation may be left at all. What waits in the cache
    /// of a CPU that is busy stays that CPU's, flushed.
    pub fn vm_unmap_aliases(&'static self) -> usize {
        let (mut pages, mut busy) = (0, false);
        for (cpu, _) in self.ranges.iter().enumerate().filter(|(_, ranges)| ranges.is_any_lazy()) {
            match self.pin_ranges_of(cpu) {
                Some(pinned) => pages += self.settle(pinned),
                None => busy = true,
            }
        }
        if busy {
            self.platform.flush(self.all_areas());
        }
        pages
    }

    /// Gives back all ranges that are at hand, and the lazy ones before them; asks CPUs that are busy to do so. Any context.
    pub(in crate::memory) fn drain_ranges(&'static self) -> usize {
        let pages = self.vm_unmap_aliases();
        for (cpu, ranges) in self.ranges.iter().enumerate().filter(|(_, ranges)| ranges.holds_ranges()) {
            while let Some(area) = self.pin_ranges_of(cpu).and_then(|cpu| cpu.ranges.take_any()) {
                self.forget(area);
            }
            if ranges.holds_ranges() {
                ranges.want_drain();
            }
        }
        while let Some(area) = self.range_depot.with(RangeDepot::take_any) {
            self.forget(area);
        }
        pages
    }

    /// Pages of freed areas that wait for a flush.
    pub fn lazy_pages(&self) -> usize {
        self.ranges.iter().map(RangeCache::lazy_pages).sum()
    }

    /// Checks the free ranges at hand. Needs the CPUs at rest.
    pub(in crate::memory) fn validate_ranges(&self) -> Result<(), &'static str> {
        self.range_depot.with(|depot| depot.validate())?;
        self.ranges.iter().try_for_each(|ranges| ranges.validate(&self.map))
    }

    /// Gives a descriptor back that is in no tree.
    pub(super) fn return_descriptor(&'static self, descriptor: NonNull<u8>) {
        let freed = self.put_object(VirtAddr::from_ptr(descriptor.as_ptr()), Some(&self.boot_caches.areas));
        debug_assert!(freed.is_ok());
    }
}
