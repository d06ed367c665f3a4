//! /proc/diskstats, /proc/partitions, /proc/sys/dev/disks.

use core::fmt::{self, Write};
use core::time::Duration;

use kapi::Errno;

use super::disk::Disk;
use super::registry::{find, nth};

/// Calls `write` with each disk, in order.
fn each(write: &mut dyn FnMut(&Disk) -> fmt::Result) -> fmt::Result {
    (0..).map_while(nth).try_for_each(|disk| write(&disk))
}

/// Writes /proc/diskstats: what each disk has done so far, in Linux's columns.
///
/// # Errors
/// Those of `out`.
pub fn write_diskstats(out: &mut dyn Write) -> fmt::Result {
    each(&mut |disk| {
        let (major, minor, name) = (disk.major(), disk.minor(), disk.name());
        writeln!(out, "{major:4} {minor:7} {name} {}", disk.counts())
    })
}

/// Writes /proc/partitions: the disks and their sizes, in KiB.
///
/// # Errors
/// Those of `out`.
pub fn write_partitions(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "major minor  #blocks  name\n")?;
    each(&mut |disk| writeln!(out, "{:4}  {:7} {:10} {}", disk.major(), disk.minor(), disk.sectors() / 2, disk.name()))
}

/// Writes /proc/sys/dev/disks: what drivers say of their disks.
///
/// # Errors
/// Those of `out`.
pub fn show_control(out: &mut dyn Write) -> fmt::Result {
    each(&mut |disk| {
        writeln!(out, "{}: {} sectors", disk.name(), disk.sectors())?;
        disk.driver().map_or(Ok(()), |driver| driver.show(out))
    })
}

/// Obeys a line that was written there: `NAME timeout SECONDS`, or the disk's name and what its driver knows.
///
/// # Errors
/// `ENXIO` when there is no such disk, `EINVAL` when the line makes no sense.
pub fn control(line: &str) -> Result<(), Errno> {
    let (name, order) = line.trim().split_once(' ').ok_or(Errno::EINVAL)?;
    let disk = find(name).ok_or(Errno::ENXIO)?;
    match order.trim().split_once(' ') {
        Some(("timeout", seconds)) => {
            let seconds = seconds.trim().parse().map_err(|_| Errno::EINVAL)?;
            disk.queue.set_timeout(Duration::from_secs(seconds));
            Ok(())
        }
        _ => disk.driver().ok_or(Errno::ENXIO)?.control(order.trim()),
    }
}
