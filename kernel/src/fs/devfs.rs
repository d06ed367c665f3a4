//! /dev: the devices that are registered now, character devices before disks.
//!
//! They go by their drivers' names for them. Behind them are the nodes that mknod made, for drivers that have numbers
//! only: these stay until somebody removes them, whatever becomes of the driver.

use alloc::sync::Arc;

use kapi::{Errno, FileId, OpenFlags};

use super::block;
use super::device;
use super::file::{File, share};
use super::node::{Attributes, Kind, Listed, Make, Name, Node, Ownership, Remove, Stat, now};
use super::tmpfs;
use super::tree::next_device;
use crate::block::Disk;
use crate::chrdev::{self, Device};

/// The number of its root; those of devices are larger.
const ROOT: u64 = 1;

/// Numbers of devices start here: major and minor follow.
const DEVICES: u64 = 1 << 32;
/// Those of disks.
const DISKS: u64 = 1 << 33;

/// Places of disks' names, behind all character devices.
const DISK_PLACES: u64 = 1 << 40;

/// Places of nodes that were made, behind all disks.
const MADE_PLACES: u64 = 1 << 41;

/// The root of a file system of the devices.
pub(super) fn new_root() -> Result<Arc<dyn Node>, Errno> {
    Ok(share(DevRoot { device: next_device(), made: tmpfs::new_root(0o755)? })?)
}

/// The directory.
#[derive(Clone)]
struct DevRoot {
    device: u32,
    /// A directory of what mknod made; it is nowhere else.
    made: Arc<dyn Node>,
}

/// What kind of node a device is.
const fn kind_of(device: &Device) -> Kind {
    Kind::Device { major: device.major, minor: device.minor.0 }
}

fn kind_of_disk(disk: &Disk) -> Kind {
    Kind::Block { major: disk.major(), minor: disk.minor() }
}

/// The number of a device's node.
const fn inode(kind: Kind) -> u64 {
    match kind {
        Kind::Device { major, minor } => DEVICES | (major as u64) << 16 | minor as u64,
        Kind::Block { major, minor } => DISKS | (major as u64) << 16 | minor as u64,
        Kind::File | Kind::Directory | Kind::Link | Kind::Pipe => ROOT,
    }
}

fn attributes(kind: Kind, mode: u16, links: u32) -> Attributes {
    Attributes { links, ..Attributes::new(kind, mode, now()) }
}

impl DevRoot {
    fn node(&self, kind: Kind) -> Result<Arc<dyn Node>, Errno> {
        Ok(share(DevNode { root: self.clone(), kind })?)
    }

    /// The device that a driver calls `name`; `None` if none does.
    fn registered(&self, name: &str) -> Result<Option<Arc<dyn Node>>, Errno> {
        let device = chrdev::find(name)?.map(|device| kind_of(&device));
        let kind = device.or_else(|| crate::block::find(name).map(|disk| kind_of_disk(&disk)));
        kind.map(|kind| self.node(kind)).transpose()
    }

    /// The first node from `place` on that was made.
    fn listed_made(&self, place: u64) -> Result<Option<Listed>, Errno> {
        let listed = self.made.next_name(place)?;
        Ok(listed.map(|listed| Listed { next: MADE_PLACES + listed.next, ..listed }))
    }

    /// The disk at `place`, if there is one, or else the first node that was made.
    fn listed_disk(&self, place: u64) -> Result<Option<Listed>, Errno> {
        let disk = usize::try_from(place).ok().and_then(crate::block::nth);
        let Some(disk) = disk else { return self.listed_made(0) };
        let kind = kind_of_disk(&disk);
        Ok(Some(Listed { name: Name::new(disk.name())?, inode: inode(kind), kind, next: DISK_PLACES + place + 1 }))
    }
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
        Ok(share(self.clone())?)
    }

    fn child(&self, name: &str) -> Result<Arc<dyn Node>, Errno> {
        self.registered(name)?.map_or_else(|| self.made.child(name), Ok)
    }

    fn next_name(&self, place: u64) -> Result<Option<Listed>, Errno> {
        if let Some(place) = place.checked_sub(MADE_PLACES) {
            return self.listed_made(place);
        }
        if let Some(place) = place.checked_sub(DISK_PLACES) {
            return self.listed_disk(place);
        }
        let listed = chrdev::next(place, &mut |name, device, next| {
            let kind = kind_of(device);
            Ok(Listed { name: Name::new(name)?, inode: inode(kind), kind, next })
        })?;
        listed.map_or_else(|| self.listed_disk(0), |listed| Ok(Some(listed)))
    }

    /// Nodes of devices alone: what else is written here is mistaken for one by its writer.
    fn make(&self, name: &str, owned: Ownership, what: Make<'_>) -> Result<Arc<dyn Node>, Errno> {
        match what {
            Make::Device { .. } | Make::Block { .. } => self.made.make(name, owned, what),
            Make::File => Err(Errno::ENOENT),
            Make::Directory | Make::Link(_) | Make::Pipe => Err(Errno::EPERM),
        }
    }

    /// Devices come and go with their drivers; what was made is removed.
    fn remove(&self, name: &str, what: Remove) -> Result<(), Errno> {
        match self.registered(name)? {
            None => self.made.remove(name, what),
            Some(_) if what == Remove::Directory => Err(Errno::ENOTDIR),
            Some(_) => Err(Errno::EPERM),
        }
    }
}

/// A device in it, whether its driver is still there or not.
struct DevNode {
    root: DevRoot,
    kind: Kind,
}

/// Rights of character devices and of disks.
const DEVICE_MODE: u16 = 0o666;
const DISK_MODE: u16 = 0o660;

/// The device; `ENOENT` when its driver has gone.
fn device(major: u16, minor: u16) -> Result<Device, Errno> {
    chrdev::find_number(major, minor)?.ok_or(Errno::ENOENT)
}

impl Node for DevNode {
    fn stat(&self) -> Result<Stat, Errno> {
        match self.kind {
            Kind::Device { major, minor } => {
                let stat = Stat::new(self.id(), attributes(self.kind, DEVICE_MODE, 1));
                Ok(device::fill(&device(major, minor)?, stat))
            }
            kind => Ok(block::fill(Stat::new(self.id(), attributes(kind, DISK_MODE, 1)))),
        }
    }

    fn id(&self) -> FileId {
        FileId { device: self.root.device, inode: inode(self.kind) }
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        match self.kind {
            Kind::Block { major, minor } => block::open(major, minor, self, flags),
            Kind::Device { major, minor } => device::open(device(major, minor)?, self, flags),
            Kind::File | Kind::Directory | Kind::Link | Kind::Pipe => Err(Errno::ENXIO),
        }
    }

    fn parent(&self) -> Result<Arc<dyn Node>, Errno> {
        Ok(share(self.root.clone())?)
    }

    /// A new file's content goes away here as elsewhere: a driver is told by the open.
    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }
}
