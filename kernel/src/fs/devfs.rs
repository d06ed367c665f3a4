//! /dev: the character devices that are registered now.
//!
//! They go by their drivers' names for them.

use alloc::sync::Arc;

use kapi::{Errno, FileId, OpenFlags};

use super::device;
use super::file::{File, share};
use super::node::{Attributes, Kind, Listed, Make, Name, Node, Remove, Stat, now};
use super::tree::next_device;
use crate::chrdev::{self, Device};

/// The number of its root; those of devices are larger.
const ROOT: u64 = 1;

/// Numbers of devices start here: major and minor follow.
const DEVICES: u64 = 1 << 32;

/// The root of a file system of the devices.
pub(super) fn new_root() -> Result<Arc<dyn Node>, Errno> {
    Ok(share(DevRoot { device: next_device() })?)
}

/// The directory.
struct DevRoot {
    device: u32,
}

impl DevRoot {
    fn node(&self, device: &Device) -> Result<Arc<dyn Node>, Errno> {
        let (major, minor) = (device.major, device.minor.0);
        Ok(share(DevNode { filesystem: self.device, major, minor })?)
    }
}

fn inode(major: u16, minor: u16) -> u64 {
    DEVICES | u64::from(major) << 16 | u64::from(minor)
}

fn attributes(kind: Kind, mode: u16, links: u32) -> Attributes {
    Attributes { links, ..Attributes::new(kind, mode, now()) }
}

impl Node for DevRoot {
    fn stat(&self) -> Result<Stat, Errno> {
        Ok(Stat::new(self.id(), attributes(Kind::Directory, 0o755, 2)))
    }

    fn id(&self) -> FileId {
        FileId { device: self.device, inode: ROOT }
    }

    fn kind(&self) -> Kind {
        Kind::Directory
    }

    fn open(self: Arc<Self>, _flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        Err(Errno::EISDIR)
    }

    /// Its own: whoever has mounted it knows more.
    fn parent(&self) -> Result<Arc<dyn Node>, Errno> {
        Ok(share(Self { device: self.device })?)
    }

    fn child(&self, name: &str) -> Result<Arc<dyn Node>, Errno> {
        self.node(&chrdev::find(name)?.ok_or(Errno::ENOENT)?)
    }

    fn next_name(&self, place: u64) -> Result<Option<Listed>, Errno> {
        chrdev::next(place, &mut |name, device, next| {
            let (major, minor) = (device.major, device.minor.0);
            let kind = Kind::Device { major, minor };
            Ok(Listed { name: Name::new(name)?, inode: inode(major, minor), kind, next })
        })
    }

    /// Devices come with their drivers: what is not there is not made.
    fn make(&self, _name: &str, _mode: u16, what: Make<'_>) -> Result<Arc<dyn Node>, Errno> {
        Err(if matches!(what, Make::File) { Errno::ENOENT } else { Errno::EPERM })
    }

    fn remove(&self, name: &str, what: Remove) -> Result<(), Errno> {
        self.child(name)?;
        Err(if what == Remove::Directory { Errno::ENOTDIR } else { Errno::EPERM })
    }
}

/// A device in it, whether its driver is still there or not.
struct DevNode {
    filesystem: u32,
    major: u16,
    minor: u16,
}

impl DevNode {
    /// The device; `ENOENT` when its driver has gone.
    fn device(&self) -> Result<Device, Errno> {
        chrdev::find_number(self.major, self.minor)?.ok_or(Errno::ENOENT)
    }
}

impl Node for DevNode {
    fn stat(&self) -> Result<Stat, Errno> {
        let stat = Stat::new(self.id(), attributes(self.kind(), 0o666, 1));
        Ok(device::fill(&self.device()?, stat))
    }

    fn id(&self) -> FileId {
        FileId { device: self.filesystem, inode: inode(self.major, self.minor) }
    }

    fn kind(&self) -> Kind {
        Kind::Device { major: self.major, minor: self.minor }
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        device::open(self.device()?, self, flags)
    }

    fn parent(&self) -> Result<Arc<dyn Node>, Errno> {
        Ok(share(DevRoot { device: self.filesystem })?)
    }

    /// A new file's content goes away here as elsewhere: a driver is told by the open.
    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}
