//! `#[global_allocator]`: what `Arc::try_new` and the like allocate from.
//!
//! Until kmalloc stands, a small heap in a bootmem buffer serves; from then on the allocators do, kmalloc and beyond it
//! vmalloc. Which of the two a pointer came from is told by its address. There is no call that aborts when memory runs
//! out: `alloc` is built without them.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, Ordering};

use ::mm::VirtAddr;
use ::mm::own::Heap;
use linked_list_allocator::Heap as EarlyHeap;

use super::bootmem;
use super::global::Kernel;
use crate::klog;
use crate::sync::SpinLock;

/// Bytes of the early heap.
const EARLY_BYTES: usize = 64 << 10;

struct KernelHeap {
    early: SpinLock<EarlyHeap>,
    /// Set when kmalloc stands.
    moved: AtomicBool,
    late: Heap<Kernel>,
}

#[global_allocator]
static HEAP: KernelHeap =
    KernelHeap { early: SpinLock::new(EarlyHeap::empty()), moved: AtomicBool::new(false), late: Heap::new() };

/// Gives the early heap its memory, from bootmem.
pub(super) fn init_early() -> Result<(), ::mm::BootmemError> {
    let buffer = bootmem::alloc_bootmem_pages(EARLY_BYTES)?;
    // SAFETY: the buffer is ours for ever and used by nothing else.
    HEAP.early.with(|heap| unsafe { heap.init(buffer.as_mut_ptr(), EARLY_BYTES) });
    klog!("early heap: {} KiB at {:016x}", EARLY_BYTES >> 10, buffer.as_usize());
    Ok(())
}

/// Moves new allocations to kmalloc. What the early heap handed out stays valid.
pub(super) fn move_to_kmalloc() {
    HEAP.moved.store(true, Ordering::Release);
    let used = HEAP.early.with(|heap| heap.used());
    klog!("heap: moved to kmalloc, {used} bytes stay in the early heap");
}

/// Bytes in use and bytes in all of the early heap.
pub fn early_usage() -> (usize, usize) {
    HEAP.early.with(|heap| (heap.used(), heap.size()))
}

impl KernelHeap {
    fn is_early(&self, memory: *mut u8) -> bool {
        self.early.with(|heap| (heap.bottom()..heap.top()).contains(&memory))
    }
}

// SAFETY: both heaps keep the contract, and each gets back what it handed out.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.moved.load(Ordering::Acquire) {
            // SAFETY: by the contract.
            return unsafe { self.late.alloc(layout) };
        }
        self.early.with(|heap| heap.allocate_first_fit(layout)).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let Some(early) = NonNull::new(memory).filter(|_| self.is_early(memory)) else {
            // SAFETY: by the contract.
            return unsafe { self.late.dealloc(memory, layout) };
        };
        // SAFETY: the early heap handed it out, with this layout, as `GlobalAlloc` promises.
        self.early.with(|heap| unsafe { heap.deallocate(early, layout) });
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.is_early(memory) {
            // SAFETY: by the contract.
            return unsafe { self.late.realloc(memory, layout, size) };
        }
        let Ok(new_layout) = Layout::from_size_align(size, layout.align()) else { return ptr::null_mut() };
        // SAFETY: by the contract the size is not 0.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: both have so many bytes, and do not overlap.
            unsafe { new.copy_from_nonoverlapping(memory, size.min(layout.size())) };
            // SAFETY: by the contract.
            unsafe { self.dealloc(memory, layout) };
        }
        new
    }
}

/// Whether `addr` lies in the early heap.
pub fn is_early(addr: VirtAddr) -> bool {
    HEAP.is_early(addr.as_mut_ptr())
}
