//! The kernel beneath the allocators, as one trait.
//!
//! Key types: [`Platform`], [`LastResort`], [`Reclaiming`].

use super::cpus::Cpus;
use super::lock::Lock;
use super::tables::KernelTables;
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::context::Context;
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::report::Report;
use crate::sleep::{Slept, Waiting};
use crate::tag::Tag;

/// What becomes of a request for which memory is out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastResort {
    /// It fails.
    Refuse,
    /// Memory has come back, or is about to: it tries on.
    TryAgain,
    /// It is made for somebody who ends as soon as he has it: it may take the reserve.
    UseReserve,
}

/// Whether a task gives memory back, and on whose behalf. (Linux: `PF_MEMALLOC`.)
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reclaiming {
    /// It does not.
    #[default]
    No,
    /// For a request of its own that has found no memory.
    Directly,
    /// For everybody: kswapd.
    InBackground,
}

/// What becomes of a request after a nap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It tries on.
    TryOn,
    /// It fails: it waits for what only its own task could bring about.
    Fail,
}

/// The kernel beneath the allocators. What has a default here is right as it is for a kernel without threads: nobody
/// sleeps there, and nobody else gives memory back.
///
/// # Safety
/// (a) From [`direct_map`](Self::direct_map) on, every frame that the allocators are given and that is no high memory
/// shows at its offset, readable and writable, for ever. It is a multiple of 2 MiB: blocks are aligned to their size by
/// it.
/// (b) [`Lock`](Self::Lock), [`Cpus`](Self::Cpus) and [`Tables`](Self::Tables) fit the machine:
/// [`OneCpu`](super::OneCpu) only where one CPU runs, [`NoInterrupts`](super::NoInterrupts) only where no handler does
/// what that excludes; [`cpus`](Self::cpus) and [`tables`](Self::tables) return the same each time.
/// (c) [`may_sleep`](Self::may_sleep) says no to a caller that is pinned or holds a lock, and in an interrupt.
/// (d) [`clear_page`](Self::clear_page) leaves the page zeroed.
/// (e) [`is_own`](Self::is_own) knows all memory that the kernel uses and that has no entry in the page map: ioremap
/// and `release` refuse it.
pub unsafe trait Platform: Sync + Sized + 'static {
    /// The lock that protects the allocators' state; usable in every context.
    type Lock<T: Send>: Lock<T>;

    /// The CPUs.
    type Cpus: Cpus;

    /// The page tables; [`NoTables`](super::NoTables) for a kernel without vmalloc.
    type Tables: KernelTables;

    /// The CPUs.
    fn cpus(&self) -> &Self::Cpus;

    /// The page tables.
    fn tables(&self) -> &Self::Tables;

    /// The context of the caller.
    fn context(&self) -> Context;

    /// Whether that is one in which the caller may sleep.
    #[inline]
    fn may_sleep(&self) -> bool {
        self.context().may_sleep()
    }

    /// What [`direct_map`](Self::direct_map) says, if it is a constant: then a free need not load it.
    const DIRECT_MAP: Option<VirtAddr> = None;

    /// The virtual address at which the direct map shows physical address 0.
    fn direct_map(&self) -> VirtAddr;

    /// Wakes the thread that reclaims memory (kswapd), if there is one: without it, whoever needs memory reclaims it.
    /// Any context.
    fn wake_reclaimer(&self) {}

    /// Sleeps until `ready` holds or a short while (some ten milliseconds) has passed. Process context only.
    ///
    /// [`wake_waiters`](Self::wake_waiters) makes each waiter evaluate `ready` again. Without threads nobody could make
    /// it hold: this returns at once, and the caller tries again, or gives up after some times.
    fn wait_for_memory(&self, _ready: &mut dyn FnMut() -> bool) {}

    /// Wakes the waiters in [`wait_for_memory`](Self::wait_for_memory), if that sleeps at all. Any context.
    fn wake_waiters(&self) {}

    /// Memory is out for a request that may sleep and start I/O: as often as it tried, reclaim gave nothing back. A
    /// kernel with processes may end one that has too much, and sleep until it is gone, for a short time; `tag` says
    /// what the memory is for. It is asked after 16 attempts each time. Process context, with locks of the caller's
    /// held, but none of the allocators.
    fn out_of_memory(&self, _waiting: &Waiting, _tag: Tag) -> LastResort {
        LastResort::Refuse
    }

    /// Whether the running task gives memory back right now: what it asks for itself meanwhile may take the reserve,
    /// and neither reclaims nor sleeps. Any context; in an interrupt it is the interrupted task's.
    ///
    /// A kernel that keeps it for each task implements this and [`set_reclaiming`](Self::set_reclaiming). Without them
    /// no [`Shrinker`](crate::Shrinker) may allocate memory.
    fn reclaiming(&self) -> Reclaiming {
        Reclaiming::No
    }

    /// Says so of the running task; returns what was said before. Process context.
    fn set_reclaiming(&self, _now: Reclaiming) -> Reclaiming {
        Reclaiming::No
    }

    /// The clock, in ticks, that times how long requests sleep.
    fn ticks(&self) -> u64 {
        0
    }

    /// What becomes of a request that has had a nap and found no memory. Process context, with locks of the caller's
    /// held, but none of the allocators.
    fn after_nap(&self, _waiting: &Waiting) -> Verdict {
        Verdict::TryOn
    }

    /// A request that had to sleep for memory has ended: for a trace. Context as [`after_nap`](Self::after_nap).
    fn slept(&self, _slept: &Slept) {}

    /// Whether a part of `range` belongs to the kernel itself: its image, its page tables. No device is there.
    fn is_own(&self, _range: PfnRange) -> bool {
        false
    }

    /// Writes a report to the kernel log. Called without locks held, in any context. It must not allocate, but with
    /// [`GfpFlags::NOWARN`](crate::GfpFlags::NOWARN): a failure would be reported again, without an end.
    fn report(&self, report: &Report<'_>);

    /// Whether an allocation of 2^`order` pages may be tried at all; a place for fault injection.
    fn admits(&self, _order: Order) -> bool {
        true
    }

    /// Called between the steps that use a CPU's caches; a place for tests to interrupt.
    fn step(&self) {}

    /// Fills the page at `page` with zeros, the fastest way that the machine has. The caller owns the page.
    fn clear_page(&self, page: VirtAddr) {
        // SAFETY: the page is memory of the direct map that the caller owns.
        unsafe { core::ptr::write_bytes(page.as_mut_ptr::<u8>(), 0, PAGE_SIZE) };
    }

    /// Called after each allocation of pages; a place for tracing and sanitizers.
    fn on_alloc(&self, _frame: Pfn, _order: Order, _zone: ZoneKind) {}

    /// Called before each free of pages.
    fn on_free(&self, _frame: Pfn, _order: Order, _zone: ZoneKind) {}
}
