//! Buddy allocators of others.
//!
//! frame-alloc, buddy_system_allocator, buddy-slab-allocator.

use core::num::NonZeroUsize;
use core::ptr::NonNull;

use buddy_slab_allocator::BuddyAllocator;
use buddy_system_allocator::Heap;
use frame_alloc::{
    CpuId, DepotAllocator, PageSize, PhysRange, PhysicalAllocator, Provenance, RegionInit, SummaryBuddyAllocator,
};
use mm::{Order, PAGE_SHIFT, PAGE_SIZE};
use spin::Mutex;

use super::peer::{Block, Peer, Request};
use crate::arena::{Arena, BYTES};
use crate::cpu::{self, CPUS};

/// Lists of blocks of up to 2^31 bytes.
const HEAP_ORDERS: usize = 32;
const PAGE: PageSize = PageSize::from_log2(PAGE_SHIFT as u8);

struct BuddySystem {
    heap: Mutex<Heap<HEAP_ORDERS>>,
    _arena: Arena,
}

/// buddy_system_allocator's heap, which links free blocks through their memory.
pub fn buddy_system() -> Box<dyn Peer<Order>> {
    let arena = Arena::populated();
    let mut heap = Heap::empty();
    // SAFETY: the memory is the heap's alone, and goes after it.
    unsafe { heap.init(arena.address(), BYTES) };
    Box::new(BuddySystem { heap: Mutex::new(heap), _arena: arena })
}

impl Peer<Order> for BuddySystem {
    fn name(&self) -> &'static str {
        "buddy_system"
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        let block = self.heap.lock().alloc(order.layout()).ok()?;
        Block::new(block.as_ptr().expose_provenance())
    }

    fn free(&self, block: Block, order: Order) {
        let block = NonNull::with_exposed_provenance(block.0);
        // SAFETY: the block came from `alloc` with this order.
        unsafe { self.heap.lock().dealloc(block, order.layout()) };
    }
}

/// The arena's addresses are what frame-alloc calls physical.
struct Identity;

// SAFETY: the arena's provenance was exposed, and it is writable memory.
unsafe impl Provenance for Identity {
    unsafe fn create(phys: usize) -> NonNull<u8> {
        let Some(address) = NonZeroUsize::new(phys) else { unreachable!() };
        NonNull::with_exposed_provenance(address)
    }

    unsafe fn destroy<T>(pointer: NonNull<T>) -> usize {
        pointer.addr().get()
    }
}

/// The number of the thread's CPU.
struct ThisCpu;

impl CpuId for ThisCpu {
    fn current_cpu() -> usize {
        cpu::number()
    }
}

type Depot = DepotAllocator<SummaryBuddyAllocator<{ Order::COUNT }, Identity>, ThisCpu, CPUS>;

struct FrameAlloc {
    depot: Box<Depot>,
    _arena: Arena,
}

/// frame-alloc's lock-free buddy behind its per-CPU depot.
pub fn frame_alloc() -> Box<dyn Peer<Order>> {
    let arena = Arena::populated();
    let depot = Box::new(Depot::new(PAGE, SummaryBuddyAllocator::new(PAGE)));
    let all = PhysRange { base: arena.address(), len: BYTES };
    // SAFETY: the memory is this allocator's alone, aligned to its largest block, and goes after it.
    unsafe { depot.init(all.base, all.len, &[all]) };
    Box::new(FrameAlloc { depot, _arena: arena })
}

/// Pages of a block as frame-alloc wants them.
#[inline]
fn page_count(order: Order) -> NonZeroUsize {
    let Some(pages) = NonZeroUsize::new(order.pages() as usize) else { unreachable!() };
    pages
}

impl Peer<Order> for FrameAlloc {
    fn name(&self) -> &'static str {
        "frame-alloc"
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        Block::new(self.depot.allocate_physical(PAGE, page_count(order)).ok()?)
    }

    fn free(&self, block: Block, order: Order) {
        // SAFETY: the block came from `alloc` with this order.
        unsafe { self.depot.deallocate_physical(PAGE, page_count(order), block.number()) };
    }
}

struct BuddySlab {
    pages: Mutex<BuddyAllocator<PAGE_SIZE>>,
    _arena: Arena,
}

/// buddy-slab-allocator's page allocator.
///
/// # Panics
/// When it refuses its memory.
pub fn buddy_slab() -> Box<dyn Peer<Order>> {
    let arena = Arena::populated();
    let mut pages = BuddyAllocator::new();
    // SAFETY: the memory is valid, this allocator's alone, and goes after it.
    let region = unsafe { NonNull::slice_from_raw_parts(arena.start(), BYTES).as_mut() };
    // SAFETY: as above.
    let result = unsafe { pages.init(region) };
    assert!(result.is_ok(), "buddy-slab-allocator refuses its memory");
    Box::new(BuddySlab { pages: Mutex::new(pages), _arena: arena })
}

impl Peer<Order> for BuddySlab {
    fn name(&self) -> &'static str {
        "buddy-slab"
    }

    fn alloc(&self, order: Order) -> Option<Block> {
        Block::new(self.pages.lock().alloc_pages(order.pages() as usize, PAGE_SIZE).ok()?)
    }

    fn free(&self, block: Block, order: Order) {
        self.pages.lock().dealloc_pages(block.number(), order.pages() as usize);
    }
}
