//! Swap on disks: what swapon and swapoff ask, and the option `swap=`.
//!
//! Where pages are is the matter of `pagecache::swap`; here are the way from a path to a disk, and what makes swapoff
//! end before it is done: a signal, or too little memory for what it brings back.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use core::fmt::{self, Write};

use kapi::{Errno, IoBuf, OpenFlags};
use mm::own::AnyBox;
use mm::space::{ObjectError, Scan, SwapStore};
use mm::{AllocError, GfpFlags, PAGE_SIZE, Shrinker, ZoneKind};
use pagecache::swap::{Header, NewArea};

use crate::fs::block::BlockDevice;
use crate::fs::{self, Kind, Place};
use crate::mm::page_cache::page_cache;
use crate::mm::space::SPACES;
use crate::mm::swap::swap;
use crate::mm::{KBox, KString, Kernel, memory};
use crate::{klog, options, sched, time};

/// Pages that swapoff has others give up, where memory is short.
const PAGES_AT_ONCE: usize = 32;

/// The numbers of the disk that a path leads to: `ENOENT` and its kin, `EINVAL` for what is no block device.
fn numbers(place: &Place, path: &str) -> Result<(u16, u16), Errno> {
    match fs::stat(place, path)?.attributes.kind {
        Kind::Block { major, minor } => Ok((major, minor)),
        _ => Err(Errno::EINVAL),
    }
}

/// Both in one.
fn number(major: u16, minor: u16) -> u64 {
    u64::from(major) << 32 | u64::from(minor)
}

/// A disk that is to be an area.
struct Disk {
    device: BlockDevice,
    /// Its path, as it is from the root.
    name: KString,
    number: u64,
}

impl Disk {
    /// `ENXIO` for a disk that is not there, and those of [`numbers`].
    fn find(place: &Place, path: &str) -> Result<Self, Errno> {
        let (major, minor) = numbers(place, path)?;
        let device = BlockDevice::of(major, minor)?;
        let file = fs::open(place, path, OpenFlags::READ, 0)?;
        let name = file.node().ok_or(Errno::EINVAL).and_then(fs::path_of)?;
        Ok(Self { device, name, number: number(major, minor) })
    }

    /// Has the pages of this disk for page tables from now on. What mkswap wrote is on the disk then, and no page of
    /// the disk's is in memory.
    fn swap_on(&self, priority: Option<i16>, blank: Blank) -> Result<(), Errno> {
        if self.device.disk().is_read_only() {
            return Err(Errno::EROFS);
        }
        let claim = self.device.claim()?;
        let mapping = self.device.mapping();
        let pages = mapping.size() / PAGE_SIZE as u64;
        let first_page = || {
            let mut bytes = KBox::new([0; PAGE_SIZE], GfpFlags::KERNEL)?;
            let read = mapping.read(0, &mut IoBuf::fill(&mut bytes[..]))?;
            if read < PAGE_SIZE { Err(Errno::EINVAL) } else { Ok(bytes) }
        };
        let mut header = first_page()?;
        let is_blank = blank == Blank::Prepare && header.iter().all(|byte| *byte == 0);
        if is_blank && Header::write(&mut header, pages) {
            mapping.write(0, &mut IoBuf::take(&header[..]))?;
            klog!("swap: {}: prepared, as mkswap does", self.name.as_str());
        }
        mapping.sync(0..u64::MAX, &mut mapping.errors())?;
        mapping.invalidate();
        if *first_page()? != *header {
            klog!("swap: {}: what is written to it is not there afterwards", self.name.as_str());
            return Err(Errno::EIO);
        }
        mapping.invalidate();
        swap().open(NewArea {
            name: &self.name,
            device: self.number,
            backing: self.device.disk().backing(),
            share: |slots| Ok(Arc::try_new(slots).map_err(|_| AllocError)?),
            pages,
            header: &header,
            priority,
            claim: AnyBox::new::<Kernel, _>(claim, GfpFlags::KERNEL)?,
        })
    }
}

/// What becomes of a disk whose first page is all zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blank {
    /// It is refused, like any that is no swap area.
    Refuse,
    /// It is made one.
    Prepare,
}

/// Has pages go to the disk at `path` too. Process context; may sleep.
///
/// # Errors
/// Those of the path; `EINVAL` for what is no block device, or none that mkswap has prepared, `ENXIO`, `EROFS`, `EBUSY`
/// (it is an area, or a program has it alone), `EPERM` (there are too many areas), `EIO`, `ENOMEM`, `EINTR`.
pub fn on(place: &Place, path: &str, priority: Option<i16>) -> Result<(), Errno> {
    Disk::find(place, path)?.swap_on(priority, Blank::Refuse)
}

/// Obeys the option `swap=`: a disk that is all zeros at its start is prepared first. `ENOENT` and those of [`on`].
pub fn init_by_option() -> Result<(), Errno> {
    let Some(path) = options::get().swap else { return Ok(()) };
    Disk::find(&Place::root(), path.as_str())?.swap_on(None, Blank::Prepare)
}

/// Has nothing on the disk at `path` any more. Process context; may sleep, for long.
///
/// # Errors
/// Those of the path; `EINVAL` for what is no area; `ENOMEM`, `EINTR`, `EIO`: it is used as before then.
pub fn off(place: &Place, path: &str) -> Result<(), Errno> {
    let (major, minor) = numbers(place, path)?;
    swap().close(number(major, minor), &mut bring_back)
}

/// Has all page tables show the pages of an area.
fn bring_back(area: u8) -> Result<(), Errno> {
    let mut failure = None;
    let brought = SPACES.unswap(area, &mut |slot| {
        failure = refusal();
        if failure.is_some() { Err(ObjectError::NoMemory) } else { swap().bring(slot) }
    });
    brought.map_err(|error| failure.unwrap_or(if error == ObjectError::NoMemory { Errno::ENOMEM } else { Errno::EIO }))
}

/// Why no more pages are brought back, if so: there is a signal, or so little memory that somebody would be ended.
/// Pages that are being written are awaited.
fn refusal() -> Option<Errno> {
    loop {
        if sched::is_called() {
            return Some(Errno::EINTR);
        }
        let gfp = GfpFlags::HIGHUSER;
        if !is_short() || page_cache().shrink(gfp, gfp.zones(), PAGES_AT_ONCE) > 0 {
            return None;
        }
        if page_cache().pending() == 0 {
            return Some(Errno::ENOMEM);
        }
        // A signal is seen above.
        let _: Result<(), _> = sched::sleep(time::TICK);
    }
}

/// Whether memory is so short that reclaim is at work.
fn is_short() -> bool {
    let zones = ZoneKind::ALL.map(|kind| memory().pages().zone_stats(kind));
    let free: usize = zones.iter().map(|zone| zone.free).sum();
    let wanted: usize = zones.iter().map(|zone| zone.marks.high).sum();
    free <= wanted
}

/// /proc/swaps.
pub fn write_areas(out: &mut dyn Write) -> fmt::Result {
    swap().write_areas(out)
}

/// /proc/sys/vm/page-cluster: how many pages are read at once, as a power of two.
pub fn show_read_ahead(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", swap().read_ahead())
}

/// Sets it. `EINVAL`.
pub fn set_read_ahead(line: &str) -> Result<(), Errno> {
    let power = line.trim().parse().map_err(|_| Errno::EINVAL)?;
    if swap().set_read_ahead(power) { Ok(()) } else { Err(Errno::EINVAL) }
}
