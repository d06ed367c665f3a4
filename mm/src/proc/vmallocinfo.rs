//! /proc/vmallocinfo: the areas of vmalloc, ioremap and modules.

use core::fmt;

use crate::addr::PAGE_SIZE;
use crate::areas::{AreaInfo, AreaKind};

/// Writes one line for each area: its range and size with the guard page, its caller, its pages, what it shows.
///
/// # Errors
/// `out` has failed.
pub fn vmallocinfo(areas: impl Iterator<Item = AreaInfo>, out: &mut dyn fmt::Write) -> fmt::Result {
    for area in areas {
        let start = area.start.as_usize();
        write!(out, "0x{start:016x}-0x{:016x} {:>7}", start + area.bytes, area.bytes)?;
        area.caller.map_or(Ok(()), |caller| write!(out, " {}:{}", caller.file(), caller.line()))?;
        match area.kind {
            AreaKind::Vmalloc => writeln!(out, " pages={} vmalloc", area.bytes / PAGE_SIZE - 1)?,
            AreaKind::Vmap => writeln!(out, " pages={} vmap", area.bytes / PAGE_SIZE - 1)?,
            AreaKind::Module => writeln!(out, " pages={} module", area.bytes / PAGE_SIZE - 1)?,
            AreaKind::Ioremap(phys) => writeln!(out, " phys=0x{:016x} ioremap", phys.as_u64())?,
        }
    }
    Ok(())
}
