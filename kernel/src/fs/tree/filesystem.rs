//! A file system whose names are a tree in memory.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use kapi::Errno;
use vfs::{Costs, Number, Tree};

use super::super::file::share;
use super::super::node::{Kind, Listed, Make, Node, now};
use super::leaf::Leaf;
use crate::mm::Kernel;
use crate::sched::Mutex;

/// What names of this tree lead to.
pub(in crate::fs) type New = vfs::New<Arc<dyn Leaf>, Kernel>;
/// The names of a tree.
pub(in crate::fs) type Names = Tree<Arc<dyn Leaf>, Kernel>;
/// What a name has led to.
pub(in crate::fs) type Gone = vfs::Gone<Arc<dyn Leaf>, Kernel>;

/// Makes what a name shall lead to.
pub(in crate::fs) type MakeLeaf = fn(Make<'_>) -> Result<(Kind, Arc<dyn Leaf>), Errno>;

/// What those may do who have a path.
#[derive(Clone, Copy)]
pub(in crate::fs) enum Policy {
    /// Make, remove and change names.
    Open {
        /// Makes what is neither a directory nor a link.
        leaf: MakeLeaf,
    },
    /// Nothing: the kernel has made the names, and adds others to those of the root.
    Fixed(&'static dyn More),
}

/// Names of a root that are in no tree. All may sleep.
pub(in crate::fs) trait More: Sync {
    /// What is called `name` in `root`; `ENOENT`.
    fn child(&self, root: &Arc<dyn Node>, name: &str) -> Result<Arc<dyn Node>, Errno>;

    /// The first name from `place` on; 0 is the first place.
    fn next(&self, place: u64) -> Result<Option<Listed>, Errno>;
}

/// A file system.
pub(in crate::fs) struct TreeFs {
    pub(super) device: u32,
    pub(super) policy: Policy,
    pub(super) tree: Mutex<Names>,
}

/// A number for a file system: its files are told from others' by it.
pub(in crate::fs) fn next_device() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl TreeFs {
    /// A file system with an empty root that costs as `costs` say.
    pub(in crate::fs) fn new(policy: Policy, mode: u16, costs: Costs) -> Result<Arc<Self>, Errno> {
        let device = next_device();
        let tree = Tree::new(device, mode, costs, now())?;
        share(Self { device, policy, tree: Mutex::new(tree) })
    }

    /// Runs `f` with the tree.
    pub(in crate::fs) fn with<R>(&self, f: impl FnOnce(&mut Names) -> Result<R, Errno>) -> Result<R, Errno> {
        f(&mut *self.tree.lock_uninterruptible()?)
    }

    /// The number of the directory `path`, below the root, whose missing parts are made with `mode`.
    pub(in crate::fs) fn make_directories(&self, path: &str, mode: u16) -> Result<Number, Errno> {
        self.with(|tree| make_directories(tree, path, mode))
    }

    /// Enters what the kernel has made: `path`, whose missing directories are made.
    pub(in crate::fs) fn enter(&self, path: &str, new: New) -> Result<Number, Errno> {
        let (directory, name) = split(path);
        let directory = self.make_directories(directory, 0o755)?;
        self.with(|tree| tree.create(directory, name, new, now()))
    }
}

/// The number of the directory `path`, below the root, whose missing parts are made with `mode`.
pub(in crate::fs) fn make_directories(tree: &mut Names, path: &str, mode: u16) -> Result<Number, Errno> {
    let mut at = tree.root();
    for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
        at = match tree.child(at, name) {
            Err(Errno::ENOENT) => tree.create(at, name, New::directory(mode), now())?,
            found => found?,
        };
    }
    Ok(at)
}

/// The directory of `path`, and the last name.
pub(in crate::fs) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
