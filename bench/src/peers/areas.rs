//! Allocators of address ranges by others, all behind a spinlock.
//!
//! range-alloc, offset-allocator, and a plain first fit over a B-tree.
//!
//! They count in pages; a block's number is its first page and one.

use std::collections::BTreeMap;

use ::offset_allocator::{Allocation, Allocator};
use ::range_alloc::RangeAllocator;
use spin::Mutex;

use super::peer::{Block, Pages, Peer};

struct Locked<T> {
    name: &'static str,
    inner: Mutex<T>,
}

/// range-alloc: best fit in a list of free ranges.
pub fn range_alloc() -> Box<dyn Peer<Pages>> {
    Box::new(Locked { name: "range-alloc", inner: Mutex::new(RangeAllocator::new(0..Pages::ALL)) })
}

impl Peer<Pages> for Locked<RangeAllocator<usize>> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alloc(&self, pages: Pages) -> Option<Block> {
        Block::new(self.inner.lock().allocate_range(pages.guarded()).ok()?.start + 1)
    }

    fn free(&self, block: Block, pages: Pages) {
        let start = block.number() - 1;
        self.inner.lock().free_range(start..start + pages.guarded());
    }
}

/// offset-allocator, and its allocations by their first page: it wants them back whole, where ours is told an address.
struct Offsets {
    allocator: Allocator,
    live: Vec<Option<Allocation>>,
}

/// offset-allocator: free ranges by size, in bins like those of floating-point numbers.
pub fn offset_allocator() -> Box<dyn Peer<Pages>> {
    let offsets = Offsets { allocator: Allocator::new(Pages::ALL as u32), live: vec![None; Pages::ALL] };
    Box::new(Locked { name: "offset-allocator", inner: Mutex::new(offsets) })
}

impl Peer<Pages> for Locked<Offsets> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alloc(&self, pages: Pages) -> Option<Block> {
        let mut offsets = self.inner.lock();
        let allocation = offsets.allocator.allocate(pages.guarded() as u32)?;
        let start = allocation.offset as usize;
        offsets.live[start] = Some(allocation);
        Block::new(start + 1)
    }

    fn free(&self, block: Block, _pages: Pages) {
        let mut offsets = self.inner.lock();
        if let Some(allocation) = offsets.live[block.number() - 1].take() {
            offsets.allocator.free(allocation);
        }
    }
}

/// What is simplest: the areas in a B-tree by their start, and a walk to the first gap.
#[derive(Default)]
struct FirstFit {
    /// First page and pages of each area.
    areas: BTreeMap<usize, usize>,
}

/// First fit over a B-tree.
pub fn first_fit() -> Box<dyn Peer<Pages>> {
    Box::new(Locked { name: "B-tree first fit", inner: Mutex::new(FirstFit::default()) })
}

impl FirstFit {
    fn alloc(&mut self, pages: usize) -> Option<usize> {
        let mut gap = 0;
        for (&start, &length) in &self.areas {
            if start - gap >= pages {
                break;
            }
            gap = start + length;
        }
        (gap + pages <= Pages::ALL).then(|| {
            self.areas.insert(gap, pages);
            gap
        })
    }
}

impl Peer<Pages> for Locked<FirstFit> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn alloc(&self, pages: Pages) -> Option<Block> {
        Block::new(self.inner.lock().alloc(pages.guarded())? + 1)
    }

    fn free(&self, block: Block, _pages: Pages) {
        self.inner.lock().areas.remove(&(block.number() - 1));
    }
}
