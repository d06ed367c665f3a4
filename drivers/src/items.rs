//! A device's items: an ordered map from item number to quantum set.
//!
//! The originals keep a linked list with a node for every item up to the last, so that one byte written far out costs
//! memory and time without bound. Here an item exists only if something was written to it. The map is an AA tree
//! (A. Andersson, "Balanced Search Trees Made Simple", 1993) in which each node is one kmalloc'ed box: inserting needs
//! just the memory of the node, and freeing everything needs none.
//!
//! Invariants: (a) keys grow from left to right; (b) a left child's level is below its parent's, a right child's is not
//! above it, a right grandchild's is below; so the depth is at most twice log2 of the number of nodes.

use core::fmt;

use kapi::mm::own::{Buffer, KBox, KVec};
use kapi::mm::{AllocError, GfpFlags, Global, VirtAddr};

/// One item of a device: its quantum set, which is allocated at the first write.
pub(crate) struct Item<Q, K: Global> {
    quanta: KVec<Option<Q>, K>,
}

impl<Q: Buffer, K: Global> Item<Q, K> {
    /// An item without a quantum set.
    pub(crate) const fn new() -> Self {
        Self { quanta: KVec::new() }
    }

    /// The quantum in `slot`, if there is one.
    pub(crate) fn get(&self, slot: usize) -> Option<&Q> {
        self.quanta.get(slot)?.as_ref()
    }

    /// The quantum in `slot`, if there is one.
    pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut Q> {
        self.quanta.get_mut(slot)?.as_mut()
    }

    /// An item with a set of `qset` empty slots, 8 bytes each.
    pub(crate) fn with_set(qset: usize, gfp: GfpFlags) -> Result<Self, AllocError> {
        const { assert!(size_of::<Option<Q>>() == 8) };
        let mut quanta = KVec::with_capacity(qset, gfp)?;
        for _ in 0..qset {
            quanta.push(None, gfp)?;
        }
        Ok(Self { quanta })
    }

    /// Whether there is a set to put quanta into.
    pub(crate) fn has_set(&self) -> bool {
        !self.quanta.is_empty()
    }

    /// Bytes of memory that the set costs, without its quanta.
    pub(crate) fn set_footprint(&self) -> usize {
        self.quanta.footprint()
    }

    /// Puts `quantum` into `slot` of the set.
    pub(crate) fn put(&mut self, slot: usize, quantum: Q) {
        self.quanta[slot] = Some(quantum);
    }

    /// The quanta that exist, with their slots.
    pub(crate) fn quanta(&self) -> impl Iterator<Item = (usize, &Q)> {
        self.quanta.iter().enumerate().filter_map(|(slot, quantum)| Some((slot, quantum.as_ref()?)))
    }

    /// The item's own address.
    pub(crate) fn addr(&self) -> VirtAddr {
        VirtAddr::from_ptr(self)
    }

    /// The address of the quantum set, 0 when there is none.
    pub(crate) fn set_addr(&self) -> VirtAddr {
        if self.quanta.is_empty() { VirtAddr::new(0) } else { VirtAddr::from_ptr(self.quanta.as_ptr()) }
    }
}

/// A value and its key, ready for [`Tree::insert`] or in a tree.
pub(crate) struct Node<V, K: Global> {
    key: u64,
    level: u8,
    value: V,
    left: Link<V, K>,
    right: Link<V, K>,
}

type Link<V, K> = Option<KBox<Node<V, K>, K>>;

impl<V, K: Global> Node<V, K> {
    /// A node outside of any tree.
    pub(crate) fn new(key: u64, value: V, gfp: GfpFlags) -> Result<KBox<Self, K>, AllocError> {
        KBox::new(Self { key, level: 1, value, left: None, right: None }, gfp)
    }

    /// The value.
    pub(crate) const fn value(&self) -> &V {
        &self.value
    }

    /// The value, to be changed.
    pub(crate) const fn value_mut(&mut self) -> &mut V {
        &mut self.value
    }
}

/// An ordered map from numbers to values.
pub(crate) struct Tree<V, K: Global> {
    root: Link<V, K>,
}

impl<V, K: Global> Tree<V, K> {
    /// A map of nothing.
    pub(crate) const fn new() -> Self {
        Self { root: None }
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: u64) -> Option<&V> {
        let mut link = &self.root;
        while let Some(node) = link {
            link = match key.cmp(&node.key) {
                core::cmp::Ordering::Less => &node.left,
                core::cmp::Ordering::Equal => return Some(&node.value),
                core::cmp::Ordering::Greater => &node.right,
            };
        }
        None
    }

    /// The value of `key`.
    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        let mut link = &mut self.root;
        while let Some(node) = link {
            let node = &mut **node;
            link = match key.cmp(&node.key) {
                core::cmp::Ordering::Less => &mut node.left,
                core::cmp::Ordering::Equal => return Some(&mut node.value),
                core::cmp::Ordering::Greater => &mut node.right,
            };
        }
        None
    }

    /// The value of the largest key.
    pub(crate) fn last(&self) -> Option<&V> {
        let mut node = self.root.as_ref()?;
        while let Some(right) = &node.right {
            node = right;
        }
        Some(&node.value)
    }

    /// Calls `f` with each value, smallest key first, until it fails.
    pub(crate) fn for_each(&self, f: &mut dyn FnMut(&V) -> fmt::Result) -> fmt::Result {
        visit(&self.root, f)
    }

    /// Adds `node`, whose key must not be in the map.
    pub(crate) fn insert(&mut self, node: KBox<Node<V, K>, K>) {
        self.root = Some(insert(self.root.take(), node));
    }
}

fn visit<V, K: Global>(link: &Link<V, K>, f: &mut dyn FnMut(&V) -> fmt::Result) -> fmt::Result {
    let Some(node) = link else {
        return Ok(());
    };
    visit(&node.left, f)?;
    f(&node.value)?;
    visit(&node.right, f)
}

fn insert<V, K: Global>(link: Link<V, K>, new: KBox<Node<V, K>, K>) -> KBox<Node<V, K>, K> {
    let Some(mut node) = link else {
        return new;
    };
    let side = if new.key < node.key { &mut node.left } else { &mut node.right };
    *side = Some(insert(side.take(), new));
    split(skew(node))
}

/// Turns right where the left child has come up to its parent's level.
fn skew<V, K: Global>(mut node: KBox<Node<V, K>, K>) -> KBox<Node<V, K>, K> {
    let level = node.level;
    let Some(mut left) = node.left.take_if(|left| left.level == level) else {
        return node;
    };
    node.left = left.right.take();
    left.right = Some(node);
    left
}

/// Turns left, and lifts the middle, where three nodes in a row are on one level.
fn split<V, K: Global>(mut node: KBox<Node<V, K>, K>) -> KBox<Node<V, K>, K> {
    let level = node.level;
    let three_in_a_row = |right: &mut KBox<Node<V, K>, K>| right.right.as_ref().is_some_and(|r| r.level == level);
    let Some(mut right) = node.right.take_if(three_in_a_row) else {
        return node;
    };
    node.right = right.left.take();
    right.left = Some(node);
    right.level += 1;
    right
}

#[cfg(test)]
mod tests {
    use super::{Link, Node, Tree};
    use kapi::mm::GfpFlags;
    use kapi::mm::testing::{Machine, TestKernel};

    /// The depth of a tree whose invariants hold.
    fn depth(link: &Link<u64, TestKernel>) -> usize {
        let Some(node) = link else { return 0 };
        assert!(node.left.as_ref().is_none_or(|left| left.key < node.key && left.level < node.level));
        assert!(node.right.as_ref().is_none_or(|right| right.key > node.key && right.level <= node.level));
        let grandchild = node.right.as_ref().and_then(|right| right.right.as_ref());
        assert!(grandchild.is_none_or(|grandchild| grandchild.level < node.level));
        1 + depth(&node.left).max(depth(&node.right))
    }

    #[test]
    fn the_tree_stays_flat_whatever_the_order() {
        // Shows: K8, D8
        let _machine = TestKernel::boot(&Machine::with_mib(16));
        let orders: [fn(u64) -> u64; 3] = [|n| n, |n| 4095 - n, |n| n * 1229 % 4096];
        for key in orders {
            let mut tree = Tree::<u64, TestKernel>::new();
            for n in 0..4096 {
                tree.insert(Node::new(key(n), key(n), GfpFlags::KERNEL).expect("memory"));
            }
            assert!(depth(&tree.root) <= 2 * 12);
            assert!((0..4096).all(|key| tree.get(key) == Some(&key)));
            assert_eq!((tree.get(4096), tree.last()), (None, Some(&4095)));
        }
    }
}
