//! Events since boot, counted on the CPU where they happened.
//!
//! Key types: [`EventCounts`], [`CpuStats`]. The fast path counts nothing here; it counts beside the magazines
//! (`pageset.rs`).

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::percpu::{Count, PerCpuAndNone};
use crate::platform::{CountCpus, Platform};

/// Something to count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    Direct,
    Reserve,
    Failure,
    Reclaim,
    ReclaimedPages,
    Sleep,
    BadFree,
    WrongContext,
}

impl Event {
    const COUNT: usize = Self::WrongContext as usize + 1;
}

/// The counters of all CPUs; the last set is for callers that have no CPU of their own.
pub(super) struct Events<P: Platform> {
    cpus: PerCpuAndNone<P, [AtomicU64; Event::COUNT]>,
}

impl<P: Platform> Events<P> {
    pub(super) fn new() -> Self {
        Self { cpus: PerCpuAndNone::new(|_| [const { AtomicU64::new(0) }; Event::COUNT]) }
    }

    /// Counts `times` events on a CPU; `None` for a caller that has none.
    pub(super) fn count(&self, cpu: Option<usize>, event: Event, times: u64) {
        let cpu = cpu.unwrap_or(Count::<P>::COUNT).min(Count::<P>::COUNT);
        self.cpus[cpu][event as usize].fetch_add(times, Relaxed);
    }

    /// The events of all CPUs.
    pub(super) fn total(&self) -> EventCounts {
        sum(&self.cpus)
    }

    /// The events of one CPU.
    pub(super) fn of_cpu(&self, cpu: usize) -> EventCounts {
        sum(&self.cpus[cpu..=cpu])
    }
}

/// A snapshot of the events since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct EventCounts {
    /// Blocks that came from a zone itself, not from a magazine.
    pub direct: u64,
    /// Of these, blocks from below `min`.
    pub reserve: u64,
    /// Page allocations that failed.
    pub failures: u64,
    /// Times that the shrinkers were called to give memory back.
    pub reclaims: u64,
    /// Pages that came back.
    pub reclaimed_pages: u64,
    /// Times that an allocation slept.
    pub sleeps: u64,
    /// Frees that were refused.
    pub bad_frees: u64,
    /// Calls that were refused for their context.
    pub wrong_contexts: u64,
}

/// What one CPU has done with pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CpuStats {
    /// The CPU's number.
    pub cpu: usize,
    /// Blocks handed out, from magazines and from zones.
    pub allocs: u64,
    /// Blocks that its magazines took back.
    pub frees: u64,
    /// What else has happened there.
    pub events: EventCounts,
}

impl CpuStats {
    /// Whether nothing has happened there.
    pub fn is_idle(&self) -> bool {
        *self == Self { cpu: self.cpu, allocs: 0, frees: 0, events: EventCounts::default() }
    }
}

fn sum(cpus: &[[AtomicU64; Event::COUNT]]) -> EventCounts {
    let sum = |event: Event| cpus.iter().map(|cpu| cpu[event as usize].load(Relaxed)).sum();
    EventCounts {
        direct: sum(Event::Direct),
        reserve: sum(Event::Reserve),
        failures: sum(Event::Failure),
        reclaims: sum(Event::Reclaim),
        reclaimed_pages: sum(Event::ReclaimedPages),
        sleeps: sum(Event::Sleep),
        bad_frees: sum(Event::BadFree),
        wrong_contexts: sum(Event::WrongContext),
    }
}
