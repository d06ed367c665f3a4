//! Rows about disks: pages of one that are in memory already.

use kapi::{Errno, OpenFlags};
use mm::{AllocError, GfpFlags, PAGE_SIZE};

use super::probe::Ticks;
use super::report::{Effort, Reporter, Stopped};
use crate::arch::cpu::cycles;
use crate::fs::block::BlockDevice;
use crate::mm::KVec;
use crate::mm::page_cache::Mapping;
use crate::{block, fs};

/// The disk in memory that `ramdisk=` makes.
const DISK: &str = "ram0";
const FILE: &str = "/dev/ram0";
/// Pages in turn.
const PAGES: Effort = Effort { count: 256, rounds: 21 };

/// The rows. Without the disk there are none.
pub(super) fn rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    let Some(disk) = block::find(DISK) else { return Ok(()) };
    let device = BlockDevice::of(disk.major(), disk.minor())?;
    let mapping = device.mapping();
    read_in()?;
    reporter.row(format_args!("disk_buffer_hit_same"), PAGES, |count| hits(mapping, count, 0))?;
    reporter.row(format_args!("disk_buffer_hit"), PAGES, |count| hits(mapping, count, 1))
}

/// Reads the pages by the disk's file, so that they are in memory.
fn read_in() -> Result<(), Stopped> {
    let file = fs::open(&fs::Place::root(), FILE, OpenFlags::READ, 0)?;
    let mut page = KVec::new();
    page.resize(PAGE_SIZE, 0, GfpFlags::KERNEL).map_err(Errno::from)?;
    for _ in 0..PAGES.count {
        file.read_bytes(&mut page)?;
    }
    Ok(())
}

/// The ticks of `count` pages that lie `step` apart.
fn hits(mapping: &Mapping, count: u32, step: u64) -> Result<Ticks, AllocError> {
    let start = cycles();
    for page in 0..u64::from(count) {
        let found = mapping.find(page * step);
        drop(found.ok_or(AllocError)?);
    }
    Ok([cycles() - start, 0])
}
