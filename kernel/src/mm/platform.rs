//! The kernel as the allocators see it: [`mm::Platform`] for this machine.

use core::time::Duration;

use ::mm::{
    Context, CpuCount, Cpus, LastResort, PfnRange, Pinned, Platform, Reclaiming, Report, Slept, Tag, Verdict, VirtAddr,
    Waiting,
};

use super::tables::KernelSpace;
use super::{kswapd, oom, own, report, sleepers};
use crate::arch::{clear, layout, percpu};
use crate::sched::{WaitQueue, task};
use crate::sync::SpinLock;
use crate::sync::preempt::{self, PreemptGuard};
use crate::time;

/// Longest sleep of an allocation before it looks again, although nothing has woken it.
const NAP: Duration = Duration::from_millis(20);

/// Allocations that sleep until memory is freed.
static MEMORY_WAITERS: WaitQueue = WaitQueue::new();

/// This machine beneath the allocators.
pub struct KernelPlatform;

/// Preemption is off: the caller stays on its CPU.
pub struct KernelPin(PreemptGuard);

// SAFETY: with preemption off no other thread runs on the CPU; an interrupt that has come while its caches were in use
// has the index of none.
unsafe impl Pinned for KernelPin {
    #[inline]
    fn cpu(&self) -> usize {
        percpu::cpu()
    }

    #[inline]
    fn cache_index(&self) -> usize {
        percpu::cache_index()
    }
}

// SAFETY: one CPU runs, and no other thread while one is pinned: there is nothing to wait for.
unsafe impl Cpus for KernelPlatform {
    type Count = CpuCount<{ percpu::CPUS }>;
    type Pin = KernelPin;

    #[inline]
    fn pin(&self) -> Option<KernelPin> {
        Some(KernelPin(preempt::preempt_disable()))
    }

    fn wait_for_pins(&self) {}
}

// SAFETY: the direct map shows all low memory from its start on; the lock and the tables are the kernel's own, and
// `own` knows the frames of its image and of what boot took.
unsafe impl Platform for KernelPlatform {
    type Lock<T: Send> = SpinLock<T>;
    type Cpus = Self;
    type Tables = KernelSpace;

    #[inline]
    fn cpus(&self) -> &Self {
        self
    }

    #[inline]
    fn tables(&self) -> &KernelSpace {
        &KernelSpace
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

    #[cold]
    fn out_of_memory(&self, waiting: &Waiting, tag: Tag) -> LastResort {
        oom::ask(waiting, tag)
    }

    fn reclaiming(&self) -> Reclaiming {
        task::try_current().map_or(Reclaiming::No, task::Task::reclaiming)
    }

    fn set_reclaiming(&self, now: Reclaiming) -> Reclaiming {
        task::try_current().map_or(Reclaiming::No, |task| task.set_reclaiming(now))
    }

    fn ticks(&self) -> u64 {
        time::ticks().0
    }

    #[cold]
    fn after_nap(&self, waiting: &Waiting) -> Verdict {
        sleepers::after_nap(waiting)
    }

    #[cold]
    fn slept(&self, slept: &Slept) {
        sleepers::slept(slept);
    }

    fn is_own(&self, range: PfnRange) -> bool {
        own::meets(range)
    }

    fn clear_page(&self, page: VirtAddr) {
        clear::page(page);
    }

    #[cold]
    fn report(&self, report: &Report<'_>) {
        report::show(report);
    }
}
