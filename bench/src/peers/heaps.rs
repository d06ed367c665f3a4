//! Heaps for objects, asked for whole pages: talc, linked_list_allocator, rlsf.
//!
//! They keep a header at each block. A block that must start at a page boundary therefore leaves most of a page unused
//! before it, so these hold about half as many single pages as the others.

use core::ptr::NonNull;

use ::rlsf::Tlsf;
use ::talc::DefaultBinning;
use ::talc::base::Talc;
use ::talc::source::Manual;
use linked_list_allocator::Heap;
use mm::Order;
use spin::Mutex;

use super::{Block, Metadata, Peer, layout};
use crate::arena::{Arena, BYTES};

/// What the three have in common.
trait PageHeap: Send {
    /// Its name in the table.
    const NAME: &'static str;

    /// Allocates a block.
    fn take(&mut self, order: Order) -> Option<NonNull<u8>>;

    /// Frees a block.
    ///
    /// # Safety
    /// The block came from [`take`](Self::take) with this order and was not yet freed.
    unsafe fn give(&mut self, block: NonNull<u8>, order: Order);
}

/// A heap behind a spinlock.
struct Locked<H> {
    heap: Mutex<H>,
    _arena: Arena,
}

impl<H: PageHeap> Peer for Locked<H> {
    fn name(&self) -> &'static str {
        H::NAME
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        let block = self.heap.lock().take(order)?;
        Block::new(block.as_ptr().expose_provenance())
    }

    fn free(&self, block: Block, order: Order) {
        let block = NonNull::with_exposed_provenance(block.0);
        // SAFETY: the block came from `alloc` with this order; rows free each block once.
        unsafe { self.heap.lock().give(block, order) };
    }

    fn metadata(&self) -> Metadata {
        Metadata::Inside
    }
}

type TalcHeap = Talc<Manual, DefaultBinning>;

/// talc with memory that it is given by hand.
///
/// # Panics
/// When it refuses its memory.
pub fn talc() -> Box<dyn Peer> {
    let arena = Arena::populated();
    let mut heap = TalcHeap::new(Manual);
    // SAFETY: the memory is the heap's alone, and goes after it.
    let end = unsafe { heap.claim(arena.start().as_ptr(), BYTES) };
    assert!(end.is_some(), "talc refuses its memory");
    Box::new(Locked { heap: Mutex::new(heap), _arena: arena })
}

impl PageHeap for TalcHeap {
    const NAME: &'static str = "talc";

    fn take(&mut self, order: Order) -> Option<NonNull<u8>> {
        // SAFETY: the size is not 0.
        unsafe { self.allocate(layout(order)) }
    }

    unsafe fn give(&mut self, block: NonNull<u8>, order: Order) {
        // SAFETY: by this function's contract.
        unsafe { self.deallocate(block.as_ptr(), layout(order)) };
    }
}

/// linked_list_allocator: first fit in one sorted list.
pub fn linked_list() -> Box<dyn Peer> {
    let arena = Arena::populated();
    let mut heap = Heap::empty();
    // SAFETY: the memory is the heap's alone, and goes after it.
    unsafe { heap.init(arena.start().as_ptr(), BYTES) };
    Box::new(Locked { heap: Mutex::new(heap), _arena: arena })
}

impl PageHeap for Heap {
    const NAME: &'static str = "linked_list";

    fn take(&mut self, order: Order) -> Option<NonNull<u8>> {
        self.allocate_first_fit(layout(order)).ok()
    }

    unsafe fn give(&mut self, block: NonNull<u8>, order: Order) {
        // SAFETY: by this function's contract.
        unsafe { self.deallocate(block, layout(order)) };
    }
}

/// Two-level segregated fit: 28 sizes, each in 32 steps.
type TwoLevel = Tlsf<'static, u32, u32, 28, 32>;

/// rlsf.
pub fn rlsf() -> Box<dyn Peer> {
    let arena = Arena::populated();
    let mut heap = TwoLevel::new();
    // SAFETY: the memory is the heap's alone, and goes after it.
    unsafe { heap.insert_free_block_ptr(NonNull::slice_from_raw_parts(arena.start(), BYTES)) };
    Box::new(Locked { heap: Mutex::new(heap), _arena: arena })
}

impl PageHeap for TwoLevel {
    const NAME: &'static str = "rlsf";

    fn take(&mut self, order: Order) -> Option<NonNull<u8>> {
        self.allocate(layout(order))
    }

    unsafe fn give(&mut self, block: NonNull<u8>, order: Order) {
        // SAFETY: by this function's contract.
        unsafe { self.deallocate(block, layout(order).align()) };
    }
}
