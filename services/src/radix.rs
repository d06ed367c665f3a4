//! A radix tree: values by a sparse 64-bit index, such as a file's pages.
//!
//! The radix tree of Linux (lib/radix-tree.c): nodes of 64 slots, each of which decides six bits of the index, as many
//! levels as the largest index needs, and tags that are searched for without a look at other values. Key types:
//! [`RadixTree`], [`Tag`]. Below: `node.rs` does the work of one level, `height.rs` the arithmetic.
//!
//! Only [`insert`](RadixTree::insert) takes memory, a node at a time from kmalloc; everything else works when there is
//! none. A tree with a value at index 0 alone has no node. No call goes deeper than 11 levels. The caller locks.
//!
//! Invariants, which [`validate`](RadixTree::validate) checks:
//!  (a) no node is empty, and the tree is no higher than its largest index needs;
//!  (b) a node's bits say which slots are used, and which lead to a value with a tag.

mod height;
mod node;
mod tags;

use mm::own::Global;
use mm::{AllocError, GfpFlags};

use height::Height;
use node::{Entry, Node, Wanted};
use tags::{Change, Tags};

pub use tags::Tag;

/// Values by index.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use services::radix::{RadixTree, Tag};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut tree = RadixTree::<&str, TestKernel>::new();
/// tree.insert(3, "three", GfpFlags::KERNEL)?;
/// tree.insert(1 << 40, "far", GfpFlags::KERNEL)?;
/// assert!(tree.set_tag(1 << 40, Tag::Dirty));
/// assert_eq!(tree.next_tagged(0, Tag::Dirty), Some((1 << 40, &"far")));
/// assert_eq!(tree.remove(1 << 40), Some("far"));
/// assert!(tree.iter().eq([(3, &"three")]));
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct RadixTree<T, K: Global> {
    root: Option<Entry<T, K>>,
    /// Of the root; 0 for an empty tree.
    height: Height,
    len: usize,
}

impl<T, K: Global> RadixTree<T, K> {
    /// A tree without values, which holds no memory.
    pub const fn new() -> Self {
        Self { root: None, height: Height::VALUE, len: 0 }
    }

    /// How many values there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of a node, each of which comes from kmalloc.
    pub const NODE_BYTES: usize = size_of::<Node<T, K>>();

    /// How many nodes there are. Looks at each of them.
    pub fn nodes(&self) -> usize {
        match &self.root {
            Some(Entry::Node(node)) => node.nodes(),
            Some(Entry::Value(..)) | None => 0,
        }
    }

    /// How many nodes [`insert`](Self::insert) at `index` would make.
    pub fn missing_nodes(&self, index: u64) -> usize {
        let wanted = Height::of(index);
        match &self.root {
            None => wanted.nodes(),
            // Nodes above the root, and from the highest a path down beside it.
            Some(_) if self.height < wanted => 2 * wanted.nodes() - self.height.nodes() - 1,
            Some(Entry::Value(..)) => 0,
            Some(Entry::Node(node)) => node.missing_nodes(index, self.height),
        }
    }

    /// The root, if the tree is high enough for `index`.
    fn root_for(&self, index: u64) -> Option<&Entry<T, K>> {
        self.root.as_ref().filter(|_| self.height.reaches(index))
    }

    fn root_for_mut(&mut self, index: u64) -> Option<&mut Entry<T, K>> {
        self.root.as_mut().filter(|_| self.height.reaches(index))
    }

    /// The value at `index`.
    pub fn get(&self, index: u64) -> Option<&T> {
        match self.root_for(index)? {
            Entry::Value(value, _) => Some(value),
            Entry::Node(node) => node.get(index, self.height),
        }
    }

    /// The value at `index`, to be changed.
    pub fn get_mut(&mut self, index: u64) -> Option<&mut T> {
        let height = self.height;
        match self.root_for_mut(index)? {
            Entry::Value(value, _) => Some(value),
            Entry::Node(node) => node.get_mut(index, height),
        }
    }

    /// Puts `value` at `index` and returns the value that was there, whose tags stay. Nodes come from kmalloc with
    /// `gfp`; without memory `value` is dropped and the tree is as it was.
    pub fn insert(&mut self, index: u64, value: T, gfp: GfpFlags) -> Result<Option<T>, AllocError> {
        let inserted = self.grow(Height::of(index), gfp).and_then(|()| self.put(index, value, gfp));
        match inserted {
            Ok(None) => self.len += 1,
            Ok(Some(_)) => {}
            Err(AllocError) => self.shrink(),
        }
        inserted
    }

    /// Makes the tree `height` high, if it is lower.
    fn grow(&mut self, height: Height, gfp: GfpFlags) -> Result<(), AllocError> {
        while self.height < height && self.root.is_some() {
            let above = self.height.above();
            let mut node = Node::new(above, gfp)?;
            if let Some(root) = self.root.take() {
                node.put_first(root);
            }
            (self.root, self.height) = (Some(Entry::Node(node)), above);
        }
        self.height = self.height.max(height);
        Ok(())
    }

    /// Puts `value` at an index that the tree is high enough for.
    fn put(&mut self, index: u64, value: T, gfp: GfpFlags) -> Result<Option<T>, AllocError> {
        match &mut self.root {
            Some(Entry::Value(old, _)) => return Ok(Some(core::mem::replace(old, value))),
            Some(Entry::Node(node)) => return node.insert(index, self.height, value, gfp),
            None if self.height == Height::VALUE => self.root = Some(Entry::Value(value, Tags::default())),
            None => self.root = Some(Entry::Node(Node::path(index, self.height, value, gfp)?)),
        }
        Ok(None)
    }

    /// Makes the tree as low as its largest index allows, and frees the nodes above.
    fn shrink(&mut self) {
        while let Some(Entry::Node(node)) = &mut self.root {
            if node.is_empty() {
                self.root = None;
            } else if node.holds_first_only() {
                self.root = node.take_first();
                self.height = self.height.below();
            } else {
                return;
            }
        }
        self.height = Height::VALUE;
    }

    /// Takes the value at `index` out, with its tags.
    pub fn remove(&mut self, index: u64) -> Option<T> {
        let height = self.height;
        let value = match self.root_for_mut(index)? {
            Entry::Node(node) => node.remove(index, height)?,
            Entry::Value(..) => {
                let Some(Entry::Value(value, _)) = self.root.take() else { return None };
                value
            }
        };
        self.len -= 1;
        self.shrink();
        Some(value)
    }

    /// Takes out the first value that is not before `from`, with its index: what truncation calls until there is none.
    pub fn pop_from(&mut self, from: u64) -> Option<(u64, T)> {
        let (index, _) = self.next(from)?;
        Some((index, self.remove(index)?))
    }

    /// Drops all values that are not before `from`.
    pub fn remove_from(&mut self, from: u64) {
        while self.pop_from(from).is_some() {}
    }

    /// The first value that is not before `from`, with its index.
    pub fn next(&self, from: u64) -> Option<(u64, &T)> {
        self.find(from, Wanted::Any)
    }

    /// The first value with `tag` that is not before `from`, with its index.
    pub fn next_tagged(&self, from: u64, tag: Tag) -> Option<(u64, &T)> {
        self.find(from, Wanted::Tagged(tag))
    }

    fn find(&self, from: u64, wanted: Wanted) -> Option<(u64, &T)> {
        match (self.root_for(from)?, wanted) {
            (Entry::Value(_, tags), Wanted::Tagged(tag)) if !tags.contains(tag) => None,
            (Entry::Value(value, _), _) => Some((0, value)),
            (Entry::Node(node), _) => node.find(from, self.height, wanted),
        }
    }

    /// All values in the order of their indices.
    pub fn iter(&self) -> Iter<'_, T, K> {
        self.iter_from(0)
    }

    /// The values that are not before `from`, in the order of their indices.
    pub fn iter_from(&self, from: u64) -> Iter<'_, T, K> {
        Iter { tree: self, from: Some(from) }
    }

    /// Gives the value at `index` a tag; says whether there is a value.
    pub fn set_tag(&mut self, index: u64, tag: Tag) -> bool {
        self.change_tag(index, tag, Change::Set).is_some()
    }

    /// Takes a tag from the value at `index`; says whether there is a value.
    pub fn clear_tag(&mut self, index: u64, tag: Tag) -> bool {
        self.change_tag(index, tag, Change::Clear).is_some()
    }

    fn change_tag(&mut self, index: u64, tag: Tag, change: Change) -> Option<()> {
        let height = self.height;
        match self.root_for_mut(index)? {
            Entry::Value(_, tags) => *tags = tags.changed(tag, change),
            Entry::Node(node) => node.change_tag(index, height, tag, change)?,
        }
        Some(())
    }

    /// Whether there is a value at `index` that has `tag`.
    pub fn has_tag(&self, index: u64, tag: Tag) -> bool {
        self.root_for(index).is_some_and(|root| match root {
            Entry::Value(_, tags) => tags.contains(tag),
            Entry::Node(node) => node.tags_at(index, self.height).contains(tag),
        })
    }

    /// Checks the invariants; the text names the one that is broken.
    pub fn validate(&self) -> Result<(), &'static str> {
        let count = match &self.root {
            Some(Entry::Node(node)) if node.holds_first_only() => return Err("the tree is too high"),
            Some(Entry::Node(node)) if self.height > Height::VALUE => node.validate(self.height)?,
            Some(Entry::Value(..)) if self.height == Height::VALUE => 1,
            None if self.height == Height::VALUE => 0,
            _ => return Err("the root is not of the tree's height"),
        };
        if count == self.len { Ok(()) } else { Err("the number of values is wrong") }
    }
}

impl<T, K: Global> Default for RadixTree<T, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T, K: Global> IntoIterator for &'a RadixTree<T, K> {
    type Item = (u64, &'a T);
    type IntoIter = Iter<'a, T, K>;

    fn into_iter(self) -> Iter<'a, T, K> {
        self.iter()
    }
}

/// Values with their indices, in the order of these; what is between them is skipped.
pub struct Iter<'a, T, K: Global> {
    tree: &'a RadixTree<T, K>,
    /// Where the search goes on; `None` behind the last index.
    from: Option<u64>,
}

impl<'a, T, K: Global> Iterator for Iter<'a, T, K> {
    type Item = (u64, &'a T);

    fn next(&mut self) -> Option<(u64, &'a T)> {
        let found = self.tree.next(self.from?);
        self.from = found.and_then(|(index, _)| index.checked_add(1));
        found
    }
}
