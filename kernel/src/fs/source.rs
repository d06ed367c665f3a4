//! Where an archive of files is: in QEMU's configuration device, or in memory.
//!
//! Key types: [`Source`]; [`HostFile`], which the host hands over piece by piece; [`Ramdisk`], which the bootloader
//! loaded whole: real hardware has nothing else.

use kapi::Errno;
use mm::{PAGE_SIZE, Pfn};

use crate::board::fw_cfg::FileRef;
use crate::mm::{PageRef, host_files};

/// Bytes that are read when they are wanted.
pub trait Source: Send + Sync {
    /// How many there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `into` with what begins at `offset`. Process context; may sleep. `EIO` when it cannot be read, or ends
    /// before.
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), Errno>;

    /// Fills the first `length` bytes of the page of the page cache in `frame` with what begins at `offset`; what lies
    /// behind them is left as it is. As [`read`](Self::read).
    fn read_page(&self, offset: u64, length: usize, frame: Pfn) -> Result<(), Errno> {
        let mut page = PageRef::to(frame).ok_or(Errno::EIO)?;
        page.show_mut(|bytes| self.read(offset, &mut bytes[..length.min(PAGE_SIZE)]))?
    }
}

/// A file that the host hands over. What lies in the direct map is read by DMA.
#[derive(Clone, Copy, Debug)]
pub struct HostFile(pub FileRef);

impl Source for HostFile {
    fn len(&self) -> u64 {
        self.0.size.into()
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), Errno> {
        host_files::read(self.0, offset, into)
    }

    fn read_page(&self, offset: u64, length: usize, frame: Pfn) -> Result<(), Errno> {
        host_files::read_page(self.0, offset, length, frame)
    }
}

/// Bytes in memory.
#[derive(Clone, Copy, Debug)]
pub struct Ramdisk(pub &'static [u8]);

impl Source for Ramdisk {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), Errno> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.0.get(start..).and_then(|rest| rest.get(..into.len())).ok_or(Errno::EIO)?;
        into.copy_from_slice(rest);
        Ok(())
    }
}
