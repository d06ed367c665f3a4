//! What a name leads to: a file, a directory, a link, a device.
//!
//! Each file system has its own kind of [`Node`]. A node stays good as long as somebody has it, whatever becomes of its
//! names. Key types: [`Node`], [`Listed`], [`Make`].

use alloc::sync::Arc;

use kapi::{Errno, FileId, OpenFlags};
pub use vfs::{Attributes, Change, Follow, Kind, Name, Ownership, Replace, Stat, Stored, Timestamp};

use super::file::File;
pub use super::listed::Listed;
use crate::mm::KString;
use crate::time;

/// A file, directory, link or device of a file system. All calls may sleep.
///
/// What a node leaves out it refuses: `ENOTDIR` what only a directory can, `EPERM` what nobody may change.
pub trait Node: Send + Sync {
    /// What is known of it.
    fn stat(&self) -> Result<Stat, Errno>;

    /// Which file it is: what `stat` says, without a look at anything that changes.
    fn id(&self) -> FileId;

    /// What it is; that never changes.
    fn kind(&self) -> Kind;

    /// Opens what is no directory and no link. `flags` are for the file's driver; names are made before.
    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno>;

    /// The directory that it is in; the root's is the root. `ENOENT` where that is gone.
    fn parent(&self) -> Result<Arc<dyn Node>, Errno>;

    /// What is called `name` in this directory; `ENOENT`.
    fn child(&self, _name: &str) -> Result<Arc<dyn Node>, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// The first name in this directory from `place` on; 0 is the first place. A name keeps its place.
    fn next_name(&self, _place: u64) -> Result<Option<Listed>, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// What this link says; `EINVAL` where it is none.
    fn read_link(&self) -> Result<KString, Errno> {
        Err(Errno::EINVAL)
    }

    /// What this link leads to whatever it says, if it does so.
    fn target(&self) -> Result<Option<Arc<dyn Node>>, Errno> {
        Ok(None)
    }

    /// Makes something with the name `name` in this directory. `EEXIST`, `ENOENT`, `ENOSPC`, `ENOMEM`.
    fn make(&self, _name: &str, _owned: Ownership, _what: Make<'_>) -> Result<Arc<dyn Node>, Errno> {
        Err(self.refuse_change())
    }

    /// Gives `node`, which is of the same file system, the name `name` in this directory.
    fn link(&self, _name: &str, _node: &dyn Node) -> Result<(), Errno> {
        Err(self.refuse_change())
    }

    /// Removes a name from this directory: one of a directory, or another.
    fn remove(&self, _name: &str, _what: Remove) -> Result<(), Errno> {
        Err(self.refuse_change())
    }

    /// Gives what is called `name` in this directory the name `to` in `directory`, which is of the same file system.
    fn rename(&self, _name: &str, _directory: &dyn Node, _to: &str, _replace: Replace) -> Result<(), Errno> {
        Err(self.refuse_change())
    }

    /// Changes what is known of it.
    fn change(&self, _change: Change) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Makes its content so many bytes long: cuts it, or adds a hole. `EINVAL` where it has none.
    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Whether somebody else has a file, directory or link of its file system, as far as that counts.
    fn is_shared(&self) -> bool {
        false
    }

    /// Why its names cannot be changed.
    fn refuse_change(&self) -> Errno {
        if self.kind() == Kind::Directory { Errno::EPERM } else { Errno::ENOTDIR }
    }
}

/// What is made with a name.
#[derive(Clone, Copy)]
pub enum Make<'a> {
    /// An empty file.
    File,
    /// An empty directory.
    Directory,
    /// A link that says this.
    Link(&'a str),
    /// A character device.
    Device {
        /// The driver's number.
        major: u16,
        /// The device's number within the driver.
        minor: u16,
    },
    /// A block device.
    Block {
        /// The driver's number.
        major: u16,
        /// The device's number within the driver.
        minor: u16,
    },
    /// A pipe.
    Pipe,
}

/// What a removal is meant for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remove {
    /// An empty directory: else `ENOTDIR`, `ENOTEMPTY`.
    Directory,
    /// Anything but a directory: else `EISDIR`.
    Other,
}

/// The moment at which something changes.
pub(super) fn now() -> Timestamp {
    time::realtime().into()
}
