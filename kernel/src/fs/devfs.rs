//! /dev: the character devices that are registered now.

use alloc::sync::Arc;

use kapi::{Errno, FileId, IoBuf, OpenDevice, OpenFlags, Whence};
use mm::{GfpFlags, Pfn};

use super::filesystem::{File, FileSystem, share};
use super::node::{Entries, Entry, Kind, Stat};
use crate::chrdev::{self, Device};

/// The file system at /dev.
pub struct DevFs;

impl FileSystem for DevFs {
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        if path.is_empty() {
            return Err(Errno::EISDIR);
        }
        // Devices come with their drivers: what is not there is not made.
        let device = find(path)?;
        let mut file = OpenDevice::new(device.minor, flags);
        device.driver().open(&mut file)?;
        Ok(share(DeviceFile { file, device })?)
    }

    fn stat(&self, path: &str) -> Result<Stat, Errno> {
        if path.is_empty() {
            return Ok(Stat::DIRECTORY);
        }
        find(path).map(|device| stat_of(&device))
    }

    fn readdir(&self, path: &str) -> Result<Entries, Errno> {
        if !path.is_empty() {
            return self.stat(path).and(Err(Errno::ENOTDIR));
        }
        let mut entries = Entries::new();
        chrdev::visit(&mut |name, device| Ok(entries.push(Entry::new(name, stat_of(device))?, GfpFlags::KERNEL)?))?;
        Ok(entries)
    }

    fn unlink(&self, path: &str) -> Result<(), Errno> {
        self.stat(path).and(Err(Errno::EACCES))
    }
}

/// The device at `path`. `ENOTDIR` when it goes through a device, `ENOENT`.
fn find(path: &str) -> Result<Device, Errno> {
    match path.split_once('/') {
        None => chrdev::find(path)?.ok_or(Errno::ENOENT),
        Some((first, _)) => Err(chrdev::find(first)?.map_or(Errno::ENOENT, |_| Errno::ENOTDIR)),
    }
}

/// What is known of a device. The size is left out: asking some devices for it waits for their users.
fn stat_of(device: &Device) -> Stat {
    let (major, minor) = (device.major, device.minor.0);
    let number = u32::from(major) << 16 | u32::from(minor);
    let id = device.driver().is_storage().then_some(FileId { device: number, inode: 0 });
    Stat { kind: Kind::Device { major, minor }, size: 0, id }
}

/// An open device.
struct DeviceFile {
    // First: what it has of the driver's goes before the driver may.
    file: OpenDevice,
    device: Device,
}

impl File for DeviceFile {
    fn stat(&self) -> Result<Stat, Errno> {
        Ok(stat_of(&self.device))
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.device.driver().read(&self.file, position, buf)
    }

    fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.device.driver().write(&self.file, position, buf)
    }

    fn append(&self, buf: &mut IoBuf<'_>) -> Result<u64, Errno> {
        let end = self.device.driver().size(&self.file)?;
        Ok(end + self.write(end, buf)? as u64)
    }

    fn llseek(&self, position: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
        self.device.driver().llseek(&self.file, position, offset, whence)
    }

    fn is_stream(&self) -> bool {
        self.device.driver().is_stream()
    }

    fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        self.device.driver().ioctl(&self.file, command, argument)
    }

    fn mmap_page(&self, offset: u64) -> Result<Pfn, Errno> {
        self.device.driver().mmap_page(&self.file, offset)
    }
}

impl Drop for DeviceFile {
    fn drop(&mut self) {
        self.device.driver().release(&self.file);
    }
}
