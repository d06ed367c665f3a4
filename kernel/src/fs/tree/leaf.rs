//! What a name in a tree leads to when it is neither a directory nor a link.

use alloc::sync::Arc;

use kapi::{Errno, OpenFlags};

use super::super::file::File;
use super::super::node::{Node, Stat, Stored};
use crate::mm::KString;

/// The content of a file, or what else is behind a name. All may sleep.
pub trait Leaf: Send + Sync {
    /// Opens it; `node` is what the name led to.
    fn open(self: Arc<Self>, node: Arc<dyn Node>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno>;

    /// Adds to `stat` what only it knows: the size, the memory it takes, whether it keeps what is written.
    fn fill(&self, stat: Stat) -> Result<Stat, Errno> {
        Ok(Stat { stored: Stored::No, ..stat })
    }

    /// Makes it so many bytes long; `EINVAL` where that means nothing.
    fn truncate(&self, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// What it says, if it is a link after all; `EINVAL`.
    fn text(&self) -> Result<KString, Errno> {
        Err(Errno::EINVAL)
    }

    /// What it leads to whatever it says, if it is a link that does so.
    fn target(&self) -> Result<Option<Arc<dyn Node>>, Errno> {
        Ok(None)
    }
}
