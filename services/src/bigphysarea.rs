//! /proc/bigphysarea: blocks of the area, in the form of the patch.

use core::fmt;

use mm::kib;

use crate::pool::PoolStats;

/// Writes the file; `None` when the kernel option was not given.
pub fn bigphysarea(stats: Option<PoolStats>, out: &mut dyn fmt::Write) -> fmt::Result {
    let Some(PoolStats { free, used }) = stats else {
        return writeln!(out, "No big physical area allocated!");
    };
    writeln!(out, "Big physical area, size {} kB", kib(free.frames + used.frames))?;
    writeln!(out, "                       free list:             used list:")?;
    writeln!(out, "number of blocks:      {:8}               {:8}", free.blocks, used.blocks)?;
    writeln!(out, "size of largest block: {:8} kB            {:8} kB", kib(free.largest), kib(used.largest))?;
    writeln!(out, "total:                 {:8} kB            {:8} kB", kib(free.frames), kib(used.frames))
}
