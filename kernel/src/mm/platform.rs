//! The kernel as the allocators see it: [`mm::Platform`] for this machine.

use core::time::Duration;

use ::mm::{
    Access, Context, Frames, MapError, Mapping, MustFlush, Pfn, PfnRange, Pinned, Platform, Report, Spares, Unlinked,
    VirtAddr,
};

use super::{kswapd, own, report, tables};
use crate::arch::{clear, layout, paging, percpu};
use crate::sched::WaitQueue;
use crate::sync::SpinLock;
use crate::sync::preempt::{self, PreemptGuard};

/// Longest sleep of an allocation before it looks again, although nothing has woken it.
const NAP: Duration = Duration::from_millis(20);

/// Allocations that sleep until memory is freed.
static MEMORY_WAITERS: WaitQueue = WaitQueue::new();

/// This machine beneath the allocators.
pub struct KernelPlatform;

/// Preemption is off: the caller stays on its CPU.
pub struct KernelPin(PreemptGuard);

impl Pinned for KernelPin {
    #[inline]
    fn cpu(&self) -> usize {
        percpu::cpu()
    }

    #[inline]
    fn cache_index(&self) -> usize {
        percpu::cache_index()
    }
}

impl Platform for KernelPlatform {
    type Lock<T: Send> = SpinLock<T>;
    type Pin = KernelPin;

    #[inline]
    fn pin(&self) -> Option<KernelPin> {
        Some(KernelPin(preempt::preempt_disable()))
    }

    #[inline]
    fn context(&self) -> Context {
        preempt::context()
    }

    #[inline]
    fn may_sleep(&self) -> bool {
        preempt::in_process()
    }

    const DIRECT_MAP: Option<VirtAddr> = Some(layout::DIRECT_MAP);

    /// One CPU runs, and no other thread while one is pinned.
    fn wait_for_pins(&self) {}

    fn direct_map(&self) -> VirtAddr {
        layout::DIRECT_MAP
    }

    fn wake_reclaimer(&self) {
        kswapd::wake();
    }

    fn wait_for_memory(&self, ready: &mut dyn FnMut() -> bool) {
        // The caller looks again however the wait ended.
        let _: Result<bool, _> = MEMORY_WAITERS.wait_timeout(ready, NAP);
    }

    fn wake_waiters(&self) {
        MEMORY_WAITERS.wake_all();
    }

    #[inline]
    fn map(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError> {
        tables::map(at, frames, mapping, spare)
    }

    #[inline(always)]
    fn unmap(&self, at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush {
        tables::unmap(at, pages, each)
    }

    fn protect(&self, at: VirtAddr, pages: usize, access: Access, spares: &mut Spares) -> Result<MustFlush, MapError> {
        tables::protect(at, pages, access, spares)
    }

    fn is_own(&self, range: PfnRange) -> bool {
        own::meets(range)
    }

    fn translate(&self, at: VirtAddr) -> Option<Pfn> {
        tables::translate(at)
    }

    fn unlink_empty_table(&self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)> {
        tables::unlink_empty(from, end)
    }

    /// One CPU runs: a flush waits for none.
    const FLUSH_ANYWHERE: bool = true;

    fn flush(&self, must_flush: MustFlush) {
        paging::flush(must_flush);
    }

    fn flush_local(&self, must_flush: MustFlush) {
        paging::flush(must_flush);
    }

    fn clear_page(&self, page: VirtAddr) {
        clear::page(page);
    }

    #[cold]
    fn report(&self, report: &Report<'_>) {
        report::show(report);
    }
}
