//! Another name, or another place, for what has one.

use kapi::Errno;
use mm::own::Global;

use super::node::{Gone, Number};
use super::{Replace, Tree};
use crate::attributes::{Change, Timestamp};

/// A name in a directory.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The directory.
    pub directory: Number,
    /// The name.
    pub name: &'a str,
}

impl<C, K: Global> Tree<C, K> {
    /// Gives what is called `from` the name `to`, and takes what had it away. Nothing happens where both are the same
    /// file. `ENOENT`, `ENOTDIR`, `EISDIR` and `ENOTEMPTY` as what has the new name demands, `EINVAL` into itself.
    pub fn rename(&mut self, from: At<'_>, to: At<'_>, replace: Replace, now: Timestamp) -> Result<Gone<C, K>, Errno> {
        let moved = self.child(from.directory, from.name)?;
        let target = match self.child(to.directory, to.name) {
            Ok(_) if replace == Replace::No => return Err(Errno::EEXIST),
            Ok(target) if target == moved => return Ok(None),
            Ok(target) => Some(target),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        let is_directory = self.node(moved)?.is_directory();
        if is_directory && self.is_within(to.directory, moved)? {
            return Err(Errno::EINVAL);
        }
        match target {
            Some(target) => {
                self.check_replaceable(target, is_directory)?;
                self.directory_mut(to.directory)?.get_mut(to.name).ok_or(Errno::ENOENT)?.number = moved;
            }
            None => {
                let name = self.prepare(to.directory, to.name)?;
                if is_directory && from.directory != to.directory {
                    self.check_room_for_directory(to.directory)?;
                }
                self.enter(to.directory, name, moved)?;
            }
        }
        drop(self.directory_mut(from.directory)?.remove(from.name));
        self.note_move(moved, from.directory, to.directory, now)?;
        match target {
            Some(target) => self.lose_name(target, to.directory, now),
            None => Ok(None),
        }
    }

    /// Whether the directory `inner` is `outer` or lies in it.
    fn is_within(&self, mut inner: Number, outer: Number) -> Result<bool, Errno> {
        while inner != outer {
            let parent = self.parent(inner)?;
            if parent == inner {
                return Ok(false);
            }
            inner = parent;
        }
        Ok(true)
    }

    /// Whether something may take the place of `target`: a directory that of an empty one, anything else that of none.
    fn check_replaceable(&self, target: Number, by_directory: bool) -> Result<(), Errno> {
        match (self.node(target)?.is_directory(), by_directory) {
            (true, false) => Err(Errno::EISDIR),
            (false, true) => Err(Errno::ENOTDIR),
            (true, true) if !self.directory(target)?.is_empty() => Err(Errno::ENOTEMPTY),
            _ => Ok(()),
        }
    }

    /// Keeps links, parents and times right for what has another place now.
    fn note_move(&mut self, moved: Number, from: Number, to: Number, now: Timestamp) -> Result<(), Errno> {
        let node = self.node_mut(moved)?;
        node.parent = to;
        node.attributes.changed = now;
        if node.is_directory() {
            self.node_mut(from)?.attributes.links -= 1;
            self.node_mut(to)?.attributes.links += 1;
        }
        self.change(from, Change::Content, now)?;
        self.change(to, Change::Content, now)
    }
}
