//! Where a program stands in the tree of files.
//!
//! That is its current directory, and the rights that it does not give away.

use alloc::sync::Arc;

use kapi::Errno;
use vfs::Found;

use super::mount;
use super::node::{Follow, Kind, Node, Stat};
use super::open_file::OpenFile;
use crate::mm::KString;

/// A current directory and a umask. The directory stays what it is whatever becomes of its names.
#[derive(Clone)]
pub struct Place {
    /// `None` is the root.
    directory: Option<Arc<dyn Node>>,
    umask: u16,
}

impl Place {
    /// The root, and the usual umask.
    pub const fn root() -> Self {
        Self { directory: None, umask: 0o022 }
    }

    /// The same with an open directory as the current one, for paths relative to it. `ENOTDIR`.
    pub fn at(&self, directory: &OpenFile) -> Result<Self, Errno> {
        let node = directory.node().filter(|node| node.kind() == Kind::Directory).ok_or(Errno::ENOTDIR)?;
        Ok(Self { directory: Some(node.clone()), umask: self.umask })
    }

    /// Makes the directory at `path` the current one.
    pub fn chdir(&mut self, path: &str) -> Result<(), Errno> {
        let node = self.node(path, Follow::Yes)?;
        if node.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.directory = Some(node);
        Ok(())
    }

    /// The path of the current directory; `ENOENT` when it was removed.
    pub fn getcwd(&self) -> Result<KString, Errno> {
        mount::path_of(&self.directory()?)
    }

    /// The current directory.
    pub fn directory(&self) -> Result<Arc<dyn Node>, Errno> {
        self.directory.clone().map_or_else(mount::root, Ok)
    }

    /// The rights that what is made here does not get.
    pub const fn umask(&self) -> u16 {
        self.umask
    }

    /// Sets the umask and returns the one before.
    pub const fn set_umask(&mut self, umask: u16) -> u16 {
        core::mem::replace(&mut self.umask, umask & 0o777)
    }

    /// Goes along `path`.
    pub(super) fn walk(&self, path: &str, follow: Follow) -> Result<Found<Arc<dyn Node>>, Errno> {
        let start = if path.starts_with('/') { mount::root()? } else { self.directory()? };
        mount::walk(&start, path, follow)
    }

    /// What `path` leads to. A slash behind what is no directory is `ENOTDIR`.
    pub fn node(&self, path: &str, follow: Follow) -> Result<Arc<dyn Node>, Errno> {
        let found = self.walk(path, follow)?;
        let slash = found.slash;
        let node = found.node()?;
        if slash && node.kind() != Kind::Directory { Err(Errno::ENOTDIR) } else { Ok(node) }
    }

    /// What is known of what `path` leads to.
    pub fn stat(&self, path: &str, follow: Follow) -> Result<Stat, Errno> {
        self.node(path, follow)?.stat()
    }
}
