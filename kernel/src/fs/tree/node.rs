//! A file, directory or link of a tree, held.

use alloc::sync::Arc;

use kapi::{Errno, FileId, OpenFlags};
use mm::GfpFlags;
use vfs::{At, Body, Gone, Number, Tree};

use super::super::file::{File, share};
use super::super::node::{Change, Kind, Listed, Make, Name, Node, Ownership, Remove, Replace, Stat, now};
use super::filesystem::{New, Policy, TreeFs};
use super::leaf::Leaf;
use crate::mm::{KString, Kernel};
use crate::sched::MutexGuard;

/// A file that stays as long as this does, whatever becomes of its names.
pub(in crate::fs) struct TreeNode {
    fs: Arc<TreeFs>,
    number: Number,
    kind: Kind,
}

/// Places of names that are in no tree, behind all of the tree's.
const MORE: u64 = 1 << 60;

type Guard<'a> = MutexGuard<'a, Tree<Arc<dyn Leaf>, Kernel>>;

/// The root of the file system.
pub(in crate::fs) fn root(fs: &Arc<TreeFs>) -> Result<Arc<dyn Node>, Errno> {
    let tree = fs.tree.lock_uninterruptible()?;
    let root = tree.root();
    hold(fs, tree, root)
}

/// Holds what has this number, and gives the tree back.
fn hold(fs: &Arc<TreeFs>, mut tree: Guard<'_>, number: Number) -> Result<Arc<dyn Node>, Errno> {
    let kind = tree.stat(number)?.kind();
    tree.hold(number)?;
    // From here on its end releases it: with the tree's lock, which is not held then.
    let held = TreeNode { fs: fs.clone(), number, kind };
    drop(tree);
    Ok(share(held)?)
}

impl TreeNode {
    /// Changes the names, if that is allowed, and drops what is gone without the lock.
    fn change_names(
        &self,
        f: impl FnOnce(&mut Tree<Arc<dyn Leaf>, Kernel>) -> Result<Gone<Arc<dyn Leaf>, Kernel>, Errno>,
    ) -> Result<(), Errno> {
        match self.fs.policy {
            Policy::Open { .. } => self.fs.with(f).map(drop),
            Policy::Fixed(_) => Err(Errno::EPERM),
        }
    }

    fn leaf(&self) -> Result<Option<Arc<dyn Leaf>>, Errno> {
        self.fs.with(|tree| match tree.body(self.number)? {
            Body::Other(leaf) => Ok(Some(leaf.clone())),
            Body::Directory(_) | Body::Link(_) => Ok(None),
        })
    }

    /// The first name from `place` on of those that are in no tree.
    fn next_of_more(&self, place: u64) -> Result<Option<Listed>, Errno> {
        match self.fs.policy {
            Policy::Fixed(more) if self.number == self.fs.with(|tree| Ok(tree.root()))? => {
                let listed = more.next(place)?;
                Ok(listed.map(|listed| Listed { next: MORE + listed.next, ..listed }))
            }
            _ => Ok(None),
        }
    }

    /// What can be entered into the tree for `what`.
    fn prepare(&self, Ownership { user, group, mode }: Ownership, what: Make<'_>) -> Result<New, Errno> {
        let new = match (self.fs.policy, what) {
            (Policy::Fixed(_), Make::File) => return Err(Errno::ENOENT),
            (Policy::Fixed(_), _) => return Err(Errno::EPERM),
            (Policy::Open { .. }, Make::Directory) => New::directory(mode),
            (Policy::Open { .. }, Make::Link(text)) => New::link(text)?,
            (Policy::Open { leaf }, _) => {
                let (kind, leaf) = leaf(what)?;
                New::other(kind, mode, leaf)
            }
        };
        Ok(new.owned_by(user, group))
    }

    /// The number of `node`, which is of this file system.
    fn number_of(&self, node: &dyn Node) -> Result<Number, Errno> {
        let id = node.id();
        if id.device == self.fs.device { Ok(id.inode) } else { Err(Errno::EXDEV) }
    }
}

impl Node for TreeNode {
    fn stat(&self) -> Result<Stat, Errno> {
        let stat = self.fs.with(|tree| tree.stat(self.number))?;
        match self.leaf()? {
            Some(leaf) => leaf.fill(stat),
            None => Ok(stat),
        }
    }

    fn id(&self) -> FileId {
        FileId { device: self.fs.device, inode: self.number }
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> Result<Arc<dyn File>, Errno> {
        let leaf = self.leaf()?.ok_or(Errno::EISDIR)?;
        if self.kind == Kind::File && flags.contains(OpenFlags::TRUNCATE | OpenFlags::WRITE) {
            self.truncate(0)?;
        }
        leaf.open(self, flags)
    }

    fn parent(&self) -> Result<Arc<dyn Node>, Errno> {
        let tree = self.fs.tree.lock_uninterruptible()?;
        let parent = tree.parent(self.number)?;
        hold(&self.fs, tree, parent)
    }

    fn child(&self, name: &str) -> Result<Arc<dyn Node>, Errno> {
        let tree = self.fs.tree.lock_uninterruptible()?;
        match (tree.child(self.number, name), self.fs.policy) {
            (Err(Errno::ENOENT), Policy::Fixed(more)) if self.number == tree.root() => {
                drop(tree);
                more.child(&root(&self.fs)?, name)
            }
            (child, _) => hold(&self.fs, tree, child?),
        }
    }

    fn next_name(&self, place: u64) -> Result<Option<Listed>, Errno> {
        if let Some(place) = place.checked_sub(MORE) {
            return self.next_of_more(place);
        }
        let listed = self.fs.with(|tree| {
            let Some((entry, next)) = tree.next_name(self.number, place)? else { return Ok(None) };
            let (name, inode) = (Name::new(&entry.name)?, entry.value.number);
            Ok(Some(Listed { name, inode, kind: tree.stat(inode)?.kind(), next }))
        })?;
        listed.map_or_else(|| self.next_of_more(0), |listed| Ok(Some(listed)))
    }

    fn read_link(&self) -> Result<KString, Errno> {
        let leaf = self.fs.with(|tree| match tree.body(self.number)? {
            Body::Link(text) => Ok(Err(text.try_clone(GfpFlags::KERNEL)?)),
            Body::Other(leaf) => Ok(Ok(leaf.clone())),
            Body::Directory(_) => Err(Errno::EINVAL),
        })?;
        leaf.map_or_else(Ok, |leaf| leaf.text())
    }

    fn target(&self) -> Result<Option<Arc<dyn Node>>, Errno> {
        self.leaf()?.map_or(Ok(None), |leaf| leaf.target())
    }

    fn make(&self, name: &str, owned: Ownership, what: Make<'_>) -> Result<Arc<dyn Node>, Errno> {
        let new = self.prepare(owned, what)?;
        let mut tree = self.fs.tree.lock_uninterruptible()?;
        let made = tree.create(self.number, name, new, now())?;
        hold(&self.fs, tree, made)
    }

    fn link(&self, name: &str, node: &dyn Node) -> Result<(), Errno> {
        let file = self.number_of(node)?;
        self.change_names(|tree| tree.link(self.number, name, file, now()).map(|()| None))
    }

    fn remove(&self, name: &str, what: Remove) -> Result<(), Errno> {
        self.change_names(|tree| match what {
            Remove::Directory => tree.remove_directory(self.number, name, now()),
            Remove::Other => tree.unlink(self.number, name, now()),
        })
    }

    fn rename(&self, name: &str, directory: &dyn Node, to: &str, replace: Replace) -> Result<(), Errno> {
        let to = At { directory: self.number_of(directory)?, name: to };
        let from = At { directory: self.number, name };
        self.change_names(|tree| tree.rename(from, to, replace, now()))
    }

    fn change(&self, change: Change) -> Result<(), Errno> {
        match (self.fs.policy, change) {
            (Policy::Open { .. }, _) | (Policy::Fixed(_), Change::Content) => {
                self.fs.with(|tree| tree.change(self.number, change, now()))
            }
            (Policy::Fixed(_), _) => Err(Errno::EPERM),
        }
    }

    fn is_shared(&self) -> bool {
        // The kernel's own names are there for good.
        matches!(self.fs.policy, Policy::Open { .. }) && Arc::strong_count(&self.fs) > 1
    }

    fn truncate(&self, size: u64) -> Result<(), Errno> {
        self.leaf()?.ok_or(Errno::EINVAL)?.truncate(size)?;
        self.change(Change::Content)
    }
}

impl Drop for TreeNode {
    fn drop(&mut self) {
        // Only a broken lock refuses: then nothing goes any more.
        let gone = self.fs.with(|tree| Ok(tree.release(self.number)));
        drop(gone);
    }
}
