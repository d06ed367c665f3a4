//! /proc/buddyinfo: free blocks of each order, zone by zone.

use core::fmt;

use crate::pages::ZoneStats;

/// Writes one line for each zone that has memory.
///
/// # Errors
/// `out` has failed.
pub fn buddyinfo(zones: &[ZoneStats], out: &mut dyn fmt::Write) -> fmt::Result {
    for zone in zones.iter().filter(|zone| zone.managed > 0) {
        write!(out, "Node 0, zone {:>8} ", zone.kind.name())?;
        for blocks in zone.blocks {
            write!(out, "{blocks:>6} ")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
