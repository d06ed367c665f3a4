//! A directory's names, all at once.

use kapi::{Errno, OpenFlags};
use mm::GfpFlags;

use super::calls::open;
use super::node::Kind;
use super::place::Place;
use crate::mm::{KString, KVVec};

/// What a directory holds.
pub type Entries = KVVec<Entry>;

/// One name in a directory.
pub struct Entry {
    /// Its name, without the directory's.
    pub name: KString,
    /// What it is; of a link, that it is one.
    pub kind: Kind,
}

/// What the directory at `path` holds, sorted by name, without `.` and `..`.
pub fn readdir(place: &Place, path: &str) -> Result<Entries, Errno> {
    let directory = open(place, path, OpenFlags::READ | OpenFlags::DIRECTORY, 0)?;
    let mut entries = Entries::new();
    directory.read_dir(&mut |listed| {
        if !matches!(&*listed.name, "." | "..") {
            let name = KString::from_str(&listed.name, GfpFlags::KERNEL)?;
            entries.push(Entry { name, kind: listed.kind }, GfpFlags::KERNEL)?;
        }
        Ok(())
    })?;
    entries.sort_unstable_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    Ok(entries)
}
