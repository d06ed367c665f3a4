//! Snapshots of zones, CPUs and events; `validate` of the page allocator.

use super::PageAllocator;
use super::events::{CpuStats, EventCounts};
use super::pageset::CpuZoneCounts;
use super::zone::{Watermarks, ZoneCounters};
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::percpu::Count;
use crate::platform::{CountCpus, Lock, MAX_CPUS, Platform};

/// A snapshot of one zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ZoneStats {
    /// Which zone.
    pub kind: ZoneKind,
    /// Pages that were handed to it at boot.
    pub managed: usize,
    /// Free pages: in buddy lists, depots, magazines and the pool of cleared pages.
    pub free: usize,
    /// Of these, pages in the depots.
    pub depot: usize,
    /// Of these, pages in the CPUs' magazines, which the watermarks do not count.
    pub cached: usize,
    /// Its watermarks, in pages.
    pub marks: Watermarks,
    /// Free blocks of each order.
    pub blocks: [usize; Order::COUNT],
    /// What has happened since boot.
    pub counters: ZoneCounters,
    /// What each CPU's magazines have done; of the last ones nothing, where there are fewer CPUs.
    pub cpus: [CpuZoneCounts; MAX_CPUS],
}

impl<P: Platform> PageAllocator<P> {
    /// A snapshot of one zone.
    pub fn zone_stats(&self, kind: ZoneKind) -> ZoneStats {
        let cpus = core::array::from_fn(|cpu| {
            self.cpus.get(cpu).map_or_else(CpuZoneCounts::default, |sets| sets.counts(kind))
        });
        let cached = self.cached_pages(kind);
        let (allocs, frees) = cpus.iter().fold((0, 0), |sum, cpu| (sum.0 + cpu.allocs, sum.1 + cpu.frees));
        self.zone(kind).with(|zone| {
            let mut blocks = [0; Order::COUNT];
            for order in Order::all() {
                blocks[order.log2()] = zone.buddy().free_blocks(order);
            }
            ZoneStats {
                kind,
                managed: zone.managed(),
                free: zone.free_pages() + cached,
                depot: zone.depot_pages(),
                cached,
                marks: zone.watermarks(),
                blocks,
                counters: ZoneCounters {
                    allocs: zone.counters().allocs + allocs,
                    frees: zone.counters().frees + frees,
                    ..zone.counters()
                },
                cpus,
            }
        })
    }

    /// Pages that the direct map shows: all but high memory.
    pub fn low_pages(&self) -> usize {
        self.managed_pages() - self.zone(ZoneKind::HighMem).with(|zone| zone.managed())
    }

    /// Free pages in all zones.
    pub fn free_pages_total(&self) -> usize {
        ZoneKind::ALL.into_iter().map(|kind| self.free_pages_of(kind)).sum()
    }

    /// Free pages of a zone, as [`zone_stats`](Self::zone_stats) has them among all else. Any context.
    pub fn free_pages_of(&self, kind: ZoneKind) -> usize {
        self.zone(kind).with(|zone| zone.free_pages()) + self.cached_pages(kind)
    }

    /// Pages of a zone in magazines and in the pool of cleared pages.
    fn cached_pages(&self, zone: ZoneKind) -> usize {
        let cached: usize = self.cpus.iter().map(|sets| sets.pages(zone)).sum();
        cached + self.prezeroed_pages(zone)
    }

    /// A snapshot of the events since boot, over all CPUs.
    pub fn events(&self) -> EventCounts {
        self.events.total()
    }

    /// A snapshot of each CPU that has done anything.
    pub fn cpu_stats(&self) -> impl Iterator<Item = CpuStats> {
        let of = |cpu: usize| {
            let events = self.events.of_cpu(cpu);
            let (allocs, frees) = ZoneKind::ALL
                .map(|zone| self.cpus[cpu].counts(zone))
                .iter()
                .fold((0, 0), |sum, zone| (sum.0 + zone.allocs, sum.1 + zone.frees));
            CpuStats { cpu, allocs: allocs + events.direct, frees, events }
        };
        (0..Count::<P>::COUNT).map(of).filter(|stats| !stats.is_idle())
    }

    /// Checks every zone and every CPU's magazines; returns the first invariant that is broken. No call may run.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        for kind in ZoneKind::ALL {
            self.zone(kind).with(|zone| zone.validate(self.map()))?;
        }
        self.validate_magazines()?;
        self.prezeroed.validate(self.map())
    }
}
