//! /proc/slabinfo, version 1.1: one line for each cache.
//! `kmem_cache` comes first, then the newest.

use core::fmt;

use crate::objects::CacheStats;

/// Whether the columns of the kernel option `slab_stats=1` are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statistics {
    /// Left out.
    Off,
    /// High-water mark, allocations, slabs made and given back, failures.
    On,
}

/// Writes the file. The last columns are limit and batch: objects of a CPU's magazines, and of a refill.
///
/// With statistics they are followed by hits and misses of allocations and frees. A cache that is counted has no
/// magazines, so each call misses them.
///
/// # Errors
/// `out` has failed.
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
        write!(out, " : {:>4} {:>4}", 2 * cache.magazine, cache.batch)?;
        if statistics == Statistics::On {
            let (hits, frees) = (0, cache.allocs.saturating_sub(cache.active_objects as u64));
            write!(out, " : {hits:>6} {:>6} {hits:>6} {frees:>6}", cache.allocs)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Parses a line that is written into the file: `name limit batch`. A third number, which later kernels knew, is
/// refused: there is nothing that it could set.
pub fn parse_tuning(line: &str) -> Option<(&str, usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (name, limit, batch) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (words.next().is_none() && line.len() <= TUNING_MAX).then_some((name, limit, batch))
}

/// Longest line that [`parse_tuning`] reads.
const TUNING_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::parse_tuning;

    #[test]
    fn tunings_are_a_name_and_two_numbers() {
        assert_eq!(parse_tuning("size-64 128 64"), Some(("size-64", 128, 64)));
        assert_eq!(parse_tuning(" size-64 128 64\n"), Some(("size-64", 128, 64)));
        for wrong in ["", "size-64", "size-64 1", "size-64 -1 1", "size-64 2 x", "size-64 2 1 x", "size-64 2 1 8"] {
            assert_eq!(parse_tuning(wrong), None, "{wrong}");
        }
        let mut long = [b' '; 200];
        long[..8].copy_from_slice(b"name 2 1");
        assert_eq!(core::str::from_utf8(&long).ok().and_then(parse_tuning), None);
    }
}
