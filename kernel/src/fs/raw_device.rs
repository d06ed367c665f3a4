//! Devices whose drivers have open files of their own, as files.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;

use kapi::{Errno, Events, IoBuf, OpenFlags, Whence};
use mm::Pfn;
use spin::Once;

use super::file::{File, Positioned, Positioning, share};
use super::mount::write_path;
use super::node::{Node, Stat};
use crate::chrdev::{Device, RawDriver, RawFile, RawMapping, Wanted};
use crate::mm::space::{FaultAccess, MappedArea, ObjectError, PageSource};
use crate::sched::PollTable;

/// An open device.
struct RawDeviceFile {
    // First: its release is the driver's code.
    file: Arc<dyn RawFile>,
    _device: Device,
    node: Arc<dyn Node>,
}

/// Opens a device of `driver` by the name that `node` stands for.
pub(super) fn open(
    driver: &dyn RawDriver,
    device: Device,
    node: Arc<dyn Node>,
    flags: OpenFlags,
) -> Result<Arc<dyn File>, Errno> {
    let file = driver.open_file(device.major, device.minor, flags)?;
    Ok(share(RawDeviceFile { file, _device: device, node })?)
}

impl File for RawDeviceFile {
    fn stat(&self) -> Result<Stat, Errno> {
        self.node.stat()
    }

    fn read(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.file.read(Some(position), buf)
    }

    fn write(&self, position: u64, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.file.write(Some(position), buf)
    }

    fn positioning(&self) -> Positioning<'_> {
        Positioning::Itself(self)
    }

    fn sync(&self, _range: Range<u64>) -> Result<(), Errno> {
        self.file.sync()
    }

    fn set_flags(&self, flags: OpenFlags) {
        self.file.set_flags(flags);
    }

    fn set_async(&self, descriptor: i32, wanted: Wanted) -> Result<(), Errno> {
        self.file.set_async(descriptor, wanted)
    }

    fn set_owner(&self, owner: i32) {
        self.file.set_owner(owner);
    }

    fn poll<'a>(&'a self, table: &mut PollTable<'a>) -> Events {
        self.file.poll(table)
    }

    fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        self.file.ioctl(command, argument)
    }

    fn page_source(self: Arc<Self>) -> Result<Arc<dyn PageSource>, Errno> {
        if !self.file.can_be_mapped() {
            return Err(Errno::ENODEV);
        }
        Ok(share(Shown { mapping: Once::new(), file: self })?)
    }
}

impl Positioned for RawDeviceFile {
    fn read(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.file.read(None, buf)
    }

    fn write(&self, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.file.write(None, buf)
    }

    fn llseek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        self.file.llseek(offset, whence)
    }
}

/// What one mmap shows of it. The driver is asked once the area has its place; before, there is nothing to see.
struct Shown {
    mapping: Once<Box<dyn RawMapping>>,
    file: Arc<RawDeviceFile>,
}

impl PageSource for Shown {
    fn placed(&self, area: MappedArea) -> Result<(), Errno> {
        let mapping = self.file.file.clone().map(area)?;
        self.mapping.call_once(|| mapping);
        Ok(())
    }

    fn page(&self, index: u64, _access: FaultAccess) -> Result<Pfn, ObjectError> {
        let mapping = self.mapping.get().ok_or(ObjectError::Beyond)?;
        mapping.page(index).map_err(|error| match error {
            Errno::ENOMEM => ObjectError::NoMemory,
            _ => ObjectError::Beyond,
        })
    }

    /// A driver is asked once for a page.
    fn tracks_writes(&self) -> bool {
        false
    }

    fn mapped(&self) {
        if let Some(mapping) = self.mapping.get() {
            mapping.mapped();
        }
    }

    fn unmapped(&self) {
        if let Some(mapping) = self.mapping.get() {
            mapping.unmapped();
        }
    }

    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write_path(&self.file.node, out)
    }

    fn id(&self) -> (u64, u64) {
        let id = self.file.node.id();
        (id.device.into(), id.inode)
    }
}
