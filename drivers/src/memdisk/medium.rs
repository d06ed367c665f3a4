//! Where a disk in memory keeps its sectors.

use core::ops::Range;

use kapi::block::{SECTOR_SIZE, Segment};
use kapi::mm::own::{Buffer, IoMem, VmArea};
use kapi::{Errno, Hardware};

/// The memory behind a disk.
pub enum Medium<K: Hardware> {
    /// RAM that the allocators do not know, claimed.
    Hidden {
        /// Mapped for the disk.
        ram: IoMem<K>,
        /// The claim on it.
        claim: K::MemRegion,
    },
    /// Memory from vmalloc.
    Area(VmArea<K>),
    /// None: reads find zeros.
    Nothing,
}

/// The bytes of so many sectors from `sector` on.
fn bytes(sector: u64, count: u64) -> Option<Range<usize>> {
    let start = usize::try_from(sector).ok()?.checked_mul(SECTOR_SIZE)?;
    let len = usize::try_from(count).ok()?.checked_mul(SECTOR_SIZE)?;
    Some(start..start.checked_add(len)?)
}

impl<K: Hardware> Medium<K> {
    /// Copies sectors from `sector` on to the memory of `segment`. Any context. `None` when that cannot be: the page is
    /// not one of a file or a process, or the sectors are not there.
    pub(super) fn read(&self, sector: u64, segment: Segment) -> Option<()> {
        let bytes = bytes(sector, segment.sectors())?;
        let (frame, offset) = (segment.frame(), segment.offset());
        let pages = K::memory().pages();
        match self {
            Self::Hidden { ram, .. } => ram.copy_to_page(bytes, frame, offset),
            Self::Area(area) => pages.copy_to_page(frame, offset, area.bytes().get(bytes)?),
            Self::Nothing => pages.zero_page_bytes(frame, offset..offset + segment.bytes()),
        }
    }

    /// Copies the memory of `segment` to the sectors from `sector` on. As [`read`](Self::read).
    pub(super) fn write(&mut self, sector: u64, segment: Segment) -> Option<()> {
        let bytes = bytes(sector, segment.sectors())?;
        let (frame, offset) = (segment.frame(), segment.offset());
        match self {
            Self::Hidden { ram, .. } => ram.copy_from_page(bytes, frame, offset),
            Self::Area(area) => K::memory().pages().copy_from_page(frame, offset, area.bytes_mut().get_mut(bytes)?),
            Self::Nothing => Some(()),
        }
    }

    /// Copies one sector to `to`. Any context. `EINVAL` when there is none.
    pub(super) fn peek(&self, sector: u64, to: &mut [u8; SECTOR_SIZE]) -> Result<(), Errno> {
        let bytes = bytes(sector, 1).ok_or(Errno::EINVAL)?;
        match self {
            Self::Hidden { ram, .. } => ram.memcpy_fromio(to, bytes.start).ok_or(Errno::EINVAL)?,
            Self::Area(area) => to.copy_from_slice(area.bytes().get(bytes).ok_or(Errno::EINVAL)?),
            Self::Nothing => to.fill(0),
        }
        Ok(())
    }

    /// Copies `from` to one sector. As [`peek`](Self::peek).
    pub(super) fn poke(&mut self, sector: u64, from: &[u8; SECTOR_SIZE]) -> Result<(), Errno> {
        let bytes = bytes(sector, 1).ok_or(Errno::EINVAL)?;
        match self {
            Self::Hidden { ram, .. } => ram.memcpy_toio(bytes.start, from).ok_or(Errno::EINVAL)?,
            Self::Area(area) => {
                area.bytes_mut().get_mut(bytes).ok_or(Errno::EINVAL)?.copy_from_slice(from);
            }
            Self::Nothing => {}
        }
        Ok(())
    }
}
