//! The files of /proc about memory, and those that change what it keeps.

use core::fmt::{self, Write};

use kapi::Errno;
use mm::ZoneKind;
use mm::pages::ZoneStats;
use mm::proc::{self, FileCache, Statistics};
use services::options::{Switch, switch};

use crate::fs::tmpfs;
use crate::mm::page_cache::page_cache;
use crate::mm::swap::swap;
use crate::mm::{bigphysarea, memory, sleepers};
use crate::options;
use crate::{klog, resource};

fn zones() -> [ZoneStats; ZoneKind::COUNT] {
    ZoneKind::ALL.map(|kind| memory().pages().zone_stats(kind))
}

pub(super) fn buddyinfo(out: &mut dyn Write) -> fmt::Result {
    proc::buddyinfo(&zones(), out)
}

pub(super) fn zoneinfo(out: &mut dyn Write) -> fmt::Result {
    proc::zoneinfo(&zones(), out)
}

pub(super) fn meminfo(out: &mut dyn Write) -> fmt::Result {
    let (stats, swap) = (page_cache().stats(), swap().totals());
    let files = FileCache {
        buffers: stats.buffers,
        cached: stats.cached,
        swap_cached: stats.swap_cached,
        dirty: stats.dirty,
        writeback: stats.writeback,
        clean: (stats.buffers + stats.cached).saturating_sub(stats.dirty + stats.writeback + tmpfs::pages()),
        swap_total: swap.slots,
        swap_free: swap.free,
    };
    proc::meminfo(memory(), files, out)
}

pub(super) fn slabinfo(out: &mut dyn Write) -> fmt::Result {
    let statistics = match options::get().memory.slab_stats {
        Switch::Off => Statistics::Off,
        Switch::On => Statistics::On,
    };
    proc::slabinfo(memory().objects().caches(), statistics, out)
}

/// `name limit batch`: how many objects of a cache a CPU keeps, and how many a refill takes from slabs.
pub(super) fn tune_slabs(line: &str) -> Result<(), Errno> {
    let tuning = proc::parse_tuning(line);
    if tuning.is_none() {
        klog!("slabinfo: expects the name of a cache, a limit and a batch");
    }
    let (name, limit, batch) = tuning.ok_or(Errno::EINVAL)?;
    memory().objects().tune_cache(name, limit, batch).map_err(|_| Errno::EINVAL)
}

pub(super) fn vmallocinfo(out: &mut dyn Write) -> fmt::Result {
    proc::vmallocinfo(memory().areas().iter(), out)
}

pub(super) fn bigphysarea(out: &mut dyn Write) -> fmt::Result {
    let stats = bigphysarea::stats().map_err(|_| fmt::Error)?;
    services::bigphysarea(stats, out)
}

pub(super) fn vmstat(out: &mut dyn Write) -> fmt::Result {
    proc::vmstat(memory(), out)
}

pub(super) fn iomem(out: &mut dyn Write) -> fmt::Result {
    resource::MEMORY.write(out)
}

pub(super) fn ioports(out: &mut dyn Write) -> fmt::Result {
    resource::PORTS.write(out)
}

/// Nothing is set here: the file is for writing.
pub(super) fn show_nothing(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "0")
}

/// `1`: looks at every slab, and every object of debugged caches. What it finds is in the log.
pub(super) fn check_slabs(line: &str) -> Result<(), Errno> {
    if line.trim() != "1" {
        return Err(Errno::EINVAL);
    }
    klog!("slab_check: {}", memory().objects().check_slabs());
    Ok(())
}

/// `1`, `2` or `3`, as on Linux: gives back all memory that only caches hold.
pub(super) fn drop_caches(line: &str) -> Result<(), Errno> {
    match line.trim() {
        "1" | "2" | "3" => {
            memory().drop_caches();
            Ok(())
        }
        _ => {
            klog!("drop_caches: expects 1, 2 or 3");
            Err(Errno::EINVAL)
        }
    }
}

/// Whether the log has a line for each request that slept for memory.
pub(super) fn show_trace(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", u8::from(sleepers::trace() == Switch::On))
}

/// `0` or `1`.
pub(super) fn set_trace(line: &str) -> Result<(), Errno> {
    sleepers::set_trace(switch(line.trim()).map_err(|_| Errno::EINVAL)?);
    Ok(())
}
