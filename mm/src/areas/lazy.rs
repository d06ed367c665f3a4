//! Lazy areas: vfree puts the flush off, and one flush serves many areas.
//!
//! vfree clears the entries at once. TLBs may go on showing the old frames, so frames and addresses get new owners only
//! after a flush; it is put off until enough areas or pages are lazy, or a caller needs the memory or the addresses.
//! Each CPU keeps its lazy areas in a cache that it touches without a lock; it takes them out before it flushes them,
//! so that the flush may wait for other CPUs.

use core::ptr::NonNull;

use super::AreaAllocator;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::areas::area::{AreaRef, Purpose};
use crate::areas::area_chain::AreaChain;
use crate::areas::cpu_ranges::{CpuRanges, Lazy};
use crate::areas::pool::RangePool;
use crate::atomic::Ordering::SeqCst;
use crate::flush::{AddressSpace, MustFlush};
use crate::gfp::GfpFlags;
use crate::page::BlockChain;
use crate::percpu::{Pin, drain};
use crate::platform::{Cpus, KernelTables, Lock, OwnMappings, Pinned, Platform};
use crate::reclaim::{Holder, Shrinker};

/// Lazy pages of one CPU, at most: 32 MiB.
const LAZY_PAGES: usize = 8192;
/// They are at most this share of the machine's memory: one in 32 pages.
const LAZY_SHARE: usize = 32;

/// The free ranges of a CPU that the caller is pinned to.
pub(super) struct PinnedRanges<P: Platform> {
    pub(super) ranges: &'static CpuRanges,
    cpu: usize,
    /// Lets the caller touch them.
    pin: Pin<P>,
}

impl<P: Platform> AreaAllocator<P> {
    /// This CPU's free ranges; `None` for a caller that may have interrupted their use, or has no CPU.
    #[inline]
    pub(super) fn pin_ranges(&'static self) -> Option<PinnedRanges<P>> {
        let pin = self.platform().cpus().pin()?;
        let cpu = pin.cache_index();
        Some(PinnedRanges { ranges: self.cpus.get(cpu)?, cpu, pin })
    }

    /// Frees a closed area, as far as it was built. Its frames and addresses are lazy; the flush comes at once if
    /// enough are, or memory is short. Process context.
    #[inline]
    pub(super) fn take_apart(&'static self, area: AreaRef, purpose: Purpose) {
        let Some(PinnedRanges { ranges, cpu, pin }) = self.pin_ranges() else {
            return self.take_apart_alone(area, purpose);
        };
        let (must_flush, full) = match purpose {
            Purpose::Vmalloc => {
                let (mut frames, mut pages) = (ranges.frames(), 0);
                let must_flush = self.unmap_area(area, &mut frames, &mut pages);
                (must_flush, self.is_too_much(frames, ranges.add_frames(frames, pages)))
            }
            Purpose::Ioremap | Purpose::Vmap | Purpose::Module => {
                (self.platform().unmap(area.start, area.pages, |_, _| ()), false)
            }
        };
        if ranges.defer(area, must_flush) || full || self.drain_requests.is_asked(cpu) {
            let lazy = self.take_lazy(ranges);
            drop(pin);
            self.settle_lazy(lazy);
            self.take_late_apart();
        }
    }

    /// Takes the areas apart that were freed where nobody may sleep. Process context.
    pub(super) fn take_late_apart(&'static self) {
        if !self.late.is_empty() {
            self.late.take_all().for_each(|area| self.take_apart(area, area.purpose()));
        }
    }

    /// [`take_apart`](Self::take_apart) for a caller without a CPU: all at once.
    #[cold]
    #[inline(never)]
    fn take_apart_alone(&'static self, area: AreaRef, purpose: Purpose) {
        let (mut frames, mut pages) = (BlockChain::EMPTY, 0);
        let must_flush = match purpose {
            Purpose::Vmalloc => self.unmap_area(area, &mut frames, &mut pages),
            Purpose::Ioremap | Purpose::Vmap | Purpose::Module => {
                self.platform().unmap(area.start, area.pages, |_, _| ())
            }
        };
        self.platform().tables().flush(must_flush);
        self.pages.free_chain(frames);
        self.forget(area);
    }

    /// Clears an area's entries, and adds its frames to `frames` and `pages`.
    #[inline]
    pub(super) fn unmap_area(&self, area: AreaRef, frames: &mut BlockChain, pages: &mut usize) -> MustFlush {
        // Local, so that they stay in registers.
        let (mut all, mut count) = (*frames, *pages);
        let must_flush = self.platform().unmap(area.start, area.pages, |frame, run| {
            all.push(self.direct.map(), frame);
            count += run;
        });
        (*frames, *pages) = (all, count);
        must_flush
    }

    /// Whether the lazy frames, of so many pages, are too many.
    #[inline]
    fn is_too_much(&self, frames: BlockChain, pages: usize) -> bool {
        let most = LAZY_PAGES.min(self.pages.managed_pages() / LAZY_SHARE);
        pages > most || frames.first().is_some_and(|frame| self.pages.is_tight(frame))
    }

    /// Takes out what is lazy on a CPU that the caller is pinned to, to be [settled](Self::settle_lazy).
    fn take_lazy(&self, ranges: &CpuRanges) -> Option<Lazy> {
        // Before the areas are out: a caller that finds none lazy sees that a flush is still to come.
        self.settling.fetch_add(1, SeqCst);
        let lazy = ranges.take_lazy();
        if lazy.is_none() {
            self.settling.fetch_sub(1, SeqCst);
        }
        lazy
    }

    /// Flushes the lazy areas of a CPU at once; then frees their frames and ranges. Returns their pages.
    /// Context as [`KernelTables::flush`].
    #[cold]
    #[inline(never)]
    fn settle_lazy(&'static self, lazy: Option<Lazy>) -> usize {
        let Some(lazy) = lazy else { return 0 };
        let flushed = lazy.flush(|| self.all_addresses(), |must_flush| self.platform().tables().flush(must_flush));
        self.settling.fetch_sub(1, SeqCst);
        self.pages.free_chain(flushed.frames);
        // The caller may run on another CPU by now, or have none.
        let (surplus, wanted) = match self.pin_ranges() {
            Some(own) => {
                let (surplus, wanted) = (own.ranges.put(&flushed), self.drain_requests.take(own.cpu));
                if wanted {
                    own.ranges.take_all(&surplus);
                }
                (surplus, wanted)
            }
            None => (flushed.areas(), false),
        };
        if wanted {
            self.forget_all(&surplus);
        } else {
            self.pass_on(&surplus);
        }
        flushed.pages
    }

    fn all_addresses(&self) -> MustFlush {
        MustFlush::new(AddressSpace::Kernel, self.start, self.total_bytes() / PAGE_SIZE)
    }

    /// Puts free ranges that no TLB shows into the range pool, or back into the tree.
    pub(super) fn pass_on(&'static self, ranges: &AreaChain) {
        if ranges.len() > 0 {
            let rest = self.pool.with(|pool| pool.put(ranges));
            self.forget_all(&rest);
        }
    }

    /// Destroys free areas: their ranges go back to the tree, their descriptors to their cache.
    fn forget_all(&'static self, areas: &AreaChain) {
        core::iter::from_fn(|| areas.pop()).for_each(|area| self.forget(area));
    }

    fn forget(&'static self, area: AreaRef) {
        self.tree.with(|tree| {
            self.index.remove(area);
            tree.remove(area);
        });
        self.return_descriptor(area.ptr());
    }

    /// Flushes the lazy areas and frees their frames; returns how many pages that were. Process context, or any if the
    /// platform can flush anywhere; elsewhere it does nothing.
    ///
    /// The lazy areas of a busy CPU are flushed, but that CPU keeps them.
    pub(crate) fn unmap_aliases(&'static self) -> usize {
        if !<P::Tables as KernelTables>::FLUSH_ANYWHERE && !self.platform().may_sleep() {
            return 0;
        }
        if self.platform().may_sleep() {
            self.take_late_apart();
        }
        let (mut pages, mut busy) = (0, false);
        for (cpu, ranges) in self.cpus.iter().enumerate().filter(|(_, ranges)| ranges.is_any_lazy()) {
            let own = self.platform().cpus().pin().filter(|pin| pin.cache_index() == cpu);
            match own.or_else(|| self.platform().cpus().pin_idle(cpu)).map(|pin| (self.take_lazy(ranges), pin)) {
                Some((lazy, pin)) => {
                    drop(pin);
                    pages += self.settle_lazy(lazy);
                }
                None => busy = true,
            }
        }
        // Asked last: what others have taken out before this CPU looked may still be in TLBs.
        if busy || self.settling.load(SeqCst) > 0 {
            self.platform().tables().flush(self.all_addresses());
        }
        pages
    }

    /// Flushes the lazy areas, then destroys all free ones; asks busy CPUs to do so. Context as
    /// [`unmap_aliases`](Self::unmap_aliases). Returns the pages that came back.
    pub(super) fn drain_ranges(&'static self) -> usize {
        let pages = self.unmap_aliases();
        let all = self.pool.with(RangePool::take_all);
        let holds = |cpu: usize| self.cpus[cpu].holds_ranges();
        drain(self.platform(), &self.drain_requests, holds, |cpu| self.cpus[cpu].take_all(&all));
        self.forget_all(&all);
        pages
    }

    /// Frees a descriptor that is in no tree.
    pub(super) fn return_descriptor(&'static self, descriptor: NonNull<u8>) {
        let freed = self.objects.put_own(&self.descriptors, VirtAddr::from_ptr(descriptor.as_ptr()));
        debug_assert!(freed.is_ok());
    }
}

impl<P: Platform> Shrinker for AreaAllocator<P> {
    fn shrink(&'static self, _gfp: GfpFlags) -> usize {
        self.drain_ranges()
    }

    fn holder(&self) -> Holder {
        Holder::Areas
    }

    fn settle(&'static self) -> usize {
        self.unmap_aliases()
    }

    fn purge(&'static self) -> usize {
        self.drain_ranges() + self.tables.unlink_empty(self.start, self.end)
    }
}
