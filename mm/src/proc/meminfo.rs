//! /proc/meminfo: totals in the form of 2.4, and what the allocators keep.

use core::fmt;

use crate::addr::{PAGE_SIZE, kib};
use crate::areas::AreaKind;
use crate::gfp::ZoneKind;
use crate::memory::Memory;
use crate::platform::Platform;
use crate::tag::Tag;

/// Pages that files hold in memory, in pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct FileCache {
    /// Pages of files.
    pub cached: usize,
    /// Of these, pages that can be read again: given back when memory is short.
    pub clean: usize,
    /// Of those that are no clean ones, pages that bear no tag.
    pub untagged: usize,
}

/// Writes the file. `MemTotal` is the sum of `MemFree`, `Cached`, `AnonPages`, `Slab`, `PageTables` without the tables
/// of boot, `KernelStack` and all lines that end in `Pages:` below it: each page is in one of them.
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
    let bytes = [total, total - free, free, 0, 0, files.cached].map(|pages| pages * PAGE_SIZE);
    write!(out, "Mem: ")?;
    bytes.iter().try_for_each(|bytes| write!(out, " {bytes:>8}"))?;
    writeln!(out, "\nSwap: {0:>8} {0:>8} {0:>8}", 0)?;
    let lines = [
        ("MemTotal:", kib(total)),
        ("MemFree:", kib(free)),
        ("MemAvailable:", kib((free + files.clean).saturating_sub(low))),
        ("MemShared:", 0),
        ("Buffers:", 0),
        ("Cached:", kib(files.cached)),
        ("HighTotal:", kib(high.managed)),
        ("HighFree:", kib(high.free)),
        ("LowTotal:", kib(total - high.managed)),
        ("LowFree:", kib(free - high.free)),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
        ("AnonPages:", kib(memory.pages().anonymous_pages())),
        ("Slab:", kib(slab)),
        ("PageTables:", kib(memory.tables().count())),
        ("KernelStack:", kib(owned.of(Tag::KernelStack))),
        ("AreaPages:", kib(owned.of(Tag::Vmalloc))),
        ("ModulePages:", kib(owned.of(Tag::Module))),
        ("ValuePages:", kib(owned.of(Tag::Value))),
        ("DriverPages:", kib(owned.of(Tag::Driver))),
        ("PromptPages:", kib(owned.of(Tag::Prompt))),
        ("OtherPages:", kib(owned.of(Tag::None).saturating_sub(files.untagged) + owned.retired)),
        ("VmallocTotal:", memory.areas().total_bytes() / 1024),
        ("VmallocUsed:", areas / 1024),
        ("VmallocLazy:", kib(memory.areas().lazy_pages())),
    ];
    lines.iter().try_for_each(|(name, value)| writeln!(out, "{name:<14}{value:>8} kB"))
}
