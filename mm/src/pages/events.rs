//! Events since boot, counted on the CPU where they happened.
//!
//! Key types: [`EventCounts`], [`CpuStats`]; [`PageEvent`], what the layers above count here. The fast path counts
//! nothing here; it counts beside the magazines (`pageset.rs`).

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::addr::VirtAddr;
use crate::outside::EventWords;
use crate::percpu::{Count, PerCpuAndNone};
use crate::platform::{CountCpus, Platform, Reclaiming};

/// Something that happens to pages above the page allocator: who does it counts it here
/// ([`count_pages`](super::PageAllocator::count_pages)), and /proc/vmstat shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageEvent {
    /// A page of a file or a disk has been read from a disk.
    PageIn,
    /// A page of a file or a disk has been written to a disk.
    PageOut,
    /// A page of a process has been read from a swap area; this is no [`PageIn`](Self::PageIn) as well.
    SwapIn,
    /// A page of a process has been written to a swap area; this is no [`PageOut`](Self::PageOut) as well.
    SwapOut,
    /// Reclaim has looked at a page.
    Scan,
    /// Reclaim has begun to write a dirty page, so that it can be given back.
    Launder,
    /// A page became active.
    Activate,
    /// A page became inactive.
    Deactivate,
    /// A fault of a process had to wait for a disk.
    MajorFault,
    /// A process was ended because memory was out.
    OomKill,
}

/// Something to count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    Direct,
    Reserve,
    Failure,
    Reclaim,
    BackgroundRound,
    ReclaimedPages,
    Sleep,
    BadFree,
    WrongContext,
    PageIn,
    PageOut,
    SwapIn,
    SwapOut,
    ScanDirect,
    ScanBackground,
    LaunderDirect,
    LaunderBackground,
    StealDirect,
    StealBackground,
    FromSlabs,
    FromAreas,
    FromOthers,
    Activate,
    Deactivate,
    MajorFault,
    OomKill,
}

impl Event {
    const COUNT: usize = Self::OomKill as usize + 1;

    pub(super) const fn of(event: PageEvent, who: Reclaiming) -> Self {
        match (event, who) {
            (PageEvent::PageIn, _) => Self::PageIn,
            (PageEvent::PageOut, _) => Self::PageOut,
            (PageEvent::SwapIn, _) => Self::SwapIn,
            (PageEvent::SwapOut, _) => Self::SwapOut,
            (PageEvent::Scan, Reclaiming::InBackground) => Self::ScanBackground,
            (PageEvent::Scan, _) => Self::ScanDirect,
            (PageEvent::Launder, Reclaiming::InBackground) => Self::LaunderBackground,
            (PageEvent::Launder, _) => Self::LaunderDirect,
            (PageEvent::Activate, _) => Self::Activate,
            (PageEvent::Deactivate, _) => Self::Deactivate,
            (PageEvent::MajorFault, _) => Self::MajorFault,
            (PageEvent::OomKill, _) => Self::OomKill,
        }
    }
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

    /// Events of this kind, on all CPUs.
    pub(super) fn sum(&self, event: Event) -> u64 {
        sum_of(&self.cpus, event)
    }

    /// The events of all CPUs.
    pub(super) fn total(&self) -> EventCounts {
        sum(&self.cpus)
    }

    /// Where the counters lie.
    pub(super) fn words(&self) -> EventWords {
        EventWords {
            first: VirtAddr::from_ptr(self.cpus.as_ptr()).as_usize() as u64,
            sets: self.cpus.len() as u64,
            stride: size_of::<[AtomicU64; Event::COUNT]>() as u64,
            reclaims: Event::Reclaim as u64,
            bad_frees: Event::BadFree as u64,
            rounds: Event::BackgroundRound as u64,
            pages_in: Event::PageIn as u64,
            pages_out: Event::PageOut as u64,
            swapped_in: Event::SwapIn as u64,
            swapped_out: Event::SwapOut as u64,
            oom_kills: Event::OomKill as u64,
        }
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
    /// Rounds of kswapd.
    pub background_rounds: u64,
    /// Pages that came back.
    pub reclaimed_pages: u64,
    /// Times that an allocation slept.
    pub sleeps: u64,
    /// Frees that were refused.
    pub bad_frees: u64,
    /// Calls that were refused for their context.
    pub wrong_contexts: u64,
    /// Pages read from disks, without those of swap areas.
    pub pages_in: u64,
    /// Pages written to disks, without those of swap areas.
    pub pages_out: u64,
    /// Pages read from swap areas.
    pub swapped_in: u64,
    /// Pages written to swap areas.
    pub swapped_out: u64,
    /// Pages of the page cache that requests looked at in reclaim.
    pub scanned_direct: u64,
    /// Those that kswapd looked at.
    pub scanned_background: u64,
    /// Dirty pages that requests began to write in reclaim.
    pub laundered_direct: u64,
    /// Those that kswapd began to write.
    pub laundered_background: u64,
    /// Pages that the page cache gave back to requests.
    pub stolen_direct: u64,
    /// Those that it gave back to kswapd.
    pub stolen_background: u64,
    /// Pages that slabs gave back.
    pub from_slabs: u64,
    /// Pages that freed areas gave back.
    pub from_areas: u64,
    /// Pages that other holders gave back.
    pub from_others: u64,
    /// Pages that became active.
    pub activated: u64,
    /// Pages that became inactive.
    pub deactivated: u64,
    /// Faults that waited for a disk.
    pub major_faults: u64,
    /// Processes ended because memory was out.
    pub oom_kills: u64,
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

fn sum_of(cpus: &[[AtomicU64; Event::COUNT]], event: Event) -> u64 {
    cpus.iter().map(|cpu| cpu[event as usize].load(Relaxed)).sum()
}

fn sum(cpus: &[[AtomicU64; Event::COUNT]]) -> EventCounts {
    let sum = |event: Event| sum_of(cpus, event);
    EventCounts {
        direct: sum(Event::Direct),
        reserve: sum(Event::Reserve),
        failures: sum(Event::Failure),
        reclaims: sum(Event::Reclaim),
        background_rounds: sum(Event::BackgroundRound),
        reclaimed_pages: sum(Event::ReclaimedPages),
        sleeps: sum(Event::Sleep),
        bad_frees: sum(Event::BadFree),
        wrong_contexts: sum(Event::WrongContext),
        pages_in: sum(Event::PageIn),
        pages_out: sum(Event::PageOut),
        swapped_in: sum(Event::SwapIn),
        swapped_out: sum(Event::SwapOut),
        scanned_direct: sum(Event::ScanDirect),
        scanned_background: sum(Event::ScanBackground),
        laundered_direct: sum(Event::LaunderDirect),
        laundered_background: sum(Event::LaunderBackground),
        stolen_direct: sum(Event::StealDirect),
        stolen_background: sum(Event::StealBackground),
        from_slabs: sum(Event::FromSlabs),
        from_areas: sum(Event::FromAreas),
        from_others: sum(Event::FromOthers),
        activated: sum(Event::Activate),
        deactivated: sum(Event::Deactivate),
        major_faults: sum(Event::MajorFault),
        oom_kills: sum(Event::OomKill),
    }
}
