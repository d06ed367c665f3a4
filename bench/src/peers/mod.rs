//! The allocators that are compared, behind one trait.
//!
//! Every call goes through a `dyn Peer`: a real call that no compiler looks into, with an order that it does not know.

mod bitmaps;
mod buddies;
mod heaps;
mod limit;
mod scullery;

use core::num::NonZeroUsize;

use mm::{Order, PAGE_SIZE};

/// A block that a peer has handed out: its first frame or its address, as the peer likes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block(NonZeroUsize);

impl Block {
    /// A block by a number that is not 0.
    #[inline]
    pub fn new(number: usize) -> Option<Self> {
        NonZeroUsize::new(number).map(Self)
    }

    /// The block's number.
    #[inline]
    pub fn number(self) -> usize {
        self.0.get()
    }
}

/// Where a peer keeps what it knows of the memory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Metadata {
    /// Outside: this many bytes.
    Outside(usize),
    /// In the memory that it manages; it costs what cannot be handed out.
    Inside,
}

/// A page allocator over [`FRAMES`](crate::arena::FRAMES) frames.
pub trait Peer: Sync {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Allocates 2^`order` pages.
    fn alloc(&self, order: Order) -> Option<Block>;

    /// Allocates 2^`order` pages, from the last reserve if need be.
    fn alloc_urgent(&self, order: Order) -> Option<Block> {
        self.alloc(order)
    }

    /// Frees a block.
    fn free(&self, block: Block, order: Order);

    /// Merges all free blocks that were left to be merged later.
    fn coalesce(&self) {}

    /// What the peer's knowledge costs.
    fn metadata(&self) -> Metadata;

    /// Whether several threads may call it.
    fn is_shared(&self) -> bool {
        true
    }
}

/// Makes a peer whose memory is all free.
pub type Factory = fn() -> Box<dyn Peer>;

/// Ours, all that others have written, and the limit.
pub const PEERS: [Factory; 11] = [
    scullery::new,
    limit::new,
    bitmaps::tutorial,
    buddies::frame_alloc,
    buddies::buddy_system,
    bitmaps::ax,
    buddies::buddy_slab,
    bitmaps::rcore,
    heaps::talc,
    heaps::linked_list,
    heaps::rlsf,
];
/// Index of our allocator in [`PEERS`].
pub const OURS: usize = 0;
/// Index of the limit in [`PEERS`].
pub const LIMIT: usize = 1;

/// The bytes of a block of 2^`order` pages, as heaps are asked for them: aligned to one page.
#[inline]
fn layout(order: Order) -> core::alloc::Layout {
    let Ok(layout) = core::alloc::Layout::from_size_align(order.bytes(), PAGE_SIZE) else { unreachable!() };
    layout
}
