//! The nine numbers of /proc/sys/vm/bdflush: when dirty pages are written back.
//!
//! Their meaning and their ranges are those of Linux 2.4.22; a tick is 10 ms.

use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use kapi::{Kernel, SpinLock, WaitQueue, WrongContext};

/// Pages that may be written to between two looks at how much memory could be had.
const LOOKS: u32 = 16;

/// The numbers. Percents are of the low memory that could be had: free, or of the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BdFlush([u32; BdFlush::COUNT]);

impl BdFlush {
    /// How many numbers there are.
    pub const COUNT: usize = 9;
    /// What each may be.
    pub const RANGES: [RangeInclusive<u32>; Self::COUNT] =
        [0..=100, 1..=50_000, 0..=20_000, 0..=20_000, 0..=1_000_000, 100..=1_000_000, 0..=100, 0..=100, 0..=0];
    /// What they are at boot.
    pub const DEFAULT: Self = Self([30, 500, 0, 0, 500, 3000, 60, 20, 0]);

    /// These numbers; `None` if one is out of its range.
    pub fn new(numbers: [u32; Self::COUNT]) -> Option<Self> {
        Self::RANGES.iter().zip(&numbers).all(|(range, number)| range.contains(number)).then_some(Self(numbers))
    }

    /// The numbers, in their order.
    pub const fn numbers(self) -> [u32; Self::COUNT] {
        self.0
    }

    /// Percent of dirty pages that wakes bdflush.
    pub const fn start_percent(self) -> u32 {
        self.0[0]
    }

    /// Pages that bdflush writes in one go.
    pub const fn pages_a_round(self) -> usize {
        self.0[1] as usize
    }

    /// Ticks from one round of kupdated to the next; 0: it stops.
    pub const fn interval(self) -> u32 {
        self.0[4]
    }

    /// Age in ticks at which kupdated writes a page.
    pub const fn age(self) -> u32 {
        self.0[5]
    }

    /// Percent of dirty pages at which who writes to pages has to write some back.
    pub const fn throttle_percent(self) -> u32 {
        self.0[6]
    }

    /// Percent of dirty pages at which bdflush stops.
    pub const fn stop_percent(self) -> u32 {
        self.0[7]
    }
}

/// The numbers as they are, and bdflush that waits to be wanted.
pub(crate) struct Limits<K: Kernel> {
    numbers: K::SpinLock<BdFlush>,
    /// Pages written to.
    written: AtomicU32,
    is_wanted: AtomicBool,
    bdflush: K::WaitQueue,
}

impl<K: Kernel> Limits<K> {
    pub(crate) fn new() -> Self {
        Self {
            numbers: SpinLock::new(BdFlush::DEFAULT),
            written: AtomicU32::new(0),
            is_wanted: AtomicBool::new(false),
            bdflush: WaitQueue::new(),
        }
    }

    pub(crate) fn numbers(&self) -> BdFlush {
        self.numbers.with(|numbers| *numbers)
    }

    pub(crate) fn set(&self, numbers: BdFlush) {
        self.numbers.with(|all| *all = numbers);
    }

    /// bdflush is wanted.
    pub(crate) fn wake(&self) {
        self.is_wanted.store(true, Relaxed);
        self.bdflush.wake_all();
    }

    /// Sleeps until bdflush is wanted.
    pub(crate) fn wait(&self) -> Result<(), WrongContext> {
        self.bdflush.wait_until_uninterruptible(|| self.is_wanted.swap(false, Relaxed))
    }

    /// A page was written to: whether to look how many there are.
    pub(crate) fn is_time_to_look(&self) -> bool {
        self.written.fetch_add(1, Relaxed).is_multiple_of(LOOKS)
    }
}
