//! /proc/slabinfo, version 1.1: one line for each cache, `kmem_cache` first, then the newest.

use core::fmt;

use crate::slab::cache::CacheStats;

/// Whether the columns of the kernel option `slab_stats=1` are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statistics {
    /// Left out.
    Off,
    /// High-water mark, allocations, slabs made and given back, failures.
    On,
}

/// Writes the file. The last columns are the limit and batch of per-CPU arrays, 0 while a cache has none.
pub fn slabinfo(
    caches: impl Iterator<Item = CacheStats>,
    statistics: Statistics,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let note = if statistics == Statistics::On { " (statistics)" } else { "" };
    writeln!(out, "slabinfo - version: 1.1{note} (SMP)")?;
    for cache in caches {
        write!(
            out,
            "{:<17} {:>6} {:>6} {:>6} {:>4} {:>4} {:>4}",
            cache.name.as_str(),
            cache.active_objects,
            cache.objects,
            cache.object_size,
            cache.active_slabs,
            cache.slabs,
            cache.pages_per_slab
        )?;
        if statistics == Statistics::On {
            let CacheStats { high, allocs, grown, reaped, errors, .. } = cache;
            write!(out, " : {high:>6} {allocs:>7} {grown:>5} {reaped:>4} {errors:>4}")?;
        }
        writeln!(out, " : {0:>4} {0:>4}", 0)?;
    }
    Ok(())
}
