//! /proc/meminfo, slabinfo, buddyinfo, zoneinfo, vmallocinfo, vmstat, iomem, and sys/vm/drop_caches.

use core::fmt::{self, Write};

use kapi::Errno;
use mm::memory::ZoneStats;
use mm::proc::{self, FileCache, Statistics};
use mm::{PAGE_SIZE, ZoneKind};

use crate::arch::paging::{self, builder};
use crate::fs::tmpfs;
use crate::mm::firmware::{self, Kind, Region};
use crate::mm::memory;
use crate::options::{self, Switch};

fn zones() -> [ZoneStats; ZoneKind::COUNT] {
    ZoneKind::ALL.map(|kind| memory().zone_stats(kind))
}

pub(super) fn buddyinfo(out: &mut dyn Write) -> fmt::Result {
    proc::buddyinfo(&zones(), out)
}

pub(super) fn zoneinfo(out: &mut dyn Write) -> fmt::Result {
    proc::zoneinfo(&zones(), out)
}

pub(super) fn meminfo(out: &mut dyn Write) -> fmt::Result {
    proc::meminfo(memory(), FileCache { cached: tmpfs::pages() }, out)
}

pub(super) fn slabinfo(out: &mut dyn Write) -> fmt::Result {
    let statistics = match options::get().slab_stats {
        Switch::Off => Statistics::Off,
        Switch::On => Statistics::On,
    };
    proc::slabinfo(memory().caches(), statistics, out)
}

/// `name limit batch`: how many objects of a cache a CPU keeps, and how many move at once.
pub(super) fn tune_slabs(line: &str) -> Result<(), Errno> {
    let (name, limit, batch) = proc::parse_tuning(line).ok_or(Errno::EINVAL)?;
    memory().tune_cache(name, limit, batch).map_err(|_| Errno::EINVAL)
}

pub(super) fn vmallocinfo(out: &mut dyn Write) -> fmt::Result {
    proc::vmallocinfo(memory().areas(), out)
}

pub(super) fn vmstat(out: &mut dyn Write) -> fmt::Result {
    proc::vmstat(memory(), out)
}

/// The physical address space: RAM and what the firmware keeps, with the kernel's image inside.
pub(super) fn iomem(out: &mut dyn Write) -> fmt::Result {
    let mut regions = firmware::regions().peekable();
    while let Some(mut region) = regions.next() {
        while let Some(next) = regions.next_if(|next| next.start == region.end && is_ram(next) == is_ram(&region)) {
            region.end = next.end;
        }
        let name = if is_ram(&region) { "System RAM" } else { "reserved" };
        writeln!(out, "{:08x}-{:08x} : {name}", region.start.as_u64(), region.end.as_u64() - 1)?;
        image_within(&region, out)?;
    }
    Ok(())
}

fn is_ram(region: &Region) -> bool {
    region.kind != Kind::Reserved
}

/// The parts of the kernel image that lie in `region`, each as runs of neighbouring frames.
fn image_within(region: &Region, out: &mut dyn Write) -> fmt::Result {
    for (name, start, end) in builder::image_parts() {
        let mut run: Option<(u64, u64)> = None;
        let pages = (start.as_usize()..end.as_usize()).step_by(PAGE_SIZE).map(mm::VirtAddr::new);
        for frame in pages.filter_map(paging::translate) {
            let at = frame.phys().as_u64();
            run = match run {
                Some((first, last)) if at == last => Some((first, last + PAGE_SIZE as u64)),
                _ => {
                    line_within(region, run, name, out)?;
                    Some((at, at + PAGE_SIZE as u64))
                }
            };
        }
        line_within(region, run, name, out)?;
    }
    Ok(())
}

fn line_within(region: &Region, run: Option<(u64, u64)>, name: &str, out: &mut dyn Write) -> fmt::Result {
    match run {
        Some((first, end)) if region.start.as_u64() <= first && end <= region.end.as_u64() => {
            writeln!(out, "  {first:08x}-{:08x} : {name}", end - 1)
        }
        _ => Ok(()),
    }
}

/// Nothing is set here: the file is for writing.
pub(super) fn show_drop_caches(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "0")
}

/// `1`, `2` or `3`, as on Linux: gives back all memory that nobody holds.
pub(super) fn drop_caches(line: &str) -> Result<(), Errno> {
    match line.trim() {
        "1" | "2" | "3" => {
            memory().drop_caches();
            Ok(())
        }
        _ => Err(Errno::EINVAL),
    }
}
