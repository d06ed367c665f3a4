//! Heaps behind a spinlock, asked for objects or whole pages.
//!
//! talc, linked_list_allocator, rlsf; axallocator's for objects.
//!
//! The first three keep a header at each block. A block that must start at a page boundary therefore leaves most of a
//! page unused before it, so these hold about half as many single pages as the others.

use core::alloc::Layout;
use core::ptr::NonNull;

use ::rlsf::Tlsf;
use ::talc::DefaultBinning;
use ::talc::base::Talc;
use ::talc::source::Manual;
use axallocator::{BaseAllocator, ByteAllocator, SlabByteAllocator};
use linked_list_allocator::Heap;
use spin::Mutex;

use super::peer::{Block, Bytes, Peer, Request};
use crate::arena::{Arena, BYTES};

/// What they have in common.
trait RawHeap: Send {
    /// Its name in the table.
    const NAME: &'static str;

    /// Allocates a block.
    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>>;

    /// Frees a block.
    ///
    /// # Safety
    /// The block came from [`take`](Self::take) with this layout and was not yet freed.
    unsafe fn give(&mut self, block: NonNull<u8>, layout: Layout);
}

/// A heap behind a spinlock.
struct Locked<H> {
    heap: Mutex<H>,
    _arena: Arena,
}

impl<H: RawHeap, R: Request> Peer<R> for Locked<H> {
    fn name(&self) -> &'static str {
        H::NAME
    }

    fn alloc(&self, request: R) -> Option<Block> {
        let block = self.heap.lock().take(request.layout())?;
        Block::new(block.as_ptr().expose_provenance())
    }

    fn free(&self, block: Block, request: R) {
        let block = NonNull::with_exposed_provenance(block.0);
        // SAFETY: the block came from `alloc` for this request; rows free each block once.
        unsafe { self.heap.lock().give(block, request.layout()) };
    }
}

type TalcHeap = Talc<Manual, DefaultBinning>;

/// talc with memory that it is given by hand.
///
/// # Panics
/// When it refuses its memory.
pub fn talc<R: Request>() -> Box<dyn Peer<R>> {
    let arena = Arena::populated();
    let mut heap = TalcHeap::new(Manual);
    // SAFETY: the memory is the heap's alone, and goes after it.
    let end = unsafe { heap.claim(arena.start().as_ptr(), BYTES) };
    assert!(end.is_some(), "talc refuses its memory");
    Box::new(Locked { heap: Mutex::new(heap), _arena: arena })
}

impl RawHeap for TalcHeap {
    const NAME: &'static str = "talc";

    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the size is not 0.
        unsafe { self.allocate(layout) }
    }

    unsafe fn give(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: by this function's contract.
        unsafe { self.deallocate(block.as_ptr(), layout) };
    }
}

/// linked_list_allocator: first fit in one sorted list.
pub fn linked_list<R: Request>() -> Box<dyn Peer<R>> {
    let arena = Arena::populated();
    let mut heap = Heap::empty();
    // SAFETY: the memory is the heap's alone, and goes after it.
    unsafe { heap.init(arena.start().as_ptr(), BYTES) };
    Box::new(Locked { heap: Mutex::new(heap), _arena: arena })
}

impl RawHeap for Heap {
    const NAME: &'static str = "linked_list";

    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.allocate_first_fit(layout).ok()
    }

    unsafe fn give(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: by this function's contract.
        unsafe { self.deallocate(block, layout) };
    }
}

/// Two-level segregated fit: 28 sizes, each in 32 steps.
type TwoLevel = Tlsf<'static, u32, u32, 28, 32>;

/// rlsf.
pub fn rlsf<R: Request>() -> Box<dyn Peer<R>> {
    let arena = Arena::populated();
    let mut heap = TwoLevel::new();
    // SAFETY: the memory is the heap's alone, and goes after it.
    unsafe { heap.insert_free_block_ptr(NonNull::slice_from_raw_parts(arena.start(), BYTES)) };
    Box::new(Locked { heap: Mutex::new(heap), _arena: arena })
}

impl RawHeap for TwoLevel {
    const NAME: &'static str = "rlsf";

    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.allocate(layout)
    }

    unsafe fn give(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: by this function's contract.
        unsafe { self.deallocate(block, layout.align()) };
    }
}

/// axallocator's slabs.
pub fn ax_slab() -> Box<dyn Peer<Bytes>> {
    let arena = Arena::populated();
    let mut heap = SlabByteAllocator::new();
    heap.init(arena.address(), BYTES);
    Box::new(Locked { heap: Mutex::new(heap), _arena: arena })
}

impl RawHeap for SlabByteAllocator {
    const NAME: &'static str = "axallocator";

    fn take(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.alloc(layout).ok()
    }

    unsafe fn give(&mut self, block: NonNull<u8>, layout: Layout) {
        self.dealloc(block, layout);
    }
}
