//! /proc/meminfo: totals in the form of 2.4, and what the allocators keep.

use core::fmt;

use crate::addr::{PAGE_SIZE, kib};
use crate::areas::AreaKind;
use crate::gfp::ZoneKind;
use crate::memory::Memory;
use crate::platform::Platform;
use crate::tag::Tag;

/// What a page cache holds, and what swap has room for, in pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct FileCache {
    /// Pages of disks.
    pub buffers: usize,
    /// Pages of files.
    pub cached: usize,
    /// Pages of processes that have a place in swap too.
    pub swap_cached: usize,
    /// Pages that have to be written back.
    pub dirty: usize,
    /// Pages that are being written back.
    pub writeback: usize,
    /// Pages that can be read again: given back when memory is short.
    pub clean: usize,
    /// Pages that all areas of swap have.
    pub swap_total: usize,
    /// Of these, pages that nobody has.
    pub swap_free: usize,
}

/// Writes the file. `MemTotal` is the sum of `MemFree`, `Buffers`, `Cached`, `SwapCached`, `AnonPages`, `Slab`,
/// `PageTables` without the tables of boot, `KernelStack` and all lines that end in `Pages:` below it: each page is in
/// one of them. `Active` and `Inactive` are together what `Buffers`, `Cached` and `SwapCached` are.
///
/// # Errors
/// `out` has failed.
pub fn meminfo<P: Platform>(memory: &'static Memory<P>, files: FileCache, out: &mut dyn fmt::Write) -> fmt::Result {
    let zones = ZoneKind::ALL.map(|kind| memory.pages().zone_stats(kind));
    let high = &zones[ZoneKind::HighMem as usize];
    let total: usize = zones.iter().map(|zone| zone.managed).sum();
    let free: usize = zones.iter().map(|zone| zone.free).sum();
    let slab: usize = memory.objects().caches().map(|cache| cache.pages).sum();
    let areas = memory.areas().iter().filter(|area| area.kind != AreaKind::Module);
    let areas: usize = areas.map(|area| area.bytes - PAGE_SIZE).sum();
    let owned = memory.pages().owned_pages();
    let low: usize = zones.iter().map(|zone| zone.marks.low).sum();
    writeln!(out, "        total:    used:    free:  shared: buffers:  cached:")?;
    row("Mem: ", &[total, total - free, free, 0, files.buffers, files.cached], out)?;
    row("Swap:", &[files.swap_total, files.swap_total.saturating_sub(files.swap_free), files.swap_free], out)?;
    let lines = [
        ("MemTotal:", kib(total)),
        ("MemFree:", kib(free)),
        ("MemAvailable:", kib((free + files.clean).saturating_sub(low))),
        ("MemShared:", 0),
        ("Buffers:", kib(files.buffers)),
        ("Cached:", kib(files.cached)),
        ("SwapCached:", kib(files.swap_cached)),
        ("Active:", kib(sum(&|zone| memory.pages().active_pages(zone)))),
        ("Inactive:", kib(sum(&|zone| memory.pages().inactive_pages(zone)))),
        ("HighTotal:", kib(high.managed)),
        ("HighFree:", kib(high.free)),
        ("LowTotal:", kib(total - high.managed)),
        ("LowFree:", kib(free - high.free)),
        ("SwapTotal:", kib(files.swap_total)),
        ("SwapFree:", kib(files.swap_free)),
        ("Dirty:", kib(files.dirty)),
        ("Writeback:", kib(files.writeback)),
        ("AnonPages:", kib(memory.pages().anonymous_pages().saturating_sub(files.swap_cached))),
        ("Slab:", kib(slab)),
        ("PageTables:", kib(memory.tables().count())),
        ("KernelStack:", kib(owned.of(Tag::KernelStack))),
        ("AreaPages:", kib(owned.of(Tag::Vmalloc))),
        ("ModulePages:", kib(owned.of(Tag::Module))),
        ("ValuePages:", kib(owned.of(Tag::Value))),
        ("DriverPages:", kib(owned.of(Tag::Driver))),
        ("PromptPages:", kib(owned.of(Tag::Prompt))),
        ("OtherPages:", kib(owned.of(Tag::None) + owned.retired)),
        ("VmallocTotal:", memory.areas().total_bytes() / 1024),
        ("VmallocUsed:", areas / 1024),
        ("VmallocLazy:", kib(memory.areas().lazy_pages())),
    ];
    lines.iter().try_for_each(|(name, value)| writeln!(out, "{name:<14}{value:>8} kB"))
}

/// What `pages` says of all zones.
fn sum(pages: &dyn Fn(ZoneKind) -> usize) -> usize {
    ZoneKind::ALL.into_iter().map(pages).sum()
}

/// A row of the first table, in bytes.
fn row(name: &str, pages: &[usize], out: &mut dyn fmt::Write) -> fmt::Result {
    write!(out, "{name}")?;
    pages.iter().try_for_each(|pages| write!(out, " {:>8}", pages * PAGE_SIZE))?;
    writeln!(out)
}
