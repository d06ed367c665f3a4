//! The page cache of a kernel: its parts, and how it starts.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use kapi::{Kernel, SpinLock, WaitQueue};
use mm::space::Scan;
use mm::{AllocError, Pfn};

use crate::bdflush::Limits;
use crate::index::{Index, Room};
use crate::stats::CacheStats;

/// Queues of those who wait for a page: each for all pages whose frames have the same remainder.
const QUEUES: usize = 32;
/// The page cache of a kernel: one, that stays.
///
/// Lock order: the lock of a page, which sleeps; the index lock, a spinlock; the allocators'. Page locks of one task do
/// not nest. Nothing is allocated under either.
pub struct PageCache<K: Kernel> {
    pub(crate) index: K::SpinLock<Index<K>>,
    /// Who waits for a page: until it is unlocked, or has been written.
    queues: [K::WaitQueue; QUEUES],
    /// Who waits for writes of a mapping, or of any page.
    pub(crate) written: K::WaitQueue,
    pub(crate) limits: Limits<K>,
    ticks: fn() -> u64,
}

impl<K: Kernel> PageCache<K> {
    /// A cache without room for pages. `ticks` tells the time in ticks of 10 ms, in any context.
    pub fn new(ticks: fn() -> u64) -> Self {
        Self {
            index: SpinLock::new(Index::new()),
            queues: core::array::from_fn(|_| WaitQueue::new()),
            written: WaitQueue::new(),
            limits: Limits::new(),
            ticks,
        }
    }

    /// Makes room: 32 bytes for each page frame, and a hash. Once, at boot, before the first mapping. Process context.
    ///
    /// # Errors
    /// No memory.
    pub fn start(&self) -> Result<(), AllocError> {
        let room = Room::new()?;
        drop(self.index.with(|index| index.move_in(room)));
        Ok(())
    }

    /// Has reclaim take pages out of page tables by `scan`. Any context.
    pub fn set_scan(&self, scan: &'static dyn Scan) {
        self.index.with(|index| index.scan = Some(scan));
    }

    /// Where a page is kept: [the number](crate::Mapping::number) of its mapping, and which of its pages it is. It
    /// stays so while it has more references than who would take it out allows. Any context.
    pub fn place_of(&self, frame: Pfn) -> Option<(u32, u64)> {
        self.index.with(|index| {
            let descriptor = index.pool.get(frame.as_u32()).filter(|descriptor| descriptor.is_kept())?;
            Some((descriptor.mapping(), descriptor.index().into()))
        })
    }

    /// A page was written to by way of a mapping of its memory. Any context.
    pub fn note_dirty(&self, frame: Pfn) {
        let now = self.now();
        self.index.with(|index| index.dirty(frame.as_u32(), now));
    }

    /// A snapshot. Any context.
    pub fn stats(&self) -> CacheStats {
        self.index.with(|index| index.counts.stats())
    }

    /// Looks for damage. No call may run.
    ///
    /// # Errors
    /// What is wrong.
    pub fn validate(&self) -> Result<(), &'static str> {
        self.index.with(|index| index.validate())
    }

    /// The time in ticks, as pages bear it.
    pub(crate) fn now(&self) -> u32 {
        (self.ticks)() as u32
    }

    /// Who waits for the page in `frame`.
    pub(crate) fn queue(&self, frame: Pfn) -> &K::WaitQueue {
        &self.queues[frame.index() % QUEUES]
    }
}

/// Relaxed: a size is read without the index lock by who copies out, and looked at again under it by who keeps a page.
#[inline]
pub(crate) fn load(bytes: &AtomicU64) -> u64 {
    bytes.load(Relaxed)
}
