//! What the allocators need from the kernel, or the test, that they run in.
//!
//! Key types: [`Platform`], [`Lock`]. A kernel implements [`Platform`] once; host tests and
//! benchmarks implement it with threads (`testing::HostPlatform`). Nothing in this crate names an architecture: page
//! tables, locks and sleeping come in through here.

use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::context::Context;
use crate::error::MapError;
use crate::flush::MustFlush;
use crate::gfp::ZoneKind;
use crate::mapper::{Frames, Spares, Unlinked};
use crate::order::Order;
use crate::report::Report;

/// A lock that protects a value in every context, interrupts included.
///
/// Access is by closure: nothing can be kept past the lock. Locks of one platform nest only in the order that
/// `memory.rs` states.
pub trait Lock<T>: Sync {
    /// A lock around `value`.
    fn new(value: T) -> Self;

    /// Runs `f` with the value, alone. Never sleeps.
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R;

    /// Runs `f` with the value if the lock is free: for reports of faults, whose cause may hold the lock.
    fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R>;
}

/// What a mapped page may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mapping {
    /// Memory: readable and writable, cached, not executable.
    Memory,
    /// Device registers: readable and writable, uncached, not executable.
    Device,
}

/// What may be done to a mapped page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading only: a write faults.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// A promise that the caller stays on its CPU and that no other thread runs there meanwhile; interrupts may.
pub trait Pinned {
    /// The CPU's number, from 0 on.
    fn cpu(&self) -> usize;

    /// The index of the caches that only the caller uses now: the CPU's number, or [`MAX_CPUS`](crate::MAX_CPUS), for
    /// no caches, in an interrupt that may have interrupted a pinned caller.
    ///
    /// A kernel without interrupts returns [`cpu`](Self::cpu). Others keep the index in a word per CPU, which an
    /// interrupt changes when it interrupts a pinned caller.
    fn cache_index(&self) -> usize;
}

/// The kernel beneath the allocators.
pub trait Platform: Sync + Sized + 'static {
    /// The lock that protects the allocators' state; usable in every context.
    type Lock<T: Send>: Lock<T>;

    /// What [`pin`](Self::pin) returns; dropping it ends the promise.
    type Pin: Pinned;

    /// Keeps the caller on its CPU: the only way to the caches of a CPU. Any context. `None` for a caller that has no
    /// CPU of its own; it goes without caches, and without the windows by which high memory is cleared: where there is
    /// high memory, every caller has a CPU below [`MAX_CPUS`](crate::MAX_CPUS).
    fn pin(&self) -> Option<Self::Pin>;

    /// Pins the caller to `cpu` as if it ran there, if no code runs there: to empty the caches of a CPU that stopped.
    fn pin_idle(&self, _cpu: usize) -> Option<Self::Pin> {
        None
    }

    /// Returns once every section that was [pinned](Self::pin) at the call, on any CPU, has ended: its writes are seen
    /// then, and sections that begin later see what the caller has written. Process context, not pinned, without a lock
    /// held. Where one CPU runs, and no other thread while one is pinned, there is nothing to wait for.
    fn wait_for_pins(&self);

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

    /// Wakes the thread that reclaims memory (kswapd). Any context.
    fn wake_reclaimer(&self);

    /// Sleeps until `ready` holds or a short while (some ten milliseconds) has passed. Process context only.
    ///
    /// [`wake_waiters`](Self::wake_waiters) makes each waiter evaluate `ready` again.
    fn wait_for_memory(&self, ready: &mut dyn FnMut() -> bool);

    /// Wakes the waiters in [`wait_for_memory`](Self::wait_for_memory). Any context.
    fn wake_waiters(&self);

    /// Maps pages from `at` on to `frames`, and returns how many that were: all, or as many as could be before a table
    /// was missing. Never sleeps. Neighbours are mapped by large pages where their alignment and that of `at` allow it.
    ///
    /// Where a page table is missing it takes the zeroed frame in `spare` for it.
    ///
    /// # Errors
    /// Nothing was mapped. [`MapError::TableMissing`]: offer a zeroed frame and call again.
    /// [`MapError::TableInTheWay`]: [`unlink_empty_table`](Self::unlink_empty_table) may help.
    fn map(
        &self,
        at: VirtAddr,
        frames: Frames<'_>,
        mapping: Mapping,
        spare: &mut Option<Pfn>,
    ) -> Result<usize, MapError>;

    /// Removes the mappings of the `pages` pages from `at` on, and calls `each` with the first frame and the number of
    /// pages of each leaf that was there. The translations may live on in TLBs until [`flush`](Self::flush).
    ///
    /// `each` is called under the lock of the page tables: it must neither lock nor take long.
    fn unmap(&self, at: VirtAddr, pages: usize, each: impl FnMut(Pfn, usize)) -> MustFlush;

    /// Sets how the `pages` pages from `at` on, all of which are mapped, may be accessed; splits large pages of which
    /// they are only a part. The old rights may live on in TLBs until [`flush`](Self::flush). Never sleeps.
    ///
    /// # Errors
    /// Nothing was changed. [`MapError::TableMissing`]: add a zeroed frame to `spares` and call again.
    /// [`MapError::NotMapped`], [`MapError::OutOfRange`]: not all of the pages are mapped, or can be; so on a platform
    /// that maps nothing.
    fn protect(
        &self,
        _at: VirtAddr,
        _pages: usize,
        _access: Access,
        _spares: &mut Spares,
    ) -> Result<MustFlush, MapError> {
        Err(MapError::NotMapped)
    }

    /// Whether a part of `range` belongs to the kernel itself: its image, its page tables. No device is there.
    fn is_own(&self, _range: PfnRange) -> bool {
        false
    }

    /// The frame that the page at `at` is mapped to.
    fn translate(&self, at: VirtAddr) -> Option<Pfn>;

    /// Unlinks an empty page table that maps part of `from..end`; after the flush the caller owns its frame. `None`
    /// when every table maps something.
    fn unlink_empty_table(&self, from: VirtAddr, end: VirtAddr) -> Option<(Unlinked, MustFlush)>;

    /// Whether [`flush`](Self::flush) may be called in any context: true where one CPU runs. Then GFP_ATOMIC reaches
    /// the lazy frames of freed areas too, down to the last page.
    const FLUSH_ANYWHERE: bool = false;

    /// Drops every cached translation of `must_flush`, and every cached page-table entry on the way to them, on every
    /// CPU; ends with [`MustFlush::flushed`]. It may wait for other CPUs: process context, not pinned, without a lock
    /// held, unless [`FLUSH_ANYWHERE`](Self::FLUSH_ANYWHERE).
    fn flush(&self, must_flush: MustFlush);

    /// Drops every cached translation of `must_flush` on this CPU; ends with [`MustFlush::flushed`]. Any context,
    /// pinned: it is for addresses that no other CPU uses.
    fn flush_local(&self, must_flush: MustFlush);

    /// Writes a report to the kernel log. Called without locks held, in any context.
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
