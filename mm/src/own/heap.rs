//! The allocators as Rust's global allocator.

use core::alloc::{GlobalAlloc, Layout};
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::allocator::{Allocator, KVmalloc, release};
use super::{Calls, Global};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::KMALLOC_MAX;

/// Memory that is to be this many times smaller moves.
const SHRINK: usize = 4;

/// What `#[global_allocator]` needs: kmalloc up to 131072 bytes and that alignment, vmalloc beyond and where kmalloc
/// has none, with the flags that the caller's context allows.
///
/// In an interrupt, and wherever else the caller may not sleep, requests beyond kmalloc get null. Memory may be freed
/// in any context. A layout other than that of the allocation does no harm: what memory has is looked up, and a pointer
/// that is none of the allocators' is reported.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use core::alloc::{GlobalAlloc, Layout};
/// use mm::own::Heap;
///
/// // In a kernel of its own: #[global_allocator]
/// static HEAP: Heap<TestKernel> = Heap::new();
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let layout = Layout::array::<u64>(1000).expect("no overflow");
/// // SAFETY: the layout has bytes.
/// let memory = unsafe { HEAP.alloc_zeroed(layout) };
/// assert!(!memory.is_null());
/// // SAFETY: it came from there, with this layout.
/// unsafe { HEAP.dealloc(memory, layout) };
/// ```
pub struct Heap<K: Global>(PhantomData<K>);

impl<K: Global> Heap<K> {
    /// The heap of a kernel, whose allocators are up before the first allocation.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K: Global> Default for Heap<K> {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: kmalloc and vmalloc hand out each byte once, and as aligned as asked; memory moves with its content.
unsafe impl<K: Global> GlobalAlloc for Heap<K> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        or_null(KVmalloc::<K>::alloc_plain(layout, K::context_gfp()))
    }

    unsafe fn dealloc(&self, memory: *mut u8, _layout: Layout) {
        if let Some(memory) = NonNull::new(memory) {
            // A wrong free has been reported; no caller could be told.
            // SAFETY: by the contract.
            let _: Result<(), FreeError> = unsafe { release::<K>(memory) };
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(old) = NonNull::new(memory) else { return ptr::null_mut() };
        let Ok(layout) = Layout::from_size_align(size, layout.align()) else { return ptr::null_mut() };
        let gfp = K::context_gfp();
        let can_move = gfp.may_sleep() || size.max(layout.align()) <= KMALLOC_MAX;
        if can_move
            && size < KVmalloc::<K>::bytes(old) / SHRINK
            && let Ok(smaller) = KVmalloc::<K>::alloc_plain(layout, gfp | GfpFlags::NOWARN)
        {
            // SAFETY: both have `size` bytes and more, and do not overlap.
            unsafe { smaller.copy_from_nonoverlapping(old, size) };
            // SAFETY: by the contract the old memory is not used any more.
            let freed = unsafe { release::<K>(old) };
            debug_assert!(freed.is_ok());
            return smaller.as_ptr();
        }
        or_null(Calls::<K>::kvrealloc(old, layout, gfp))
    }
}

fn or_null(memory: Result<NonNull<u8>, AllocError>) -> *mut u8 {
    memory.map_or(ptr::null_mut(), NonNull::as_ptr)
}
