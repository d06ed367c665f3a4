//! /proc/vmstat: what has happened since boot, in all and on each CPU.

use core::fmt;

use crate::addr::PAGE_SIZE;
use crate::memory::Memory;
use crate::platform::Platform;

/// Writes a line for each count, `name value`; a CPU's start with its number. Names are Linux's where it has them:
/// `pgpgin` and `pgpgout` are KiB, the other `pg` and `psw` lines pages.
///
/// # Errors
/// `out` has failed.
pub fn vmstat<P: Platform>(memory: &'static Memory<P>, out: &mut dyn fmt::Write) -> fmt::Result {
    let events = memory.pages().events();
    let kib = |pages: u64| pages * (PAGE_SIZE as u64 / 1024);
    let lines = [
        ("nr_free_pages", memory.pages().free_pages_total() as u64),
        ("nr_anon_pages", memory.pages().anonymous_pages() as u64),
        ("pgpgin", kib(events.pages_in + events.swapped_in)),
        ("pgpgout", kib(events.pages_out + events.swapped_out)),
        ("pswpin", events.swapped_in),
        ("pswpout", events.swapped_out),
        ("pgactivate", events.activated),
        ("pgdeactivate", events.deactivated),
        ("pgfault", memory.pages().user_counts().faults),
        ("pgmajfault", events.major_faults),
        ("pgcopy", memory.pages().user_counts().copies),
        ("pgscan_kswapd", events.scanned_background),
        ("pgscan_direct", events.scanned_direct),
        ("pgsteal_kswapd", events.stolen_background),
        ("pgsteal_direct", events.stolen_direct),
        ("pglaunder_kswapd", events.laundered_background),
        ("pglaunder_direct", events.laundered_direct),
        ("pageoutrun", events.background_rounds),
        ("oom_kill", events.oom_kills),
        ("pgalloc_direct", events.direct),
        ("pgalloc_reserve", events.reserve),
        ("pgalloc_fail", events.failures),
        ("pgalloc_sleep", events.sleeps),
        ("reclaims", events.reclaims),
        ("reclaimed_pages", events.reclaimed_pages),
        ("slabs_reaped", events.from_slabs),
        ("areas_reaped", events.from_areas),
        ("others_reaped", events.from_others),
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
