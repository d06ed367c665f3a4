//! /proc/zoneinfo: pages, watermarks and events, zone by zone.

use core::fmt;

use crate::pages::{CpuZoneCounts, ZoneStats};

/// Writes a paragraph for each zone that has memory: pages, then blocks, then what each CPU's magazines hold (pages)
/// and have done (blocks).
///
/// # Errors
/// `out` has failed.
pub fn zoneinfo(zones: &[ZoneStats], out: &mut dyn fmt::Write) -> fmt::Result {
    for zone in zones.iter().filter(|zone| zone.managed > 0) {
        writeln!(out, "Node 0, zone {:>8}", zone.kind.name())?;
        writeln!(out, "  pages free     {}", zone.free)?;
        let lines = [
            ("min", zone.marks.min as u64),
            ("low", zone.marks.low as u64),
            ("high", zone.marks.high as u64),
            ("managed", zone.managed as u64),
            ("depot", zone.depot as u64),
            ("cached", zone.cached as u64),
        ];
        lines.iter().try_for_each(|(name, value)| writeln!(out, "        {name:<8} {value}"))?;
        let events = [
            ("nr_alloc", zone.counters.allocs),
            ("nr_free", zone.counters.frees),
            ("nr_reserve", zone.counters.reserve_allocs),
            ("nr_refused", zone.counters.refusals),
            ("nr_sleep", zone.counters.sleeps),
            ("nr_fail", zone.counters.failures),
        ];
        events.iter().try_for_each(|(name, value)| writeln!(out, "    {name:<12} {value}"))?;
        writeln!(out, "  pagesets")?;
        for (cpu, counts) in zone.cpus.iter().enumerate().filter(|(_, counts)| **counts != CpuZoneCounts::default()) {
            writeln!(out, "    cpu: {cpu}")?;
            let lines = [("count", counts.pages as u64), ("alloc", counts.allocs), ("free", counts.frees)];
            lines.iter().try_for_each(|(name, value)| writeln!(out, "        {name:<8} {value}"))?;
        }
    }
    Ok(())
}
