//! The raw frees as safe calls, for code that is trusted with them.
//!
//! Key types: [`TrustedMemory`].

use core::ops::Deref;
use core::ptr::NonNull;

use crate::addr::{Pfn, PfnRange, VirtAddr};
use crate::error::{AllocError, FreeError, ReleaseError};
use crate::gfp::GfpFlags;
use crate::memory::Memory;
use crate::objects::CacheRef;
use crate::order::Order;
use crate::pages::KmapAtomic;
use crate::platform::Platform;

/// [`Memory`] for tests, benchmarks and teaching: what frees or unmaps the memory that an address names is a safe call
/// here, so that four hundred wrong frees can be read. All else is [`Memory`]'s.
#[repr(transparent)]
pub struct TrustedMemory<P: Platform>(Memory<P>);

#[expect(clippy::missing_errors_doc, reason = "they are those of the calls named")]
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "whoever has this keeps the contract of `new`")]
impl<P: Platform> TrustedMemory<P> {
    /// Trusts whoever gets the result.
    ///
    /// # Safety
    /// All code that can call it, safe code too, names only memory of its own, or what a call refuses: it keeps the
    /// contracts of the calls whose names these are.
    pub const unsafe fn new(memory: &Memory<P>) -> &Self {
        let trusted = core::ptr::from_ref(memory).cast::<Self>();
        // SAFETY: the two are laid out alike.
        unsafe { &*trusted }
    }

    /// [`Memory::free_frames`].
    #[track_caller]
    #[inline]
    pub fn free_frames(&'static self, frame: Pfn, order: Order) -> Result<(), FreeError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.free_frames(frame, order) }
    }

    /// [`Memory::free_pages`].
    #[track_caller]
    #[inline]
    pub fn free_pages(&'static self, addr: VirtAddr, order: Order) -> Result<(), FreeError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.free_pages(addr, order) }
    }

    /// [`Memory::kmap_atomic`].
    #[track_caller]
    pub fn kmap_atomic(&'static self, frame: Pfn) -> Result<KmapAtomic<P>, AllocError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.kmap_atomic(frame) }
    }

    /// [`Memory::free_page`].
    #[track_caller]
    #[inline]
    pub fn free_page(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.free_page(addr) }
    }

    /// [`PageAllocator::free_pages_bulk`](crate::pages::PageAllocator::free_pages_bulk).
    #[track_caller]
    pub fn free_pages_bulk(&'static self, pages: &[Pfn]) -> usize {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.pages().free_pages_bulk(pages) }
    }

    /// [`Memory::krealloc`].
    #[track_caller]
    pub fn krealloc(&'static self, memory: *mut u8, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.krealloc(memory, size, gfp) }
    }

    /// [`Memory::kfree`].
    #[track_caller]
    #[inline]
    pub fn kfree(&'static self, memory: *const u8) -> Result<(), FreeError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.kfree(memory) }
    }

    /// [`Memory::kmem_cache_free`].
    #[track_caller]
    #[inline]
    pub fn kmem_cache_free(&'static self, cache: CacheRef<P>, object: NonNull<u8>) -> Result<(), FreeError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.kmem_cache_free(cache, object) }
    }

    /// [`Memory::kunmap`].
    #[track_caller]
    pub fn kunmap(&'static self, frame: Pfn) -> Result<(), FreeError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.kunmap(frame) }
    }

    /// [`Memory::release`].
    #[track_caller]
    pub fn release(&self, range: PfnRange) -> Result<(), ReleaseError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.release(range) }
    }

    /// [`AreaAllocator::set_memory_ro`](crate::areas::AreaAllocator::set_memory_ro).
    #[track_caller]
    pub fn set_memory_ro(&'static self, at: VirtAddr, pages: usize) -> Result<(), AllocError> {
        // SAFETY: by the contract of `new`.
        unsafe { self.0.areas().set_memory_ro(at, pages) }
    }
}

impl<P: Platform> Deref for TrustedMemory<P> {
    type Target = Memory<P>;

    #[inline]
    fn deref(&self) -> &Memory<P> {
        &self.0
    }
}
