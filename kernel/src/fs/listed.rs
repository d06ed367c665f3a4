//! A name, as a listing of its directory has it.

use vfs::{Kind, Name};

/// A name in a directory.
#[derive(Clone, Copy)]
pub struct Listed {
    /// The name.
    pub name: Name,
    /// The number of the file in its file system; of a directory on which another is mounted, that of the directory.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
    /// The place behind it.
    pub next: u64,
}
