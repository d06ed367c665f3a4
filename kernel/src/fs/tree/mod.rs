//! File systems whose names are in memory: trees of `vfs`, each in its lock.
//!
//! What a name leads to beside directories and links is a [`Leaf`]. `/` and `/tmp` are such trees, and the fixed part of
//! `/proc`. Key types: [`TreeFs`], [`Leaf`].
//!
//! Lock order: a leaf's own locks are not taken under the tree's, nor the tree's under them.

mod leaf;
mod node;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use kapi::Errno;
use vfs::{Costs, Number, Tree};

use super::file::share;
use super::node::{Kind, Listed, Make, Node, now};
use crate::mm::Kernel;
use crate::sched::Mutex;

pub(super) use leaf::Leaf;

/// What names of this tree lead to.
pub(super) type New = vfs::New<Arc<dyn Leaf>, Kernel>;

/// What those may do who have a path.
#[derive(Clone, Copy)]
pub(super) enum Policy {
    /// Make, remove and change names.
    Open {
        /// Makes what is neither a directory nor a link.
        leaf: fn(Make<'_>) -> Result<(Kind, Arc<dyn Leaf>), Errno>,
    },
    /// Nothing: the kernel has made the names, and adds others to those of the root.
    Fixed(&'static dyn More),
}

/// Names of a root that are in no tree. All may sleep.
pub(super) trait More: Sync {
    /// What is called `name` in `root`; `ENOENT`.
    fn child(&self, root: &Arc<dyn Node>, name: &str) -> Result<Arc<dyn Node>, Errno>;

    /// The first name from `place` on; 0 is the first place.
    fn next(&self, place: u64) -> Result<Option<Listed>, Errno>;
}

/// A file system.
pub(super) struct TreeFs {
    device: u32,
    policy: Policy,
    tree: Mutex<Tree<Arc<dyn Leaf>, Kernel>>,
}

/// A number for a file system: its files are told from others' by it.
pub(super) fn next_device() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl TreeFs {
    /// A file system with an empty root that costs as `costs` say.
    pub(super) fn new(policy: Policy, mode: u16, costs: Costs) -> Result<Arc<Self>, Errno> {
        let device = next_device();
        let tree = Tree::new(device, mode, costs, now())?;
        share(Self { device, policy, tree: Mutex::new(tree) })
    }

    /// Its root.
    pub(super) fn root(self: &Arc<Self>) -> Result<Arc<dyn Node>, Errno> {
        let tree = self.tree.lock_uninterruptible()?;
        let root = tree.root();
        self.hold(tree, root)
    }

    /// Runs `f` with the tree.
    pub(super) fn with<R>(
        &self,
        f: impl FnOnce(&mut Tree<Arc<dyn Leaf>, Kernel>) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        f(&mut *self.tree.lock_uninterruptible()?)
    }

    /// The number of the directory `path`, below the root, whose missing parts are made with `mode`.
    pub(super) fn make_directories(&self, path: &str, mode: u16) -> Result<Number, Errno> {
        self.with(|tree| {
            let mut at = tree.root();
            for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
                at = match tree.child(at, name) {
                    Err(Errno::ENOENT) => tree.create(at, name, New::directory(mode), now())?,
                    found => found?,
                };
            }
            Ok(at)
        })
    }

    /// Enters what the kernel has made: `path`, whose missing directories are made.
    pub(super) fn enter(&self, path: &str, new: New) -> Result<Number, Errno> {
        let (directory, name) = split(path);
        let directory = self.make_directories(directory, 0o755)?;
        self.with(|tree| tree.create(directory, name, new, now()))
    }
}

/// The directory of `path`, and the last name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
