//! What takes part, and what it is asked for.
//!
//! A request is what the allocator hands out: an [`Order`] of pages, the [`Bytes`] of an object, the [`Pages`] of an
//! area.

use core::alloc::Layout;
use core::num::NonZeroUsize;

use mm::{Order, PAGE_SIZE};

/// A block that a peer has handed out: its first frame or its address, as the peer likes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block(pub NonZeroUsize);

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

/// An allocator of what `R` asks for, over [`FRAMES`](crate::arena::FRAMES) frames if it has memory at all.
pub trait Peer<R>: Sync {
    /// Its name in the table.
    fn name(&self) -> &'static str;

    /// Allocates a block.
    fn alloc(&self, request: R) -> Option<Block>;

    /// Allocates a block, from the last reserve if need be.
    fn alloc_urgent(&self, request: R) -> Option<Block> {
        self.alloc(request)
    }

    /// Frees a block that this request got.
    fn free(&self, block: Block, request: R);

    /// Merges all free blocks that were left to be merged later.
    fn coalesce(&self) {}

    /// What the peer's knowledge costs.
    fn metadata(&self) -> Metadata {
        Metadata::Inside
    }

    /// Whether several threads may call it.
    fn is_shared(&self) -> bool {
        true
    }
}

/// What a heap can be asked for.
pub trait Request: Copy + 'static {
    /// Size and alignment.
    fn layout(self) -> Layout;
}

/// Blocks of pages, as heaps are asked for them: aligned to one page.
impl Request for Order {
    #[inline]
    fn layout(self) -> Layout {
        layout(self.bytes(), PAGE_SIZE)
    }
}

/// Size of an object, not 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bytes(pub usize);

impl Request for Bytes {
    #[inline]
    fn layout(self) -> Layout {
        layout(self.0, align_of::<usize>())
    }
}

#[inline]
fn layout(size: usize, align: usize) -> Layout {
    let Ok(layout) = Layout::from_size_align(size, align) else { unreachable!() };
    layout
}

/// Size of an area of addresses in pages, 1 to [`MOST`](Self::MOST); a guard page follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pages(pub usize);

impl Pages {
    /// The largest area of the rows.
    pub const MOST: usize = 16;
    /// Pages of addresses that the areas come from: 4 GiB.
    pub const ALL: usize = 1 << 20;

    /// The pages with the guard page.
    #[inline]
    pub const fn guarded(self) -> usize {
        self.0 + 1
    }
}
