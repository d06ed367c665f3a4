//! Files: one tree of names over four small file systems, and open files.
//!
//! | directory | file system | content |
//! |---|---|---|
//! | `/` | [`tarfs`] | the initial files, read-only |
//! | `/tmp` | [`tmpfs`] | files in pages of the page allocator |
//! | `/dev` | [`devfs`] | registered character devices |
//! | `/proc` | [`procfs`] | texts written when they are opened |
//!
//! Key types: [`OpenFile`], what a program holds; [`File`], what an open file does; [`FileSystem`]. Errors are the usual
//! numbers. Everything here runs in process context and may sleep.
#![forbid(unsafe_code)]

pub mod bigfile;
pub mod devfs;
mod names;
pub mod open_file;
mod pages;
mod path;
pub mod pipe;
pub mod procfs;
pub mod tarfs;
pub mod tmpfs;

use alloc::sync::Arc;

use kapi::{Errno, OpenFlags};
use mm::GfpFlags;

use crate::mm::{KString, KVec};
use path::Path;

pub use open_file::{File, OpenFile};
pub use pipe::pipe;

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
}

impl Stat {
    /// A directory.
    pub const DIRECTORY: Self = Self { kind: Kind::Directory, size: 0 };

    /// A file of `size` bytes.
    pub const fn file(size: u64) -> Self {
        Self { kind: Kind::File, size }
    }
}

/// One name in a directory.
pub struct Entry {
    /// Its name, without the directory's.
    pub name: KString,
    /// What it is.
    pub stat: Stat,
}

impl Entry {
    /// An entry; `ENOMEM` when there is no memory for the name.
    pub fn new(name: &str, stat: Stat) -> Result<Self, Errno> {
        Ok(Self { name: KString::from_str(name, GfpFlags::KERNEL)?, stat })
    }
}

/// A tree of files. Paths are relative to its root, without leading, doubled or trailing slashes; "" is the root.
pub trait FileSystem: Sync {
    /// Opens a file, which `flags` may make or empty. Directories are `EISDIR`.
    fn open(&self, path: &str, flags: OpenFlags) -> Result<Arc<dyn File>, Errno>;

    /// What `path` is.
    fn stat(&self, path: &str) -> Result<Stat, Errno>;

    /// What the directory `path` holds, in no particular order.
    fn readdir(&self, path: &str) -> Result<KVec<Entry>, Errno>;

    /// Removes the name `path`. The file itself goes when nobody has it open any more.
    fn unlink(&self, path: &str) -> Result<(), Errno>;
}

/// The file systems beneath the root, by directory.
static MOUNTS: [(&str, &dyn FileSystem); 3] =
    [("tmp", &tmpfs::TMPFS), ("dev", &devfs::DevFs), ("proc", &procfs::ProcFs)];

/// The file system that `path` lies in, and the path there.
fn resolve(path: &str) -> (&'static dyn FileSystem, &str) {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match MOUNTS.iter().find(|(directory, _)| *directory == first) {
        Some((_, filesystem)) => (*filesystem, rest),
        None => (&tarfs::TarFs, path),
    }
}

/// Opens the file at `path`. Relative paths start at the root.
pub fn open(path: &str, flags: OpenFlags) -> Result<OpenFile, Errno> {
    let path = Path::new(path)?;
    if path.must_be_directory() {
        return match stat_of(&path) {
            Err(Errno::ENOENT) if flags.contains(OpenFlags::CREATE) => Err(Errno::EISDIR),
            Err(error) => Err(error),
            Ok(_) => Err(Errno::EISDIR),
        };
    }
    let (filesystem, rest) = resolve(path.as_str());
    OpenFile::new(filesystem.open(rest, flags)?, flags)
}

fn stat_of(path: &Path) -> Result<Stat, Errno> {
    let (filesystem, rest) = resolve(path.as_str());
    let stat = filesystem.stat(rest)?;
    if path.must_be_directory() && stat.kind != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    Ok(stat)
}

/// What `path` is.
pub fn stat(path: &str) -> Result<Stat, Errno> {
    stat_of(&Path::new(path)?)
}

/// What the directory at `path` holds, sorted by name.
pub fn readdir(path: &str) -> Result<KVec<Entry>, Errno> {
    let path = Path::new(path)?;
    let (filesystem, rest) = resolve(path.as_str());
    let mut entries = filesystem.readdir(rest)?;
    if path.as_str().is_empty() {
        for (directory, _) in &MOUNTS {
            entries.retain(|entry| entry.name.as_str() != *directory);
            entries.push(Entry::new(directory, Stat::DIRECTORY)?, GfpFlags::KERNEL)?;
        }
    }
    entries.sort_unstable_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    Ok(entries)
}

/// Removes the file at `path`.
pub fn unlink(path: &str) -> Result<(), Errno> {
    let path = Path::new(path)?;
    if stat_of(&path)?.kind == Kind::Directory {
        return Err(Errno::EISDIR);
    }
    let (filesystem, rest) = resolve(path.as_str());
    filesystem.unlink(rest)
}

/// Moves `value` into shared memory.
pub(crate) fn share<T>(value: T) -> Result<Arc<T>, Errno> {
    Arc::try_new(value).map_err(|_| Errno::ENOMEM)
}
