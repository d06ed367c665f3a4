//! Where containers get their memory from: allocators whose calls take GFP flags.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::Global;
use crate::addr::VirtAddr;
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// A source of plain memory. As `core::alloc::Allocator`, but each call that may allocate is told how far it may go.
///
/// # Safety
/// Memory that is handed out fits its layout and belongs to the caller alone until it is freed.
pub unsafe trait Allocator {
    /// Allocates memory for `layout`; content undefined. Sleeps if `gfp` allows it. What it returns may be longer than
    /// what was asked for.
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError>;

    /// Frees memory.
    ///
    /// # Safety
    /// It came from [`alloc`](Self::alloc) of this allocator and is not used any more.
    unsafe fn free(memory: NonNull<u8>);

    /// Has `new` bytes behind the first `used` bytes of `memory`, which may move; without memory it stays as it was.
    ///
    /// # Safety
    /// `memory` came from this allocator for the alignment of `new` and has `used` bytes; it is not used any more once
    /// this succeeds.
    unsafe fn grow(memory: NonNull<u8>, used: usize, new: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        let larger = Self::alloc(new, gfp)?;
        // SAFETY: the old memory has `used` bytes, the new one more, and they do not overlap.
        unsafe { larger.cast::<u8>().copy_from_nonoverlapping(memory, used) };
        // SAFETY: by the contract of this call.
        unsafe { Self::free(memory) };
        Ok(larger)
    }
}

/// kmalloc: up to 131072 bytes, physically contiguous. Frees never sleep.
pub struct Kmalloc<K: Global>(PhantomData<K>);

/// vmalloc: whole pages of contiguous addresses. Process context, for frees too; `gfp` must be one that may sleep.
pub struct Vmalloc<K: Global>(PhantomData<K>);

// SAFETY: a class is a power of two and its objects are aligned to it, so a class that is no smaller than the alignment is
// aligned well enough.
unsafe impl<K: Global> Allocator for Kmalloc<K> {
    #[track_caller]
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        let memory = K::memory().kmalloc(layout.size().max(layout.align()), gfp)?;
        let len = K::memory().ksize(memory.as_ptr()).unwrap_or(layout.size());
        Ok(NonNull::slice_from_raw_parts(memory, len))
    }

    unsafe fn free(memory: NonNull<u8>) {
        let freed = K::memory().kfree(memory.as_ptr());
        debug_assert!(freed.is_ok());
    }
}

// SAFETY: an area starts at a page and has as many bytes as were asked for.
unsafe impl<K: Global> Allocator for Vmalloc<K> {
    #[track_caller]
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        if !gfp.may_sleep() || layout.align() > crate::addr::PAGE_SIZE {
            return Err(AllocError);
        }
        let area = K::memory().vmalloc(layout.size().max(1))?;
        let memory = NonNull::new(area.as_mut_ptr()).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(memory, layout.size().max(1).next_multiple_of(crate::addr::PAGE_SIZE)))
    }

    unsafe fn free(memory: NonNull<u8>) {
        let freed = K::memory().vfree(VirtAddr::from_ptr(memory.as_ptr()));
        debug_assert!(freed.is_ok());
    }
}
