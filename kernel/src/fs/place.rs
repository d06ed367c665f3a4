//! Where a program stands in the tree of files.
//!
//! That is its current directory, the rights that it does not give away, and whose rights it has.

use alloc::sync::Arc;

use kapi::Errno;
use vfs::{Credentials, Found, Ownership, Rights};

use super::mount;
use super::node::{Change, Follow, Kind, Node, Stat, now};
use super::open_file::OpenFile;
use crate::mm::KString;

/// A current directory, a umask and who the program is. The directory stays what it is whatever becomes of its names.
#[derive(Clone)]
pub struct Place {
    /// `None` is the root.
    directory: Option<Arc<dyn Node>>,
    umask: u16,
    who: Credentials,
}

impl Place {
    /// The root for root, and the usual umask.
    pub const fn root() -> Self {
        Self { directory: None, umask: 0o022, who: Credentials::ROOT }
    }

    /// The same with an open directory as the current one, for paths relative to it. `ENOTDIR`.
    pub fn at(&self, directory: &OpenFile) -> Result<Self, Errno> {
        let node = directory.node().filter(|node| node.kind() == Kind::Directory).ok_or(Errno::ENOTDIR)?;
        Ok(Self { directory: Some(node.clone()), umask: self.umask, who: self.who })
    }

    /// The same for `who`.
    #[must_use]
    pub fn of(self, who: Credentials) -> Self {
        Self { who, ..self }
    }

    /// Who the program is.
    pub(super) const fn who(&self) -> &Credentials {
        &self.who
    }

    /// Makes the directory at `path` the current one. `ENOTDIR`, `EACCES`.
    pub fn chdir(&mut self, path: &str) -> Result<(), Errno> {
        let node = self.node(path, Follow::Yes)?;
        if node.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.may(&node, Rights::RUN)?;
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
        mount::walk(&self.who, &start, path, follow)
    }

    /// What `path` leads to. A slash behind what is no directory is `ENOTDIR`.
    pub fn node(&self, path: &str, follow: Follow) -> Result<Arc<dyn Node>, Errno> {
        let found = self.walk(path, follow)?;
        let slash = found.slash;
        let node = found.node()?;
        if slash && node.kind() != Kind::Directory { Err(Errno::ENOTDIR) } else { Ok(node) }
    }

    /// Whether the program may do what is `wanted` with a node; `EACCES`.
    pub fn may(&self, node: &Arc<dyn Node>, wanted: Rights) -> Result<(), Errno> {
        mount::may(&self.who, &**node, wanted)
    }

    /// Whether the program may remove a name in `directory` that leads to `node`; `EACCES`, `EPERM`.
    pub(super) fn may_remove(&self, directory: &Arc<dyn Node>, node: &Arc<dyn Node>) -> Result<(), Errno> {
        if self.who.is_root() {
            return Ok(());
        }
        vfs::may_remove(&self.who, &directory.stat()?.attributes, &node.stat()?.attributes)
    }

    /// Changes what is known of a node; `EPERM`.
    pub fn change(&self, node: &Arc<dyn Node>, change: Change) -> Result<(), Errno> {
        if !self.who.is_root() {
            vfs::may_change(&self.who, &node.stat()?.attributes, change)?;
        }
        node.change(change)
    }

    /// Sets the times of a node to now, which who may write to it may do as well; `EACCES`.
    pub fn touch(&self, node: &Arc<dyn Node>) -> Result<(), Errno> {
        let now = Some(now());
        let change = Change::Times { accessed: now, modified: now };
        match self.change(node, change) {
            Err(Errno::EPERM) if !self.who.is_root() => {
                self.may(node, Rights::WRITE)?;
                node.change(change)
            }
            changed => changed,
        }
    }

    /// What a file has that the program makes with `mode`.
    pub(super) const fn ownership(&self, mode: u16) -> Ownership {
        Ownership { user: self.who.user.effective, group: self.who.group.effective, mode }
    }

    /// What is known of what `path` leads to.
    pub fn stat(&self, path: &str, follow: Follow) -> Result<Stat, Errno> {
        self.node(path, follow)?.stat()
    }
}
