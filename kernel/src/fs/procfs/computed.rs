//! Files, links and directories that are computed when somebody looks.

use alloc::sync::Arc;

use kapi::{Errno, FileId, OpenFlags};

use super::super::file::{File, share};
use super::super::node::{Attributes, Kind, Listed, Node, Stat, now};
use super::text::{self, Text};
use crate::mm::KString;

/// What is computed.
#[derive(Clone)]
pub enum Entry {
    /// A text, written when it is opened.
    Text(Arc<dyn Text>),
    /// A directory.
    Directory(Arc<dyn Directory>),
    /// A symbolic link.
    Link(Arc<dyn LinkTo>),
}

/// Something in a computed directory.
#[derive(Clone)]
pub struct Child {
    /// Its number: no other file of /proc has it, and it is not below [`FIRST_COMPUTED`](super::FIRST_COMPUTED).
    pub inode: u64,
    /// Who may do what with it.
    pub mode: u16,
    /// Its user and group.
    pub owner: (u32, u32),
    /// What it is.
    pub entry: Entry,
}

/// A directory whose names are computed. All may sleep.
pub trait Directory: Send + Sync {
    /// What is called `name`, if something is.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn child(&self, name: &str) -> Result<Option<Child>, Errno>;

    /// The first name from `place` on; 0 is the first place, and a name keeps its place. Places are below 2^48.
    ///
    /// # Errors
    /// `ENOMEM`.
    fn next(&self, place: u64) -> Result<Option<Listed>, Errno>;
}

/// A symbolic link whose text is computed. All may sleep.
pub trait LinkTo: Send + Sync {
    /// What it says.
    ///
    /// # Errors
    /// `ENOENT` when there is nothing to say, `ENOMEM`.
    fn text(&self) -> Result<KString, Errno>;

    /// What it leads to, whatever it says, if it does so: a file without a name too.
    ///
    /// # Errors
    /// `ENOENT`.
    fn target(&self) -> Result<Option<Arc<dyn Node>>, Errno> {
        Ok(None)
    }
}

impl Entry {
    const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::File,
            Self::Directory(_) => Kind::Directory,
            Self::Link(_) => Kind::Link,
        }
    }
}

/// A computed file in the directory `parent`.
struct Computed {
    parent: Arc<dyn Node>,
    child: Child,
}

/// The node of a child of `parent`. `ENOMEM`.
pub(super) fn node(parent: Arc<dyn Node>, child: Child) -> Result<Arc<dyn Node>, Errno> {
    Ok(share(Computed { parent, child })?)
}

impl Computed {
    fn directory(&self) -> Result<&dyn Directory, Errno> {
        match &self.child.entry {
            Entry::Directory(directory) => Ok(&**directory),
            Entry::Text(_) | Entry::Link(_) => Err(Errno::ENOTDIR),
        }
    }

    /// Another one of the same.
    fn again(&self) -> Result<Arc<dyn Node>, Errno> {
        node(self.parent.clone(), self.child.clone())
    }
}

impl Node for Computed {
    fn stat(&self) -> Result<Stat, Errno> {
        let links = if self.kind() == Kind::Directory { 2 } else { 1 };
        let (user, group) = self.child.owner;
        let attributes = Attributes { links, user, group, ..Attributes::new(self.kind(), self.child.mode, now()) };
        Ok(Stat::new(self.id(), attributes))
    }

    fn id(&self) -> FileId {
        FileId { device: self.parent.id().device, inode: self.child.inode }
    }

    fn kind(&self) -> Kind {
        self.child.entry.kind()
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        match self.child.entry.clone() {
            Entry::Text(text) => text::open(text, self, flags),
            Entry::Directory(_) => Err(Errno::EISDIR),
            Entry::Link(_) => Err(Errno::ELOOP),
        }
    }

    fn parent(&self) -> Result<Arc<dyn Node>, Errno> {
        Ok(self.parent.clone())
    }

    fn child(&self, name: &str) -> Result<Arc<dyn Node>, Errno> {
        let child = self.directory()?.child(name)?.ok_or(Errno::ENOENT)?;
        node(self.again()?, child)
    }

    fn next_name(&self, place: u64) -> Result<Option<Listed>, Errno> {
        self.directory()?.next(place)
    }

    fn read_link(&self) -> Result<KString, Errno> {
        match &self.child.entry {
            Entry::Link(link) => link.text(),
            Entry::Text(_) | Entry::Directory(_) => Err(Errno::EINVAL),
        }
    }

    fn target(&self) -> Result<Option<Arc<dyn Node>>, Errno> {
        match &self.child.entry {
            Entry::Link(link) => link.target(),
            Entry::Text(_) | Entry::Directory(_) => Ok(None),
        }
    }
}
