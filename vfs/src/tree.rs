//! A tree of names in memory, and what they lead to.
//!
//! A file is known by its number, which is never given again. It goes when no name leads to it and nobody holds it; so
//! an open file outlives its names. What goes is handed to the caller, who drops it without the tree's lock.
//! Key types: [`Tree`], [`Body`], what is behind a number.
//!
//! Invariants, which [`validate`](Tree::validate) checks:
//!  (a) each name of a directory leads to a file that exists, and a file has as many links as names lead to it;
//!  (b) a directory has one name, and is in the directory that it calls its parent; it has two links and one more for
//!      each directory in it;
//!  (c) a file without links is held, and a directory without links is empty.
//!
//! Every change that needs memory takes it first: a change that fails has changed nothing.

mod node;
pub(crate) mod rename;
mod validate;

use kapi::{Errno, FileId};
use mm::GfpFlags;
use mm::own::{Global, KBox, KString};
use services::budget::{Budget, Charge};
use services::radix::RadixTree;

use crate::attributes::{Attributes, Change, Kind, LINK_MAX, Stat, Timestamp};
use crate::directory::{Directory, Next};
use crate::name::check;

use node::ROOT;
pub use node::{Body, Gone, Named, New, Node, Number};

/// What trees may cost together.
#[derive(Clone, Copy)]
pub struct Costs {
    /// What they cost.
    pub budget: &'static Budget,
    /// How many bytes there may be, now.
    pub limit: fn() -> u64,
}

impl Costs {
    fn charge(&self, bytes: usize) -> Result<Charge<'static>, Errno> {
        Ok(self.budget.charge(bytes as u64, (self.limit)())?)
    }
}

/// What a rename does with a file that has the new name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replace {
    /// It takes its place.
    Yes,
    /// It fails with `EEXIST`.
    No,
}

/// A tree of names; `C` is what the caller keeps for each file, device or pipe.
pub struct Tree<C, K: Global> {
    device: u32,
    nodes: RadixTree<KBox<Node<C, K>, K>, K>,
    next: Number,
    costs: Costs,
}

impl<C, K: Global> Tree<C, K> {
    /// A tree with an empty root, whose files are on `device`. `ENOMEM`, `ENOSPC`.
    pub fn new(device: u32, mode: u16, costs: Costs, now: Timestamp) -> Result<Self, Errno> {
        let mut tree = Self { device, nodes: RadixTree::new(), next: ROOT, costs };
        let body = Body::Directory(Directory::new());
        let number = tree.add(ROOT, Attributes::new(Kind::Directory, mode, now), body)?;
        // Its name is the tree's.
        tree.node_mut(number)?.attributes.links = 2;
        Ok(tree)
    }

    /// The root.
    pub const fn root(&self) -> Number {
        ROOT
    }

    /// How many files there are, directories and links included.
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing but the root.
    pub const fn is_empty(&self) -> bool {
        self.nodes.len() <= 1
    }

    /// What is known of it. `ENOENT` when it is gone: so for all other calls.
    pub fn stat(&self, number: Number) -> Result<Stat, Errno> {
        let node = self.node(number)?;
        let id = FileId { device: self.device, inode: number };
        let size = match &node.body {
            Body::Link(text) => text.len() as u64,
            Body::Directory(_) | Body::Other(_) => 0,
        };
        Ok(Stat { size, ..Stat::new(id, node.attributes) })
    }

    /// What is behind the number.
    pub fn body(&self, number: Number) -> Result<&Body<C, K>, Errno> {
        Ok(&self.node(number)?.body)
    }

    /// What is called `name` in the directory. `ENOENT`, `ENOTDIR`.
    pub fn child(&self, directory: Number, name: &str) -> Result<Number, Errno> {
        self.directory(directory)?.get(name).map(|named| named.number).ok_or(Errno::ENOENT)
    }

    /// The directory that it is in; of a file with several names, one of those that it is or was in.
    pub fn parent(&self, number: Number) -> Result<Number, Errno> {
        Ok(self.node(number)?.parent)
    }

    /// The name that leads from the directory to `child`, the first of several; `ENOENT`.
    pub fn name_of(&self, directory: Number, child: Number) -> Result<&str, Errno> {
        let mut entries = self.directory(directory)?.iter();
        entries.find(|entry| entry.value.number == child).map(|entry| entry.name.as_str()).ok_or(Errno::ENOENT)
    }

    /// The first name from `place` on, and the place behind it; the first place is 0.
    pub fn next_name(&self, directory: Number, place: u64) -> Result<Next<'_, Named, K>, Errno> {
        Ok(self.directory(directory)?.next(place))
    }

    /// Makes a file with the name `name`. `EEXIST`, `ENOSPC`, `ENOMEM`; `EMLINK` where a directory has as many others
    /// in it as it may; `ENOENT` in a removed directory.
    pub fn create(&mut self, directory: Number, name: &str, new: New<C, K>, now: Timestamp) -> Result<Number, Errno> {
        let name = self.prepare(directory, name)?;
        let is_directory = new.kind == Kind::Directory;
        if is_directory {
            self.check_room_for_directory(directory)?;
        }
        let (user, group) = new.owner;
        let attributes = Attributes { user, group, ..Attributes::new(new.kind, new.mode, now) };
        let number = self.add(directory, attributes, new.body)?;
        if let Err(error) = self.enter(directory, name, number) {
            drop(self.nodes.remove(number));
            return Err(error);
        }
        self.node_mut(number)?.attributes.links = if is_directory { 2 } else { 1 };
        let parent = &mut self.node_mut(directory)?.attributes;
        parent.links += u32::from(is_directory);
        parent.change(Change::Content, now);
        Ok(number)
    }

    /// Gives a file another name. `EPERM` for a directory, `EMLINK`, and as [`create`](Self::create).
    pub fn link(&mut self, directory: Number, name: &str, file: Number, now: Timestamp) -> Result<(), Errno> {
        let name = self.prepare(directory, name)?;
        match self.node(file)?.attributes {
            Attributes { kind: Kind::Directory, .. } => return Err(Errno::EPERM),
            Attributes { links: 0, .. } => return Err(Errno::ENOENT),
            Attributes { links: LINK_MAX.., .. } => return Err(Errno::EMLINK),
            _ => {}
        }
        self.enter(directory, name, file)?;
        let node = self.node_mut(file)?;
        node.parent = directory;
        node.attributes.links += 1;
        node.attributes.changed = now;
        self.change(directory, Change::Content, now)
    }

    /// Removes a name that is not a directory's; `EISDIR`, `ENOENT`.
    pub fn unlink(&mut self, directory: Number, name: &str, now: Timestamp) -> Result<Gone<C, K>, Errno> {
        let number = self.child(directory, name)?;
        if self.node(number)?.is_directory() {
            return Err(Errno::EISDIR);
        }
        self.leave(directory, name, now)
    }

    /// Removes an empty directory; `ENOTDIR`, `ENOTEMPTY`, `ENOENT`.
    pub fn remove_directory(&mut self, directory: Number, name: &str, now: Timestamp) -> Result<Gone<C, K>, Errno> {
        let number = self.child(directory, name)?;
        if !self.directory(number)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.leave(directory, name, now)
    }

    /// Changes what is kept for it.
    pub fn change(&mut self, number: Number, change: Change, now: Timestamp) -> Result<(), Errno> {
        self.node_mut(number)?.attributes.change(change, now);
        Ok(())
    }

    /// Keeps it, whatever becomes of its names, until it is [released](Self::release).
    pub fn hold(&mut self, number: Number) -> Result<(), Errno> {
        self.node_mut(number)?.holds += 1;
        Ok(())
    }

    /// Ends a hold.
    pub fn release(&mut self, number: Number) -> Gone<C, K> {
        let node = self.nodes.get_mut(number)?;
        node.holds = node.holds.saturating_sub(1);
        self.take_unused(number)
    }

    fn take_unused(&mut self, number: Number) -> Gone<C, K> {
        if self.nodes.get(number)?.is_unused() { self.nodes.remove(number) } else { None }
    }

    fn node(&self, number: Number) -> Result<&Node<C, K>, Errno> {
        self.nodes.get(number).map(|node| &**node).ok_or(Errno::ENOENT)
    }

    fn node_mut(&mut self, number: Number) -> Result<&mut Node<C, K>, Errno> {
        self.nodes.get_mut(number).map(|node| &mut **node).ok_or(Errno::ENOENT)
    }

    fn directory(&self, number: Number) -> Result<&Directory<Named, K>, Errno> {
        match &self.node(number)?.body {
            Body::Directory(directory) => Ok(directory),
            Body::Link(_) | Body::Other(_) => Err(Errno::ENOTDIR),
        }
    }

    fn directory_mut(&mut self, number: Number) -> Result<&mut Directory<Named, K>, Errno> {
        match &mut self.node_mut(number)?.body {
            Body::Directory(directory) => Ok(directory),
            Body::Link(_) | Body::Other(_) => Err(Errno::ENOTDIR),
        }
    }

    /// Whether the name may be entered into the directory, which gets room for it; and the name to enter.
    fn prepare(&mut self, directory: Number, name: &str) -> Result<KString<K>, Errno> {
        check(name)?;
        if self.directory(directory)?.get(name).is_some() {
            return Err(Errno::EEXIST);
        }
        if self.node(directory)?.attributes.links == 0 {
            return Err(Errno::ENOENT);
        }
        let text = KString::from_str(name, GfpFlags::KERNEL)?;
        self.directory_mut(directory)?.reserve()?;
        Ok(text)
    }

    /// `EMLINK` when no other directory may be in this one.
    fn check_room_for_directory(&self, directory: Number) -> Result<(), Errno> {
        if self.node(directory)?.attributes.links < LINK_MAX { Ok(()) } else { Err(Errno::EMLINK) }
    }

    /// Enters a file that no name leads to.
    fn add(&mut self, parent: Number, attributes: Attributes, body: Body<C, K>) -> Result<Number, Errno> {
        let number = self.next;
        let charge = self.costs.charge(Node::<C, K>::cost(&body))?;
        let node = Node { attributes, body, parent, holds: 0, _charge: charge };
        self.nodes.insert(number, KBox::new(node, GfpFlags::KERNEL)?, GfpFlags::KERNEL)?;
        self.next += 1;
        Ok(number)
    }

    /// Enters a name that [`prepare`](Self::prepare) has made. On failure nothing has changed.
    fn enter(&mut self, directory: Number, name: KString<K>, number: Number) -> Result<(), Errno> {
        let charge = self.costs.charge(name.footprint() + Directory::<Named, K>::ENTRY_BYTES)?;
        Ok(self.directory_mut(directory)?.insert(name, Named { number, _charge: charge })?)
    }

    /// Takes a name out, which is there.
    fn leave(&mut self, directory: Number, name: &str, now: Timestamp) -> Result<Gone<C, K>, Errno> {
        let entry = self.directory_mut(directory)?.remove(name).ok_or(Errno::ENOENT)?;
        self.change(directory, Change::Content, now)?;
        self.lose_name(entry.value.number, directory, now)
    }

    /// A name in `directory` leads to `number` no more.
    fn lose_name(&mut self, number: Number, directory: Number, now: Timestamp) -> Result<Gone<C, K>, Errno> {
        let node = self.node_mut(number)?;
        node.attributes.changed = now;
        if node.is_directory() {
            node.attributes.links = 0;
            self.node_mut(directory)?.attributes.links -= 1;
        } else {
            node.attributes.links -= 1;
        }
        Ok(self.take_unused(number))
    }
}
