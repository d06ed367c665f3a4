//! /proc/vmstat: what has happened since boot, in all and on each CPU.

use core::fmt;

use crate::memory::Memory;
use crate::platform::Platform;

/// Writes a line for each count, `name value`; a CPU's start with its number.
///
/// # Errors
/// `out` has failed.
pub fn vmstat<P: Platform>(memory: &'static Memory<P>, out: &mut dyn fmt::Write) -> fmt::Result {
    let events = memory.pages().events();
    let lines = [
        ("nr_free_pages", memory.pages().free_pages_total() as u64),
        ("nr_anon_pages", memory.pages().anonymous_pages() as u64),
        ("pgfault", memory.pages().user_counts().faults),
        ("pgcopy", memory.pages().user_counts().copies),
        ("pgalloc_direct", events.direct),
        ("pgalloc_reserve", events.reserve),
        ("pgalloc_fail", events.failures),
        ("pgalloc_sleep", events.sleeps),
        ("reclaims", events.reclaims),
        ("reclaimed_pages", events.reclaimed_pages),
        ("bad_frees", events.bad_frees),
        ("wrong_contexts", events.wrong_contexts),
        ("slab_retired_pages", memory.objects().retired_pages() as u64),
    ];
    lines.iter().try_for_each(|(name, value)| writeln!(out, "{name} {value}"))?;
    for stats in memory.pages().cpu_stats() {
        let lines = [
            ("alloc", stats.allocs),
            ("free", stats.frees),
            ("reserve", stats.events.reserve),
            ("fail", stats.events.failures),
            ("reclaim", stats.events.reclaims),
            ("sleep", stats.events.sleeps),
        ];
        lines.iter().try_for_each(|(name, value)| writeln!(out, "cpu{}_{name} {value}", stats.cpu))?;
    }
    Ok(())
}
