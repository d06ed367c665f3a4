//! `#[global_allocator]`: what `Arc::try_new` and the like allocate from.
//!
//! Until kmalloc stands, a small heap in a bootmem buffer serves; from then on kmalloc does, with the flags that the
//! caller's context allows. Which of the two a pointer came from is told by its address. There is no call that aborts
//! when memory runs out: `alloc` is built without them.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, Ordering};

use ::mm::own::Calls;
use ::mm::{Global, VirtAddr};
use linked_list_allocator::Heap;

use super::bootmem;
use super::global::Kernel;
use crate::klog;
use crate::sync::SpinLock;

/// Bytes of the early heap.
const EARLY_BYTES: usize = 64 << 10;

struct KernelHeap {
    early: SpinLock<Heap>,
    /// Set when kmalloc stands.
    moved: AtomicBool,
}

#[global_allocator]
static HEAP: KernelHeap = KernelHeap { early: SpinLock::new(Heap::empty()), moved: AtomicBool::new(false) };

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

// SAFETY: the early heap and kmalloc hand out each byte once; kmalloc aligns an object to its class, so asking for at
// least the alignment yields it.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let memory = if self.moved.load(Ordering::Acquire) {
            Calls::<Kernel>::kmalloc(layout.size().max(layout.align()), Kernel::context_gfp()).ok()
        } else {
            self.early.with(|heap| heap.allocate_first_fit(layout)).ok()
        };
        memory.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let early = self.early.with(|heap| (heap.bottom()..heap.top()).contains(&ptr));
        let Some(memory_to_free) = NonNull::new(ptr).filter(|_| early) else {
            // A wrong free has been reported; no caller could be told.
            let _: Result<(), _> = Calls::<Kernel>::kfree(ptr);
            return;
        };
        // SAFETY: the early heap handed it out, with this layout, as `GlobalAlloc` promises.
        self.early.with(|heap| unsafe { heap.deallocate(memory_to_free, layout) });
    }
}

/// Whether `addr` lies in the early heap.
pub fn is_early(addr: VirtAddr) -> bool {
    HEAP.early.with(|heap| (heap.bottom()..heap.top()).contains(&addr.as_mut_ptr()))
}
