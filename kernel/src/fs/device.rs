//! Character devices as files, whatever directory their name is in.

use alloc::sync::Arc;

use core::fmt;

use kapi::{Errno, Events, IoBuf, OpenDevice, OpenFlags, Whence};
use mm::{PAGE_SIZE, Pfn};

use super::file::{File, Positioning, share};
use super::mount::write_path;
use super::node::{Node, Stat, Stored};
use super::raw_device;
use super::tree::Leaf;
use crate::chrdev::{self, Device};
use crate::mm::space::{FaultAccess, ObjectError, PageSource};
use crate::sched::PollTable;

/// A device that somebody has made a name for.
pub(super) struct DeviceLeaf {
    pub(super) major: u16,
    pub(super) minor: u16,
}

impl Leaf for DeviceLeaf {
    /// `ENXIO` when there is no such driver.
    fn open(self: Arc<Self>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        let device = chrdev::find_number(self.major, self.minor)?.ok_or(Errno::ENXIO)?;
        open(device, node, flags)
    }

    fn fill(&self, stat: Stat) -> Result<Stat, Errno> {
        let device = chrdev::find_number(self.major, self.minor);
        Ok(device.ok().flatten().map_or(stat, |device| fill(&device, stat)))
    }
}

/// `stat` with what is known of the device. The size is left out: asking some devices for it waits for their users.
pub(super) fn fill(device: &Device, stat: Stat) -> Stat {
    Stat { stored: if device.driver().is_storage() { Stored::Yes } else { Stored::No }, ..stat }
}

/// Opens a device by the name that `node` stands for.
pub(super) fn open(device: Device, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
    if let Some(driver) = device.raw().cloned() {
        return raw_device::open(&*driver, device, node, flags);
    }
    let mut file = OpenDevice::new(device.minor, flags);
    device.driver().open(&mut file)?;
    let is_stream = device.driver().is_stream();
    Ok(share(DeviceFile { file, is_stream, device, node })?)
}

/// An open device.
struct DeviceFile {
    // First: what it has of the driver's goes before the driver may.
    file: OpenDevice,
    /// Asked once: each read and write wants to know.
    is_stream: bool,
    device: Device,
    node: Arc<dyn Node>,
}

impl File for DeviceFile {
    fn stat(&self) -> Result<Stat, Errno> {
        self.node.stat()
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

    fn set_flags(&self, flags: OpenFlags) {
        self.file.set_flags(flags);
    }

    fn positioning(&self) -> Positioning<'_> {
        if self.is_stream { Positioning::Stream } else { Positioning::OpenFile }
    }

    fn poll<'a>(&'a self, table: &mut PollTable<'a>) -> Events {
        self.device.poll(&self.file, table)
    }

    fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        self.device.driver().ioctl(&self.file, command, argument)
    }

    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        self.device.driver().mmap(&self.file)?;
        Ok(self)
    }
}

/// The device's own pages. The open file is the mapping's too: it is released when both are gone.
impl PageSource for DeviceFile {
    fn page(&self, index: u64, _access: FaultAccess) -> Result<Pfn, ObjectError> {
        let offset = index.checked_mul(PAGE_SIZE as u64).ok_or(ObjectError::Beyond)?;
        self.device.driver().mmap_page(&self.file, offset).map_err(|error| match error {
            Errno::ENOMEM => ObjectError::NoMemory,
            Errno::EIO => ObjectError::Io,
            _ => ObjectError::Beyond,
        })
    }

    fn mapped(&self) {
        self.device.driver().mapped(&self.file);
    }

    fn unmapped(&self) {
        self.device.driver().unmapped(&self.file);
    }

    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write_path(&self.node, out)
    }

    fn id(&self) -> (u64, u64) {
        let id = self.node.id();
        (id.device.into(), id.inode)
    }
}

impl Drop for DeviceFile {
    fn drop(&mut self) {
        self.device.driver().release(&self.file);
    }
}
