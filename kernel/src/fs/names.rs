//! Directories of file systems that only keep the full names of their files.
//!
//! A directory exists as long as some file's name goes through it. One without files has a name of its own among
//! theirs, with a slash at its end.

use kapi::Errno;
use mm::GfpFlags;

use super::node::{Entries, Entry, Stat};

/// What a path leads to.
pub(super) enum Found<T> {
    /// A file, and what the file system keeps for it.
    File(T),
    /// A directory.
    Directory,
}

impl<T> Found<T> {
    /// The file; `EISDIR` for a directory.
    pub(super) fn file(self) -> Result<T, Errno> {
        match self {
            Self::File(file) => Ok(file),
            Self::Directory => Err(Errno::EISDIR),
        }
    }
}

/// Looks `path` up. `ENOTDIR` when it goes through a file, `ENOENT`.
pub(super) fn find<'a, T>(path: &str, files: impl Iterator<Item = (&'a str, T)>) -> Result<Found<T>, Errno> {
    if path.is_empty() {
        return Ok(Found::Directory);
    }
    let mut missing = Errno::ENOENT;
    for (name, file) in files {
        if name == path {
            return Ok(Found::File(file));
        }
        if below(name, path).is_some() {
            return Ok(Found::Directory);
        }
        if below(path, name).is_some() {
            missing = Errno::ENOTDIR;
        }
    }
    Err(missing)
}

/// What the directory `path` holds.
pub(super) fn list<'a>(path: &str, files: impl Iterator<Item = (&'a str, Stat)> + Clone) -> Result<Entries, Errno> {
    if let Found::File(_) = find(path, files.clone())? {
        return Err(Errno::ENOTDIR);
    }
    let mut entries = Entries::new();
    for (name, stat) in files {
        let Some(rest) = below(name, path).filter(|rest| !rest.is_empty()) else { continue };
        let (child, stat) = match rest.split_once('/') {
            Some((directory, _)) => (directory, Stat::DIRECTORY),
            None => (rest, stat),
        };
        if entries.iter().all(|entry| entry.name.as_str() != child) {
            entries.push(Entry::new(child, stat)?, GfpFlags::KERNEL)?;
        }
    }
    Ok(entries)
}

/// The part of `name` below `directory`, if it lies there.
fn below<'a>(name: &'a str, directory: &str) -> Option<&'a str> {
    if directory.is_empty() { Some(name) } else { name.strip_prefix(directory)?.strip_prefix('/') }
}
