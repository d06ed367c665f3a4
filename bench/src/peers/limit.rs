//! The limit: a bare stack of numbers for each class of request.
//!
//! Without a lock, a check or a merge.

use core::cell::UnsafeCell;

use mm::Order;

use super::peer::{Block, Bytes, Metadata, Pages, Peer};
use crate::arena::FRAMES;

/// Blocks of each class of objects and areas: more than any row has at once.
const DEPTH: usize = 16384;

/// A stack of free blocks.
struct Stack {
    blocks: Vec<u32>,
    len: usize,
}

impl Stack {
    fn new(blocks: usize) -> UnsafeCell<Self> {
        UnsafeCell::new(Self { blocks: (1..=blocks as u32).rev().collect(), len: blocks })
    }
}

/// A stack for each class of request.
struct Limit<F> {
    stacks: Vec<UnsafeCell<Stack>>,
    class: F,
}

// SAFETY: it says that it is not shared, so only one thread ever calls it.
unsafe impl<F> Sync for Limit<F> {}

/// Stacks of blocks of pages.
pub fn pages() -> Box<dyn Peer<Order>> {
    let stacks = (0..Order::COUNT).map(|log2| Stack::new(FRAMES >> log2)).collect();
    Box::new(Limit { stacks, class: |order: Order| order.log2() })
}

/// Stacks of objects, by powers of two.
pub fn objects() -> Box<dyn Peer<Bytes>> {
    let stacks = (0..usize::BITS).map(|_| Stack::new(DEPTH)).collect();
    Box::new(Limit { stacks, class: |bytes: Bytes| bytes.0.ilog2() as usize })
}

/// Stacks of areas, by size.
pub fn areas() -> Box<dyn Peer<Pages>> {
    let stacks = (0..=Pages::MOST).map(|_| Stack::new(DEPTH)).collect();
    Box::new(Limit { stacks, class: |pages: Pages| pages.0 })
}

impl<R: Copy, F: Fn(R) -> usize> Peer<R> for Limit<F> {
    fn name(&self) -> &'static str {
        "bare stack"
    }

    fn alloc(&self, request: R) -> Option<Block> {
        let stack = self.stacks[(self.class)(request)].get();
        // SAFETY: only one thread is here, and nothing is called while the reference lives.
        let stack = unsafe { &mut *stack };
        stack.len = stack.len.checked_sub(1)?;
        Block::new(stack.blocks[stack.len] as usize)
    }

    fn free(&self, block: Block, request: R) {
        let stack = self.stacks[(self.class)(request)].get();
        // SAFETY: as in `alloc`.
        let stack = unsafe { &mut *stack };
        stack.blocks[stack.len] = block.number() as u32;
        stack.len += 1;
    }

    fn metadata(&self) -> Metadata {
        Metadata::Outside(FRAMES * size_of::<u32>())
    }

    fn is_shared(&self) -> bool {
        false
    }
}
