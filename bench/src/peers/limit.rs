//! The limit: a bare stack of numbers for each order, without a lock, a check or a merge.

use core::cell::UnsafeCell;

use mm::Order;

use super::{Block, Metadata, Peer};
use crate::arena::FRAMES;

/// A stack of free blocks.
struct Stack {
    blocks: Vec<u32>,
    len: usize,
}

struct Limit([UnsafeCell<Stack>; Order::COUNT]);

// SAFETY: it says that it is not shared, so only one thread ever calls it.
unsafe impl Sync for Limit {}

/// The bare stacks.
pub fn new() -> Box<dyn Peer> {
    let stack = |log2: usize| {
        let blocks: Vec<u32> = (1..=FRAMES as u32 >> log2).rev().collect();
        UnsafeCell::new(Stack { len: blocks.len(), blocks })
    };
    Box::new(Limit(core::array::from_fn(stack)))
}

impl Peer for Limit {
    fn name(&self) -> &'static str {
        "bare stack"
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        // SAFETY: only one thread is here, and nothing is called while the reference lives.
        let stack = unsafe { &mut *self.0[order.log2()].get() };
        stack.len = stack.len.checked_sub(1)?;
        Block::new(stack.blocks[stack.len] as usize)
    }

    fn free(&self, block: Block, order: Order) {
        // SAFETY: as in `alloc`.
        let stack = unsafe { &mut *self.0[order.log2()].get() };
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
