//! The tree of names: where each file system is, and the calls by path.

use kapi::{Errno, OpenFlags};
use mm::GfpFlags;

use super::filesystem::FileSystem;
use super::node::{Entries, Entry, Kind, Stat};
use super::open_file::OpenFile;
use super::path::Path;
use super::{devfs, procfs, tarfs, tmpfs};

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
pub fn readdir(path: &str) -> Result<Entries, Errno> {
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
