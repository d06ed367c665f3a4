//! Where containers get memory: allocators whose calls take GFP flags.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::{Calls, Global};
use crate::addr::VirtAddr;
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// A source of plain memory. As `core::alloc::Allocator`, but each call that may allocate takes GFP flags.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use core::alloc::Layout;
/// use mm::GfpFlags;
/// use mm::own::{Allocator, Kmalloc, Vmalloc};
///
/// /// Room for a table, from this allocator.
/// fn table<A: Allocator>(bytes: usize) -> Option<usize> {
///     let layout = Layout::from_size_align(bytes, 8).ok()?;
///     let table = A::alloc(layout, GfpFlags::KERNEL).ok()?;
///     // SAFETY: it came from this allocator a moment ago.
///     unsafe { A::free(table.cast()) };
///     Some(table.len())
/// }
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// assert_eq!(table::<Kmalloc<TestKernel>>(100), Some(128));
/// assert_eq!(table::<Kmalloc<TestKernel>>(1 << 20), None);
/// assert_eq!(table::<Vmalloc<TestKernel>>(1 << 20), Some(1 << 20));
/// ```
///
/// # Safety
/// Memory that is handed out fits its layout and belongs to the caller alone until it is freed.
pub unsafe trait Allocator {
    /// Allocates memory for `layout`; content undefined. Sleeps if `gfp` allows it. The memory may be longer than the
    /// layout.
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError>;

    /// Frees memory.
    ///
    /// # Safety
    /// It came from [`alloc`](Self::alloc) of this allocator and is not used any more.
    unsafe fn free(memory: NonNull<u8>);

    /// Resizes `memory` to `new`, keeping its first `used` bytes; it may move. On failure it stays as it was.
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
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use core::alloc::Layout;
/// use mm::GfpFlags;
/// use mm::own::{Allocator, Kmalloc};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let memory = Kmalloc::<TestKernel>::alloc(Layout::new::<[u64; 5]>(), GfpFlags::ATOMIC)?;
/// let larger = Layout::new::<[u64; 9]>();
/// // SAFETY: the memory came from kmalloc, is 40 bytes and more, and is not used any more.
/// let memory = unsafe { Kmalloc::<TestKernel>::grow(memory.cast(), 40, larger, GfpFlags::ATOMIC)? };
/// assert_eq!(memory.len(), 128);
/// // SAFETY: as above.
/// unsafe { Kmalloc::<TestKernel>::free(memory.cast()) };
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct Kmalloc<K: Global>(PhantomData<K>);

/// vmalloc: whole pages of contiguous addresses. Process context, for frees too; `gfp` must be one that may sleep.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// # use core::alloc::Layout;
/// # use mm::GfpFlags;
/// use mm::own::{Allocator, Vmalloc};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let layout = Layout::new::<[u8; 300_000]>();
/// assert!(Vmalloc::<TestKernel>::alloc(layout, GfpFlags::ATOMIC).is_err());
/// let memory = Vmalloc::<TestKernel>::alloc(layout, GfpFlags::KERNEL)?;
/// assert_eq!(memory.len(), 303_104, "whole pages");
/// // SAFETY: it came from vmalloc a moment ago.
/// unsafe { Vmalloc::<TestKernel>::free(memory.cast()) };
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct Vmalloc<K: Global>(PhantomData<K>);

// SAFETY: a class is a power of two and its objects are aligned to it, so a class that is no smaller than the alignment
// is aligned well enough.
unsafe impl<K: Global> Allocator for Kmalloc<K> {
    #[track_caller]
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        let memory = Calls::<K>::kmalloc(layout.size().max(layout.align()), gfp)?;
        let len = K::memory().objects().ksize(memory.as_ptr()).unwrap_or(layout.size());
        Ok(NonNull::slice_from_raw_parts(memory, len))
    }

    unsafe fn free(memory: NonNull<u8>) {
        let freed = Calls::<K>::kfree(memory.as_ptr());
        debug_assert!(freed.is_ok());
    }
}

// SAFETY: an area starts at a page and has at least the bytes of the request.
unsafe impl<K: Global> Allocator for Vmalloc<K> {
    #[track_caller]
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        if !gfp.may_sleep() || layout.align() > crate::addr::PAGE_SIZE {
            return Err(AllocError);
        }
        let area = Calls::<K>::vmalloc(layout.size().max(1))?;
        let memory = NonNull::new(area.start.as_mut_ptr()).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(memory, layout.size().max(1).next_multiple_of(crate::addr::PAGE_SIZE)))
    }

    unsafe fn free(memory: NonNull<u8>) {
        let freed = Calls::<K>::vfree(VirtAddr::from_ptr(memory.as_ptr()));
        debug_assert!(freed.is_ok());
    }
}
