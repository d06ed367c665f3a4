//! Where containers get memory: allocators whose calls take GFP flags.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::{Calls, Global};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::wipe::wipe;

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
    /// The kernel whose memory it hands out.
    type Kernel: Global;

    /// Allocates memory for `layout`; content undefined. Sleeps if `gfp` allows it. The memory may be longer than the
    /// layout.
    ///
    /// # Errors
    /// No memory, or none with these flags.
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError>;

    /// [`alloc`](Self::alloc) for who needs no more bytes than the layout. Context as there.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    fn alloc_plain(layout: Layout, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        Self::alloc(layout, gfp).map(NonNull::cast)
    }

    /// Bytes of `memory`, which this allocator has handed out: 0 if it has not. Any context.
    fn bytes(memory: NonNull<u8>) -> usize;

    /// Bytes of the machine's memory that `memory` costs, with what the allocator keeps for it. Any context.
    fn footprint(memory: NonNull<u8>) -> usize {
        Self::bytes(memory)
    }

    /// Frees memory.
    ///
    /// # Safety
    /// It came from [`alloc`](Self::alloc) of this allocator and is not used any more.
    unsafe fn free(memory: NonNull<u8>);

    /// Resizes `memory` to `new`, keeping its first `used` bytes; it may move. On failure it stays as it was.
    /// Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// As [`alloc`](Self::alloc).
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

/// vmalloc: whole pages of contiguous addresses. Process context; `gfp` must be one that may sleep. Frees: any context.
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

/// kvmalloc: from kmalloc if that has the memory without much ado, else from vmalloc, which flags without WAIT and IO
/// do not allow. Frees: any context.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// # use core::alloc::Layout;
/// # use mm::GfpFlags;
/// use mm::own::{Allocator, KVmalloc};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// for (bytes, held) in [(100, 128), (300_000, 303_104)] {
///     let layout = Layout::from_size_align(bytes, 64).expect("a power of two");
///     let memory = KVmalloc::<TestKernel>::alloc(layout, GfpFlags::KERNEL)?;
///     assert_eq!(memory.len(), held);
///     // SAFETY: it came from this allocator a moment ago.
///     unsafe { KVmalloc::<TestKernel>::free(memory.cast()) };
/// }
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct KVmalloc<K: Global>(PhantomData<K>);

/// Memory of `A` that is filled with zeros before it is freed, by writes that no compiler leaves out: for keys and
/// passwords. A vector that grows leaves nothing behind, nor does a box.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::{Kmalloc, Vec, Wiped};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut password = Vec::<u8, Wiped<Kmalloc<TestKernel>>>::from_slice(b"correct horse", GfpFlags::KERNEL)?;
/// password.extend_from_slice(b" battery staple", GfpFlags::KERNEL)?;
/// drop(password);
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct Wiped<A: Allocator>(PhantomData<A>);

// SAFETY: a class is a power of two and its objects are aligned to it, so a class that is no smaller than the alignment
// is aligned well enough.
unsafe impl<K: Global> Allocator for Kmalloc<K> {
    type Kernel = K;

    #[track_caller]
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        let memory = Self::alloc_plain(layout, gfp)?;
        let len = K::memory().objects().ksize(memory.as_ptr()).unwrap_or(layout.size());
        Ok(NonNull::slice_from_raw_parts(memory, len))
    }

    #[track_caller]
    fn alloc_plain(layout: Layout, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        Calls::<K>::kmalloc(layout.size().max(layout.align()), gfp)
    }

    fn bytes(memory: NonNull<u8>) -> usize {
        K::memory().objects().ksize(memory.as_ptr()).unwrap_or(0)
    }

    fn footprint(memory: NonNull<u8>) -> usize {
        K::memory().objects().footprint(VirtAddr::from_ptr(memory.as_ptr()))
    }

    unsafe fn free(memory: NonNull<u8>) {
        // SAFETY: by the contract of this call.
        let freed = unsafe { Calls::<K>::kfree(memory.as_ptr()) };
        debug_assert!(freed.is_ok());
    }
}

// SAFETY: an area starts at a page and has at least the bytes of the request.
unsafe impl<K: Global> Allocator for Vmalloc<K> {
    type Kernel = K;

    #[track_caller]
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        if !gfp.may_sleep() {
            return Err(AllocError);
        }
        let size = layout.size().max(1);
        let start = Calls::<K>::vmalloc_aligned(size, layout.align())?;
        let memory = NonNull::new(start.as_mut_ptr()).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(memory, size.next_multiple_of(PAGE_SIZE)))
    }

    fn bytes(memory: NonNull<u8>) -> usize {
        K::memory().areas().value_bytes(VirtAddr::from_ptr(memory.as_ptr()))
    }

    fn footprint(memory: NonNull<u8>) -> usize {
        K::memory().areas().cost_of(Self::bytes(memory))
    }

    unsafe fn free(memory: NonNull<u8>) {
        let freed = Calls::<K>::vfree(VirtAddr::from_ptr(memory.as_ptr()));
        debug_assert!(freed.is_ok());
    }
}

// SAFETY: as of the two allocators; an address says which of them it came from.
unsafe impl<K: Global> Allocator for KVmalloc<K> {
    type Kernel = K;

    #[track_caller]
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        let memory = Self::alloc_plain(layout, gfp)?;
        Ok(NonNull::slice_from_raw_parts(memory, Self::bytes(memory).max(layout.size())))
    }

    #[track_caller]
    fn alloc_plain(layout: Layout, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        Calls::<K>::kvmalloc(layout, gfp)
    }

    fn bytes(memory: NonNull<u8>) -> usize {
        if is_area::<K>(memory) { Vmalloc::<K>::bytes(memory) } else { Kmalloc::<K>::bytes(memory) }
    }

    fn footprint(memory: NonNull<u8>) -> usize {
        if is_area::<K>(memory) { Vmalloc::<K>::footprint(memory) } else { Kmalloc::<K>::footprint(memory) }
    }

    unsafe fn free(memory: NonNull<u8>) {
        // SAFETY: by the contract of this call.
        let freed = unsafe { release::<K>(memory) };
        debug_assert!(freed.is_ok());
    }
}

/// Frees memory from [`KVmalloc`]; a wrong free is reported. Any context.
///
/// # Safety
/// If the memory is live, it is the caller's, and nobody uses it any more.
pub(super) unsafe fn release<K: Global>(memory: NonNull<u8>) -> Result<(), FreeError> {
    match is_area::<K>(memory) {
        true => Calls::<K>::vfree(VirtAddr::from_ptr(memory.as_ptr())),
        // SAFETY: by the contract.
        false => unsafe { Calls::<K>::kfree(memory.as_ptr()) },
    }
}

/// Whether the memory is of vmalloc.
fn is_area<K: Global>(memory: NonNull<u8>) -> bool {
    K::memory().areas().has(VirtAddr::from_ptr(memory.as_ptr()))
}

// SAFETY: the memory is that of `A`.
unsafe impl<A: Allocator> Allocator for Wiped<A> {
    type Kernel = A::Kernel;

    #[track_caller]
    fn alloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<[u8]>, AllocError> {
        A::alloc(layout, gfp)
    }

    #[track_caller]
    fn alloc_plain(layout: Layout, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        A::alloc_plain(layout, gfp)
    }

    fn bytes(memory: NonNull<u8>) -> usize {
        A::bytes(memory)
    }

    fn footprint(memory: NonNull<u8>) -> usize {
        A::footprint(memory)
    }

    unsafe fn free(memory: NonNull<u8>) {
        // SAFETY: the memory has so many bytes, and nobody uses them any more.
        unsafe { wipe(memory, A::bytes(memory)) };
        // SAFETY: by the contract.
        unsafe { A::free(memory) };
    }
}
