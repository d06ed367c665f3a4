//! The tree of vm areas: first fit and look-up by address in O(log n).
//!
//! A treap (Seidel and Aragon 1996) ordered by address. Each subtree knows where it starts and ends and the largest gap
//! between two of its areas, so the lowest gap that is large enough is found in one walk down. A small table in front, by
//! the hash of their start, remembers areas: most look-ups end there.
//!
//! Invariants (checked by [`AreaTree::validate`]): addresses ascend in order and areas do not overlap; no priority is
//! above its parent's; the three values of each subtree are those of its areas; all areas lie in the tree's range.

use crate::addr::{PAGE_SHIFT, PAGE_SIZE, VirtAddr};
use crate::vm::area::{AreaRef, AreaState, VmArea};

/// log2 of the areas that the table remembers.
const MEMO_BITS: u32 = 9;

/// All areas of a range of addresses.
pub(crate) struct AreaTree {
    start: VirtAddr,
    end: VirtAddr,
    root: Option<AreaRef>,
    seed: u32,
    memo: [Option<AreaRef>; 1 << MEMO_BITS],
}

type Link = Option<AreaRef>;

impl AreaTree {
    /// An empty tree for the addresses `start..end`.
    pub(crate) const fn new(start: VirtAddr, end: VirtAddr) -> Self {
        Self { start, end, root: None, seed: 0x9e37_79b9, memo: [None; 1 << MEMO_BITS] }
    }

    /// The lowest free range for `pages` pages and their guard page, as long as alignment need not be searched for: its
    /// start is the lowest address of that gap which is a multiple of `align`, a power of two and at least a page.
    pub(crate) fn find_gap(&self, pages: usize, align: usize) -> Option<VirtAddr> {
        let bytes = pages.checked_add(1)?.checked_mul(PAGE_SIZE)?.checked_add(align - PAGE_SIZE)?;
        let start = self.lowest_gap(bytes)?;
        Some(VirtAddr::new(start.as_usize().next_multiple_of(align)))
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
    pub(crate) fn insert(&mut self, mut area: VmArea, write: impl FnOnce(VmArea) -> AreaRef) -> AreaRef {
        area.priority = self.next_priority();
        let area = write(area);
        update(area);
        self.root = Some(insert(self.root, area));
        self.memo[slot(area.start)] = Some(area);
        area
    }

    /// Takes an area out.
    pub(crate) fn remove(&mut self, area: AreaRef) {
        let memo = &mut self.memo[slot(area.start)];
        if *memo == Some(area) {
            *memo = None;
        }
        self.root = remove(self.root, area);
    }

    /// The area that starts at `addr`, whatever its state.
    #[inline]
    pub(crate) fn find_start(&mut self, addr: VirtAddr) -> Option<AreaRef> {
        let remembered = self.memo[slot(addr)].filter(|area| area.start == addr);
        remembered.or_else(|| self.find_forgotten(addr))
    }

    #[cold]
    fn find_forgotten(&mut self, addr: VirtAddr) -> Option<AreaRef> {
        let area = self.find(addr).filter(|area| area.start == addr)?;
        self.memo[slot(addr)] = Some(area);
        Some(area)
    }

    /// The area that holds `addr`, guard page included, whatever its state.
    pub(crate) fn find(&self, addr: VirtAddr) -> Option<AreaRef> {
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

    /// The lowest area that starts at `addr` or above and is somebody's.
    pub(crate) fn first_from(&self, addr: VirtAddr) -> Option<AreaRef> {
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
    fn for_each(&self, f: &mut impl FnMut(AreaRef)) {
        visit(self.root, f);
    }

    /// Checks the invariants above; returns the one that is broken.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let (mut before, mut sorted, mut summed) = (self.start, true, true);
        self.for_each(&mut |area| {
            sorted &= before <= area.start && area.end() <= self.end;
            summed &= summary(area) == (area.first.get(), area.last.get(), area.max_gap.get());
            for child in [area.left.get(), area.right.get()].into_iter().flatten() {
                sorted &= child.priority <= area.priority;
            }
            before = area.end();
        });
        let remembered = |(place, area): (usize, &Link)| {
            area.is_none_or(|area| slot(area.start) == place && self.find(area.start) == Some(area))
        };
        match (sorted, summed, self.memo.iter().enumerate().all(remembered)) {
            (true, true, true) => Ok(()),
            (false, ..) => Err("vm areas overlap or are out of order"),
            (_, false, _) => Err("a subtree of vm areas has the wrong bounds or gap"),
            (.., false) => Err("a vm area is remembered that is not in the tree"),
        }
    }

    /// Pseudo-random, the same from boot to boot (Marsaglia's xorshift).
    fn next_priority(&mut self) -> u32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        self.seed
    }
}

/// Where an area that starts at `addr` is remembered. (Knuth's multiplicative hash.)
#[inline]
const fn slot(addr: VirtAddr) -> usize {
    let page = (addr.as_usize() >> PAGE_SHIFT) as u64;
    (page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - MEMO_BITS)) as usize
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

fn insert(tree: Link, area: AreaRef) -> AreaRef {
    let Some(root) = tree else { return area };
    if area.priority > root.priority {
        let (left, right) = split(tree, area.start);
        area.left.set(left);
        area.right.set(right);
        update(area);
        return area;
    }
    let side = if area.start < root.start { &root.left } else { &root.right };
    side.set(Some(insert(side.get(), area)));
    update(root);
    root
}

/// Parts a subtree into the areas below `addr` and the others.
fn split(tree: Link, addr: VirtAddr) -> (Link, Link) {
    let Some(root) = tree else { return (None, None) };
    if root.start < addr {
        let (left, right) = split(root.right.get(), addr);
        root.right.set(left);
        update(root);
        (Some(root), right)
    } else {
        let (left, right) = split(root.left.get(), addr);
        root.left.set(right);
        update(root);
        (left, Some(root))
    }
}

/// Joins two subtrees; every area of `left` lies below every area of `right`.
fn merge(left: Link, right: Link) -> Link {
    let (Some(a), Some(b)) = (left, right) else { return left.or(right) };
    if a.priority >= b.priority {
        a.right.set(merge(a.right.get(), right));
        update(a);
        left
    } else {
        b.left.set(merge(left, b.left.get()));
        update(b);
        right
    }
}

fn remove(tree: Link, area: AreaRef) -> Link {
    let root = tree?;
    if root == area {
        return merge(root.left.get(), root.right.get());
    }
    let side = if area.start < root.start { &root.left } else { &root.right };
    side.set(remove(side.get(), area));
    update(root);
    tree
}

fn visit(tree: Link, f: &mut impl FnMut(AreaRef)) {
    if let Some(area) = tree {
        visit(area.left.get(), f);
        f(area);
        visit(area.right.get(), f);
    }
}
