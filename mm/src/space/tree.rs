//! The areas of a space in order.
//! Which one has an address, and where there is room.
//!
//! An AA tree as that of vm areas (`areas/tree.rs`, whose invariants it has), whose nodes lie side by side in one
//! vector and know each other by their numbers: so a space is copied by one allocation, room for the nodes of a change
//! is made before it begins, and what follows cannot fail. The last node moves into the place of one that goes.
//!
//! Each subtree knows the addresses from which and up to which its areas keep others out, and the largest gap between
//! two of them, so that the highest gap that is large enough is found in one walk down.

use super::area::Area;
use super::object::Object;
use crate::addr::VirtAddr;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::own::{Global, KVVec};

/// Areas of a space, at most: as many as on Linux.
pub(super) const MOST: usize = 65_530;

/// The number of a node; [`NIL`] for none.
type Link = u32;

const NIL: Link = u32::MAX;

#[derive(Clone, Debug)]
struct Node<O> {
    area: Area<O>,
    left: Link,
    right: Link,
    level: u8,
    span: Span,
}

/// What a subtree keeps to itself: its first address, guard included, the one behind its last, its largest gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Span {
    low: usize,
    high: usize,
    gap: usize,
}

/// All areas of a space.
pub(super) struct AreaTree<K: Global, O> {
    nodes: KVVec<Node<O>, K>,
    root: Link,
    /// The node that was found last: the next address is often its too.
    last: Link,
}

impl<K: Global, O: Object> AreaTree<K, O> {
    /// No areas.
    pub(super) const fn new() -> Self {
        Self { nodes: KVVec::new(), root: NIL, last: NIL }
    }

    /// The same areas once more, of which their objects know.
    pub(super) fn try_clone(&self) -> Result<Self, AllocError> {
        let nodes = self.nodes.try_clone(GfpFlags::KERNEL)?;
        nodes.iter().for_each(|node| node.area.tell(O::mapped));
        Ok(Self { nodes, root: self.root, last: self.last })
    }

    /// Makes room for `more` areas.
    ///
    /// # Errors
    /// No memory, or more than [`MOST`].
    pub(super) fn reserve(&mut self, more: usize) -> Result<(), AllocError> {
        if self.nodes.len() + more > MOST {
            return Err(AllocError);
        }
        self.nodes.reserve(more, GfpFlags::KERNEL)
    }

    /// The area that has `at`.
    #[inline]
    pub(super) fn find(&mut self, at: VirtAddr) -> Option<&Area<O>> {
        let has = |node: &&Node<O>| node.area.start <= at && at < node.area.end;
        if self.nodes.get(self.last as usize).filter(has).is_none() {
            let found = self.first_after(at);
            self.nodes.get(found as usize).filter(has)?;
            self.last = found;
        }
        self.nodes.get(self.last as usize).map(|node| &node.area)
    }

    /// The lowest area that ends behind `at`: the one that has it, or else the next.
    pub(super) fn next(&self, at: VirtAddr) -> Option<&Area<O>> {
        self.nodes.get(self.first_after(at) as usize).map(|node| &node.area)
    }

    /// The highest area that starts below `at`.
    pub(super) fn before(&self, at: VirtAddr) -> Option<&Area<O>> {
        let (mut tree, mut best) = (self.root, NIL);
        while let Some(node) = self.nodes.get(tree as usize) {
            if node.area.start < at {
                (best, tree) = (tree, node.right);
            } else {
                tree = node.left;
            }
        }
        self.nodes.get(best as usize).map(|node| &node.area)
    }

    /// The areas in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Area<O>> {
        let mut at = Some(VirtAddr::new(0));
        core::iter::from_fn(move || {
            let area = self.next(at?)?;
            at = Some(area.end);
            Some(area)
        })
    }

    /// The highest address from which on `bytes` are free, all of them in `from..to`.
    pub(super) fn highest_gap(&self, bytes: usize, from: VirtAddr, to: VirtAddr) -> Option<VirtAddr> {
        let bounds = (from.as_usize(), to.as_usize());
        self.highest_in(self.root, bytes, bounds, bounds).map(VirtAddr::new)
    }

    /// The same in a subtree, whose areas lie between the addresses `around`.
    fn highest_in(&self, tree: Link, bytes: usize, around: (usize, usize), bounds: (usize, usize)) -> Option<usize> {
        let Some(node) = self.nodes.get(tree as usize) else {
            let (from, to) = (around.0.max(bounds.0), around.1.min(bounds.1));
            return (to.checked_sub(from)? >= bytes).then(|| to - bytes);
        };
        let Span { low, high, gap } = node.span;
        let most = gap.max(low.saturating_sub(around.0)).max(around.1.saturating_sub(high));
        if most < bytes || around.0 >= bounds.1 || around.1 <= bounds.0 {
            return None;
        }
        self.highest_in(node.right, bytes, (node.area.end.as_usize(), around.1), bounds)
            .or_else(|| self.highest_in(node.left, bytes, (around.0, node.area.low().as_usize()), bounds))
    }

    /// Adds an area, for which [`reserve`](Self::reserve) has made room, where no other is.
    pub(super) fn insert(&mut self, area: Area<O>) {
        let span = Span { low: area.low().as_usize(), high: area.end.as_usize(), gap: 0 };
        let new = self.nodes.len() as Link;
        let pushed = self.nodes.push(Node { area, left: NIL, right: NIL, level: 1, span }, GfpFlags::KERNEL);
        debug_assert!(pushed.is_ok(), "room was made");
        if pushed.is_ok() {
            self.root = self.insert_in(self.root, new);
        }
    }

    /// Takes out the area that starts at `start`.
    pub(super) fn remove(&mut self, start: VirtAddr) -> Option<Area<O>> {
        let gone = self.at(start)?;
        self.root = self.remove_in(self.root, gone);
        let last = (self.nodes.len() - 1) as Link;
        if gone != last {
            self.redirect(last, gone);
        }
        self.last = NIL;
        self.nodes.swap_remove(gone as usize).map(|node| node.area)
    }

    /// Changes the area that starts at `start`, which keeps its place in the order and overlaps no other; returns what
    /// `change` does.
    pub(super) fn change<R>(&mut self, start: VirtAddr, change: impl FnOnce(&mut Area<O>) -> R) -> Option<R> {
        let changed = self.at(start)?;
        let result = change(&mut self.nodes[changed as usize].area);
        self.refresh(self.root, changed);
        Some(result)
    }

    /// The node of the area that starts at `start`.
    fn at(&self, start: VirtAddr) -> Option<Link> {
        let found = self.first_after(start);
        self.nodes.get(found as usize).filter(|node| node.area.start == start).map(|_| found)
    }

    fn first_after(&self, at: VirtAddr) -> Link {
        let (mut tree, mut best) = (self.root, NIL);
        while let Some(node) = self.nodes.get(tree as usize) {
            if node.area.end > at {
                (best, tree) = (tree, node.left);
            } else {
                tree = node.right;
            }
        }
        best
    }

    /// Has what leads to the node `from` lead to `to`.
    fn redirect(&mut self, from: Link, to: Link) {
        if self.root == from {
            self.root = to;
            return;
        }
        let mut tree = self.root;
        while tree != NIL {
            let goes_left = self.is_left_of(from, tree);
            let node = &mut self.nodes[tree as usize];
            let next = if goes_left { &mut node.left } else { &mut node.right };
            if *next == from {
                *next = to;
                return;
            }
            tree = *next;
        }
    }

    /// Whether the area of a node lies below that of another.
    fn is_left_of(&self, node: Link, other: Link) -> bool {
        self.nodes[node as usize].area.start < self.nodes[other as usize].area.start
    }

    /// Brings the spans on the way to a node up to date.
    fn refresh(&mut self, tree: Link, changed: Link) {
        if tree != changed && tree != NIL {
            let node = &self.nodes[tree as usize];
            let next = if self.is_left_of(changed, tree) { node.left } else { node.right };
            self.refresh(next, changed);
        }
        self.update(tree);
    }

    /// What the span of a node should be, from those of its children.
    fn span(&self, tree: Link) -> Span {
        let node = &self.nodes[tree as usize];
        let (own_low, own_high) = (node.area.low().as_usize(), node.area.end.as_usize());
        let mut span = Span { low: own_low, high: own_high, gap: 0 };
        if let Some(left) = self.nodes.get(node.left as usize) {
            span.low = left.span.low;
            span.gap = left.span.gap.max(own_low.saturating_sub(left.span.high));
        }
        if let Some(right) = self.nodes.get(node.right as usize) {
            span.high = right.span.high;
            span.gap = span.gap.max(right.span.gap).max(right.span.low.saturating_sub(own_high));
        }
        span
    }

    fn update(&mut self, tree: Link) {
        if tree != NIL {
            self.nodes[tree as usize].span = self.span(tree);
        }
    }

    /// The level of a subtree; 0 if it is empty.
    fn level(&self, tree: Link) -> u8 {
        self.nodes.get(tree as usize).map_or(0, |node| node.level)
    }

    fn left(&self, tree: Link) -> Link {
        self.nodes.get(tree as usize).map_or(NIL, |node| node.left)
    }

    fn right(&self, tree: Link) -> Link {
        self.nodes.get(tree as usize).map_or(NIL, |node| node.right)
    }

    fn insert_in(&mut self, tree: Link, new: Link) -> Link {
        if tree == NIL {
            return new;
        }
        if self.is_left_of(new, tree) {
            let left = self.insert_in(self.left(tree), new);
            self.nodes[tree as usize].left = left;
        } else {
            let right = self.insert_in(self.right(tree), new);
            self.nodes[tree as usize].right = right;
        }
        let tree = self.skew(tree);
        self.split(tree)
    }

    /// Brings the span of a subtree up to date whose children changed, and turns right where the left child is on the
    /// root's level; returns the new root.
    fn skew(&mut self, tree: Link) -> Link {
        let left = self.left(tree);
        if left == NIL || self.level(left) != self.level(tree) {
            self.update(tree);
            return tree;
        }
        self.nodes[tree as usize].left = self.right(left);
        self.update(tree);
        self.nodes[left as usize].right = tree;
        self.update(left);
        left
    }

    /// Turns left, and lifts the middle, where three areas in a row are on one level; returns the new root.
    fn split(&mut self, tree: Link) -> Link {
        let right = self.right(tree);
        if tree == NIL || right == NIL || self.level(self.right(right)) != self.level(tree) {
            return tree;
        }
        self.nodes[tree as usize].right = self.left(right);
        self.update(tree);
        self.nodes[right as usize].left = tree;
        self.nodes[right as usize].level += 1;
        self.update(right);
        right
    }

    /// Unlinks a node from a subtree that has it; returns the new root.
    fn remove_in(&mut self, tree: Link, gone: Link) -> Link {
        if tree == NIL {
            return NIL;
        }
        if tree != gone {
            if self.is_left_of(gone, tree) {
                let left = self.remove_in(self.left(tree), gone);
                self.nodes[tree as usize].left = left;
            } else {
                let right = self.remove_in(self.right(tree), gone);
                self.nodes[tree as usize].right = right;
            }
            return self.lower(tree);
        }
        let (left, right) = (self.left(tree), self.right(tree));
        // Without a left child it is on level 1, and all below it is at most one area.
        if left == NIL || right == NIL {
            return right;
        }
        let (next, rest) = self.take_first(right);
        let level = self.level(tree);
        let node = &mut self.nodes[next as usize];
        (node.left, node.right, node.level) = (left, rest, level);
        self.lower(next)
    }

    /// Unlinks the lowest node of a subtree; returns it and the new root.
    fn take_first(&mut self, tree: Link) -> (Link, Link) {
        let left = self.left(tree);
        if left == NIL {
            return (tree, self.right(tree));
        }
        let (first, rest) = self.take_first(left);
        self.nodes[tree as usize].left = rest;
        (first, self.lower(tree))
    }

    /// Restores a subtree one of whose children may have come down a level; returns the new root.
    fn lower(&mut self, tree: Link) -> Link {
        let most = self.level(self.left(tree)).min(self.level(self.right(tree))) + 1;
        if self.level(tree) > most {
            self.nodes[tree as usize].level = most;
            let right = self.right(tree);
            if self.level(right) > most {
                self.nodes[right as usize].level = most;
            }
        }
        // Up to five areas in a row are on one level now.
        let tree = self.skew(tree);
        if self.right(tree) != NIL {
            let right = self.skew(self.right(tree));
            self.nodes[tree as usize].right = right;
            if self.right(right) != NIL {
                let far = self.skew(self.right(right));
                self.nodes[right as usize].right = far;
            }
        }
        let tree = self.split(tree);
        let right = self.split(self.right(tree));
        self.nodes[tree as usize].right = right;
        tree
    }

    /// Takes an area out, whichever; the tree is of no use afterwards but for this.
    pub(super) fn pop(&mut self) -> Option<Area<O>> {
        self.root = NIL;
        self.nodes.pop().map(|node| node.area)
    }

    /// Checks the invariants; returns the first that is broken.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        let (mut before, mut count, mut sorted) = (VirtAddr::new(0), 0, true);
        for area in self.iter() {
            sorted &= before <= area.start && area.start < area.end;
            (before, count) = (area.end, count + 1);
        }
        let links = 0..self.nodes.len() as Link;
        let balanced = links.clone().all(|tree| {
            let (own, left, right) = (self.level(tree), self.level(self.left(tree)), self.level(self.right(tree)));
            left + 1 == own && (right == own || right + 1 == own) && self.level(self.right(self.right(tree))) < own
        });
        let summed = links.clone().all(|tree| self.span(tree) == self.nodes[tree as usize].span);
        match (sorted && count == self.nodes.len(), balanced, summed) {
            (true, true, true) => Ok(()),
            (false, ..) => Err("areas overlap, are out of order, or are not in the tree"),
            (_, false, _) => Err("the tree of areas is out of balance"),
            (.., false) => Err("a subtree of areas has the wrong bounds or gap"),
        }
    }
}
