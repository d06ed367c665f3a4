//! Rows about the page cache: reads and writes of pages, and giving them back.

use alloc::sync::Arc;

use kapi::IoBuf;
use mm::{AllocError, GfpFlags, PAGE_SIZE, ZoneKind};
use pagecache::{Backing, Kind, PageIo};

use super::probe::Ticks;
use super::report::{Effort, Reporter, Stopped};
use crate::arch::cpu::cycles;
use crate::mm::page_cache::{Mapping, mapping, page_cache};

/// Pages of the device.
const PAGES: u32 = 256;

/// A device of zeros that answers at once and forgets what it is told.
struct Zeros;

impl Backing for Zeros {
    fn kind(&self) -> Kind {
        Kind::Device
    }

    fn read(&self, io: PageIo) {
        let _ = io.show(&mut |page| page.fill(0));
        io.finish(Ok(()));
    }

    fn write(&self, io: PageIo) {
        io.finish(Ok(()));
    }
}

/// All rows.
pub(super) fn rows(reporter: &mut Reporter<'_>) -> Result<(), Stopped> {
    let Ok(device) = device() else { return Err(kapi::Errno::ENOMEM.into()) };
    let all = Effort { count: PAGES, rounds: 11 };
    reporter.row(format_args!("page_cache_read_4096"), all, |count| reads(&device, count, PAGE_SIZE))?;
    reporter.row(format_args!("page_cache_read_1"), all, |count| reads(&device, count, 1))?;
    reporter.row(format_args!("page_cache_write_4096"), all, |count| writes(&device, count))?;
    reporter.row(format_args!("page_cache_shrink_clean"), all, |count| shrink(&device, count))
}

fn device() -> Result<Mapping, AllocError> {
    let zeros = Arc::try_new(Zeros).map_err(|_| AllocError)?;
    mapping(zeros, u64::from(PAGES) * PAGE_SIZE as u64, "bench").map_err(|_| AllocError)
}

/// Reads the first bytes of `count` pages.
fn reads(device: &Mapping, count: u32, bytes: usize) -> Result<Ticks, AllocError> {
    let mut buffer = [0; PAGE_SIZE];
    let mut all = || {
        (0..u64::from(count)).try_for_each(|page| {
            let mut buf = IoBuf::fill(&mut buffer[..bytes]);
            device.read(page * PAGE_SIZE as u64, &mut buf).map(drop).map_err(|_| AllocError)
        })
    };
    // They are there from here on.
    all()?;
    let start = cycles();
    all()?;
    Ok([cycles() - start, 0])
}

/// Writes `count` pages that are there.
fn writes(device: &Mapping, count: u32) -> Result<Ticks, AllocError> {
    reads(device, count, 1)?;
    let start = cycles();
    for page in 0..u64::from(count) {
        device.write(page * PAGE_SIZE as u64, &mut IoBuf::take(&[1; PAGE_SIZE])).map_err(|_| AllocError)?;
    }
    let ticks = cycles() - start;
    device.sync(0..u64::MAX, &mut device.errors()).map_err(|_| AllocError)?;
    Ok([ticks, 0])
}

/// Has `count` clean pages given back.
fn shrink(device: &Mapping, count: u32) -> Result<Ticks, AllocError> {
    page_cache().invalidate();
    device.read_ahead(0..count.into());
    let start = cycles();
    let mut freed = 0;
    while freed < count as usize {
        freed += match page_cache().shrink(GfpFlags::BUFFER, &ZoneKind::ALL, 32) {
            0 => return Err(AllocError),
            pages => pages,
        };
    }
    Ok([cycles() - start, 0])
}
