//! The tree of vm areas: first fit and look-up, both O(log n) at worst.
//!
//! An AA tree (A. Andersson, "Balanced Search Trees Made Simple", 1993) ordered by address. Each subtree knows where it
//! starts and ends and the largest gap between two of its areas, so the lowest gap that is large enough is found in one
//! walk down.
//!
//! Invariants (checked by [`AreaTree::validate`]): addresses ascend in order and areas do not overlap; a left child is
//! one level below its parent, a right child on its level or one below, a right grandchild below (no child: level 0),
//! so that the depth is at most twice log2 of the number of areas; the three values of each subtree are those of its
//! areas; all areas lie in the tree's range.

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::areas::area::{AreaRef, AreaState, Fit, VmArea};

/// All areas in a range of addresses.
pub(super) struct AreaTree {
    start: VirtAddr,
    end: VirtAddr,
    root: Option<AreaRef>,
}

type Link = Option<AreaRef>;

impl AreaTree {
    /// An empty tree for the addresses `start..end`.
    pub(super) const fn new(start: VirtAddr, end: VirtAddr) -> Self {
        Self { start, end, root: None }
    }

    /// A range for `pages` pages and their guard page that starts at a multiple of `align`, a power of two and at least
    /// a page: in the lowest gap that has room for them wherever it starts, or else, in O(n), in the lowest one that
    /// has room where it starts.
    pub(super) fn find_gap(&self, Fit { pages, align }: Fit) -> Option<VirtAddr> {
        let bytes = pages.checked_add(1)?.checked_mul(PAGE_SIZE)?;
        let roomy = bytes.checked_add(align - PAGE_SIZE).and_then(|bytes| self.lowest_gap(bytes));
        match roomy {
            Some(start) => Some(VirtAddr::new(start.as_usize().next_multiple_of(align))),
            None if align > PAGE_SIZE => self.lowest_aligned(bytes, align),
            None => None,
        }
    }

    /// The lowest multiple of `align` from which on `bytes` are free.
    fn lowest_aligned(&self, bytes: usize, align: usize) -> Option<VirtAddr> {
        let fit = |from: VirtAddr, to: VirtAddr| {
            let start = from.as_usize().checked_next_multiple_of(align)?;
            (start.checked_add(bytes)? <= to.as_usize()).then_some(VirtAddr::new(start))
        };
        let (mut from, mut found) = (self.start, None);
        self.for_each(&mut |area| {
            found = found.or_else(|| fit(from, area.start));
            from = area.end();
        });
        found.or_else(|| fit(from, self.end))
    }

    /// The lowest gap of at least `bytes`.
    fn lowest_gap(&self, bytes: usize) -> Option<VirtAddr> {
        let gap = |from: VirtAddr, to: VirtAddr| to.as_usize() - from.as_usize() >= bytes;
        let Some(root) = self.root else {
            return gap(self.start, self.end).then_some(self.start);
        };
        if gap(self.start, root.first.get()) {
            return Some(self.start);
        }
        if root.max_gap.get() < bytes {
            return gap(root.last.get(), self.end).then_some(root.last.get());
        }
        lowest_gap(root, bytes)
    }

    /// Adds an area whose range came from [`find_gap`](Self::find_gap); `write` puts the descriptor into its memory.
    pub(super) fn insert(&mut self, area: VmArea, write: impl FnOnce(VmArea) -> AreaRef) -> AreaRef {
        let area = write(area);
        update(area);
        self.root = Some(insert(self.root, area));
        area
    }

    /// Removes an area.
    pub(super) fn remove(&mut self, area: AreaRef) {
        self.root = remove(self.root, area);
    }

    /// The area that holds `addr`, guard page included, whatever its state.
    pub(super) fn find(&self, addr: VirtAddr) -> Option<AreaRef> {
        let mut at = self.root;
        while let Some(area) = at {
            if addr < area.start {
                at = area.left.get();
            } else if addr >= area.end() {
                at = area.right.get();
            } else {
                return Some(area);
            }
        }
        None
    }

    /// The lowest area that starts at `addr` or above and is not free.
    pub(super) fn first_from(&self, addr: VirtAddr) -> Option<AreaRef> {
        let mut area = self.next_from(addr)?;
        while area.state() == AreaState::Free {
            area = self.next_from(area.end())?;
        }
        Some(area)
    }

    /// The lowest area that starts at `addr` or above, whatever its state.
    fn next_from(&self, addr: VirtAddr) -> Option<AreaRef> {
        let (mut at, mut best) = (self.root, None);
        while let Some(area) = at {
            if area.start < addr {
                at = area.right.get();
            } else {
                best = at;
                at = area.left.get();
            }
        }
        best
    }

    /// Calls `f` with each area, lowest address first.
    pub(super) fn for_each(&self, f: &mut impl FnMut(AreaRef)) {
        visit(self.root, f);
    }

    /// Checks the invariants above; returns the one that is broken.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        let (mut before, mut sorted, mut balanced, mut summed) = (self.start, true, true, true);
        self.for_each(&mut |area| {
            sorted &= before <= area.start && area.end() <= self.end;
            balanced &= is_balanced(area);
            summed &= summary(area) == (area.first.get(), area.last.get(), area.max_gap.get());
            before = area.end();
        });
        match (sorted, balanced, summed) {
            (true, true, true) => Ok(()),
            (false, ..) => Err("vm areas overlap or are out of order"),
            (_, false, _) => Err("the tree of vm areas is out of balance"),
            (.., false) => Err("a subtree of vm areas has the wrong bounds or gap"),
        }
    }
}

/// The lowest gap of at least `bytes` between two areas of a subtree that has one.
fn lowest_gap(area: AreaRef, bytes: usize) -> Option<VirtAddr> {
    let (left, right) = (area.left.get(), area.right.get());
    if let Some(left) = left {
        if left.max_gap.get() >= bytes {
            return lowest_gap(left, bytes);
        }
        if area.start.as_usize() - left.last.get().as_usize() >= bytes {
            return Some(left.last.get());
        }
    }
    let right = right?;
    if right.first.get().as_usize() - area.end().as_usize() >= bytes {
        return Some(area.end());
    }
    lowest_gap(right, bytes)
}

/// First address, last address and largest gap of a subtree, from its root and the values of its children.
fn summary(area: AreaRef) -> (VirtAddr, VirtAddr, usize) {
    let (mut first, mut last, mut gap) = (area.start, area.end(), 0);
    if let Some(left) = area.left.get() {
        first = left.first.get();
        gap = left.max_gap.get().max(area.start.as_usize() - left.last.get().as_usize());
    }
    if let Some(right) = area.right.get() {
        last = right.last.get();
        gap = gap.max(right.max_gap.get()).max(right.first.get().as_usize() - area.end().as_usize());
    }
    (first, last, gap)
}

fn update(area: AreaRef) {
    let (first, last, gap) = summary(area);
    area.first.set(first);
    area.last.set(last);
    area.max_gap.set(gap);
}

/// The level of a subtree; 0 if it is empty.
fn level(tree: Link) -> u8 {
    tree.map_or(0, |root| root.level.get())
}

/// Whether the levels of an area and its children keep the invariant.
fn is_balanced(area: AreaRef) -> bool {
    let (own, left, right) = (level(Some(area)), level(area.left.get()), level(area.right.get()));
    let far = area.right.get().map_or(0, |right| level(right.right.get()));
    left + 1 == own && (right == own || right + 1 == own) && far < own
}

fn insert(tree: Link, area: AreaRef) -> AreaRef {
    let Some(root) = tree else { return area };
    let side = if area.start < root.start { &root.left } else { &root.right };
    side.set(Some(insert(side.get(), area)));
    split(skew(root))
}

/// Brings the values of a subtree up to date whose children changed, and turns right where the left child is on the
/// root's level; returns the new root.
fn skew(root: AreaRef) -> AreaRef {
    let Some(left) = root.left.get().filter(|left| left.level == root.level) else {
        update(root);
        return root;
    };
    root.left.set(left.right.get());
    update(root);
    left.right.set(Some(root));
    update(left);
    left
}

/// Turns left, and lifts the middle, where three areas in a row are on one level; returns the new root.
fn split(root: AreaRef) -> AreaRef {
    let far = |right: &AreaRef| level(right.right.get()) == root.level.get();
    let Some(right) = root.right.get().filter(far) else { return root };
    root.right.set(right.left.get());
    update(root);
    right.left.set(Some(root));
    right.level.set(right.level.get() + 1);
    update(right);
    right
}

/// Removes an area from a subtree that has it; returns the new root.
fn remove(tree: Link, area: AreaRef) -> Link {
    let root = tree?;
    if root != area {
        let side = if area.start < root.start { &root.left } else { &root.right };
        side.set(remove(side.get(), area));
        return Some(lower(root));
    }
    // Without a left child it is on level 1, and all below it is at most one area.
    let (Some(_), Some(right)) = (root.left.get(), root.right.get()) else { return root.right.get() };
    let (next, rest) = take_first(right);
    next.left.set(root.left.get());
    next.right.set(rest);
    next.level.set(root.level.get());
    Some(lower(next))
}

/// Removes the lowest area from a subtree; returns it and the new root.
fn take_first(root: AreaRef) -> (AreaRef, Link) {
    let Some(left) = root.left.get() else { return (root, root.right.get()) };
    let (first, rest) = take_first(left);
    root.left.set(rest);
    (first, Some(lower(root)))
}

/// Restores a subtree one of whose children may have come down a level; returns the new root.
fn lower(root: AreaRef) -> AreaRef {
    let most = level(root.left.get()).min(level(root.right.get())) + 1;
    if root.level.get() > most {
        root.level.set(most);
        if let Some(right) = root.right.get().filter(|right| right.level.get() > most) {
            right.level.set(most);
        }
    }
    // Up to five areas in a row are on one level now.
    let root = skew(root);
    if let Some(right) = root.right.get().map(skew) {
        root.right.set(Some(right));
        right.right.set(right.right.get().map(skew));
    }
    let root = split(root);
    root.right.set(root.right.get().map(split));
    root
}

fn visit(tree: Link, f: &mut impl FnMut(AreaRef)) {
    if let Some(area) = tree {
        visit(area.left.get(), f);
        f(area);
        visit(area.right.get(), f);
    }
}
