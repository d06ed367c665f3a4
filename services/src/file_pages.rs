//! The pages of a file that are in memory, without the lock around them.
//!
//! They are read when they are wanted, and given back when nobody maps them. The page cache of one file: its lock is
//! the caller's, who also says what is read, and from where.
//!
//! Invariant: a page is in the tree only when all of it was read; on a failure it is as if nobody had asked.

use mm::own::{CachedPage, Global};
use mm::{AllocError, GfpFlags};

use crate::radix::RadixTree;

/// A file's pages by their index.
pub struct FilePages<K: Global> {
    tree: RadixTree<CachedPage<K>, K>,
    /// Where giving back goes on.
    hand: u64,
}

impl<K: Global> FilePages<K> {
    /// None.
    pub const fn new() -> Self {
        Self { tree: RadixTree::new(), hand: 0 }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// The page at `index`, if it is in memory.
    pub fn get(&self, index: u64) -> Option<&CachedPage<K>> {
        self.tree.get(index)
    }

    /// The page at `index`, which is not in memory: `page`, once `fill` has read it. Nodes of the tree come from
    /// kmalloc, and reclaim may ask for pages meanwhile: not for these, whose lock the caller has.
    ///
    /// # Errors
    /// No memory, or what `fill` says. Then `page` is freed, and nothing has changed.
    pub fn read<E: From<AllocError>>(
        &mut self,
        index: u64,
        mut page: CachedPage<K>,
        fill: impl FnOnce(&mut CachedPage<K>) -> Result<(), E>,
    ) -> Result<&CachedPage<K>, E> {
        fill(&mut page)?;
        self.tree.insert(index, page, GfpFlags::KERNEL)?;
        Ok(self.tree.get(index).ok_or(AllocError)?)
    }

    /// Frees up to `most` pages to which nobody else has a reference, and returns how many. Each page is looked at
    /// once at most, beginning behind those that were looked at last.
    pub fn give_back(&mut self, most: usize) -> usize {
        let mut given = 0;
        for _ in 0..self.len() {
            if given == most {
                break;
            }
            let Some((index, page)) = self.tree.next(self.hand).or_else(|| self.tree.next(0)) else { break };
            self.hand = index.wrapping_add(1);
            if !page.is_shared() {
                self.tree.remove(index);
                given += 1;
            }
        }
        given
    }

    /// Looks for damage.
    ///
    /// # Errors
    /// What is wrong.
    pub fn validate(&self) -> Result<(), &'static str> {
        self.tree.validate()
    }
}

impl<K: Global> Default for FilePages<K> {
    fn default() -> Self {
        Self::new()
    }
}
