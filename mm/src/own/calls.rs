//! The chapter's calls as functions of their own.
//!
//! The calls of [`Memory`](crate::Memory) are compiled into their callers. What owns memory, and through it drivers and
//! the kernel's own code, calls these instead: they have symbols with the book's names, so that `break kmalloc` stops
//! at whoever calls it. A call and a return is all that this costs; who counts instructions calls `Memory`.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::Global;
use crate::addr::{PhysAddr, VirtAddr};
use crate::areas::{AreaRef, Owner};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::CacheRef;
use crate::order::Order;
use crate::report::Call;
use crate::tag::Tag;

/// The calls of one kernel. They are methods because gdb finds a generic function by its whole name only.
pub struct Calls<K: Global>(PhantomData<K>);

impl<K: Global> Calls<K> {
    /// [`Memory::kmalloc`](crate::Memory::kmalloc).
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    #[track_caller]
    pub fn kmalloc(size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        K::memory().kmalloc(size, gfp)
    }

    /// [`Memory::kfree`](crate::Memory::kfree).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// If the object is live, it is the caller's, and nobody uses it any more. Anything else is refused.
    #[inline(never)]
    #[track_caller]
    pub unsafe fn kfree(memory: *const u8) -> Result<(), FreeError> {
        // SAFETY: by the contract.
        unsafe { K::memory().kfree(memory) }
    }

    /// [`Memory::kmem_cache_alloc`](crate::Memory::kmem_cache_alloc).
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    #[track_caller]
    pub fn kmem_cache_alloc(cache: CacheRef<K::Platform>, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        K::memory().kmem_cache_alloc(cache, gfp)
    }

    /// Frees an object of a cache that need not be named: which one it is, the page's entry says.
    ///
    /// # Safety
    /// The object is the caller's, and nobody uses it any more.
    #[inline(never)]
    #[track_caller]
    pub(super) unsafe fn kmem_cache_free(object: NonNull<u8>) -> Result<(), FreeError> {
        // SAFETY: by the contract.
        unsafe { K::memory().kfree(object.as_ptr()) }
    }

    /// [`Memory::get_free_pages`](crate::Memory::get_free_pages).
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    #[track_caller]
    pub fn get_free_pages(gfp: GfpFlags, order: Order) -> Result<VirtAddr, AllocError> {
        K::memory().get_free_pages(gfp, order)
    }

    /// [`Memory::get_zeroed_page`](crate::Memory::get_zeroed_page).
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    #[track_caller]
    pub fn get_zeroed_page(gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
        K::memory().get_zeroed_page(gfp)
    }

    /// [`Memory::free_pages`](crate::Memory::free_pages).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// If the block is live, it is the caller's, and nobody uses it any more. Anything else is refused.
    #[inline(never)]
    #[track_caller]
    pub unsafe fn free_pages(addr: VirtAddr, order: Order) -> Result<(), FreeError> {
        // SAFETY: by the contract.
        unsafe { K::memory().free_pages(addr, order) }
    }

    /// [`Memory::vmalloc`](crate::Memory::vmalloc) for an owner that keeps the descriptor.
    #[inline(never)]
    #[track_caller]
    pub(super) fn vmalloc(size: usize) -> Result<AreaRef, AllocError> {
        K::memory().areas().vmalloc_area(size, GfpFlags::KERNEL | GfpFlags::HIGHMEM, Call::here(&"vmalloc"))
    }

    /// [`Memory::vmalloc_aligned`](crate::Memory::vmalloc_aligned) for an owner of its own.
    #[inline(never)]
    #[track_caller]
    pub(super) fn vmalloc_aligned(size: usize, align: usize) -> Result<VirtAddr, AllocError> {
        let (gfp, call) = (GfpFlags::KERNEL | GfpFlags::HIGHMEM, Call::here(&"vmalloc"));
        K::memory().areas().vmalloc_aligned(size, align, gfp, Tag::Value, call)
    }

    /// [`Memory::kvmalloc`](crate::Memory::kvmalloc) for an owner of its own.
    #[inline(never)]
    #[track_caller]
    pub(super) fn kvmalloc(layout: Layout, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        K::memory().areas().kvmalloc_for(layout, gfp, Tag::Value, Call::here(&"kvmalloc"))
    }

    /// Resizes memory from [`kvmalloc`](Self::kvmalloc), which is aligned already.
    #[inline(never)]
    #[track_caller]
    pub(super) fn kvrealloc(old: NonNull<u8>, layout: Layout, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        K::memory().areas().kvrealloc_for(old, layout, gfp, Owner::VALUE, Call::here(&"kvrealloc"))
    }

    /// [`Memory::vfree`](crate::Memory::vfree) of such an area.
    #[inline(never)]
    #[track_caller]
    pub(super) fn vfree(addr: VirtAddr) -> Result<(), FreeError> {
        K::memory().areas().vfree_value(addr)
    }

    /// [`Memory::ioremap`](crate::Memory::ioremap) for a value that owns the mapping.
    #[inline(never)]
    #[track_caller]
    pub(super) fn ioremap(phys: PhysAddr, size: usize) -> Result<VirtAddr, AllocError> {
        K::memory().areas().ioremap(phys, size, Tag::Value, Call::here(&"ioremap"))
    }

    /// [`Memory::iounmap`](crate::Memory::iounmap) of such a mapping.
    #[inline(never)]
    #[track_caller]
    pub(super) fn iounmap(addr: VirtAddr) -> Result<(), FreeError> {
        K::memory().areas().iounmap(addr, Tag::Value, Call::here(&"iounmap"))
    }
}
