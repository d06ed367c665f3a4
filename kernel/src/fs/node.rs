//! What a name in the tree of files stands for, in words of all file systems.

use kapi::{Errno, FileId};
use mm::GfpFlags;

use crate::mm::{KBox, KString, KVec};

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A character device.
    Device {
        /// The driver's number.
        major: u16,
        /// The device's number within the driver.
        minor: u16,
    },
    /// A pipe.
    Pipe,
}

/// What is known about a file without opening it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Bytes in it; 0 for a directory, and where that is known only once it is open.
    pub size: u64,
    /// Which file it is; `None` where nothing that is written can be read back.
    pub id: Option<FileId>,
}

impl Stat {
    /// A directory.
    pub const DIRECTORY: Self = Self { kind: Kind::Directory, size: 0, id: None };

    /// A file of `size` bytes.
    pub const fn file(size: u64) -> Self {
        Self { kind: Kind::File, size, id: None }
    }
}

/// What a directory holds: as many names as /tmp may have fit into one piece of kmalloc'ed memory.
pub type Entries = KVec<KBox<Entry>>;

/// One name in a directory.
pub struct Entry {
    /// Its name, without the directory's.
    pub name: KString,
    /// What it is.
    pub stat: Stat,
}

impl Entry {
    /// An entry; `ENOMEM`.
    pub fn new(name: &str, stat: Stat) -> Result<KBox<Self>, Errno> {
        let name = KString::from_str(name, GfpFlags::KERNEL)?;
        Ok(KBox::new(Self { name, stat }, GfpFlags::KERNEL)?)
    }
}
