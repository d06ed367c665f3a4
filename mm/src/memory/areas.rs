//! The chapter's calls on areas: "vmalloc and Friends".
//!
//! Process context only, all of them; they may sleep.

use super::Memory;
use crate::addr::{Pfn, PhysAddr, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::platform::Platform;
use crate::report::Call;
use crate::tag::Tag;

impl<P: Platform> Memory<P> {
    /// Allocates at least `size` bytes of contiguous addresses, in whole pages, each taken by itself; one unmapped page
    /// follows. Content undefined. Refused: 0 bytes, more than the machine's memory. Free it with
    /// [`vfree`](Self::vfree). Process context; may sleep.
    ///
    /// # Errors
    /// No memory or no addresses. What is refused is reported.
    #[track_caller]
    #[inline]
    pub fn vmalloc(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc(size, GfpFlags::KERNEL | GfpFlags::HIGHMEM, Call::here(&"vmalloc"))
    }

    /// [`vmalloc`](Self::vmalloc), filled with zeros.
    ///
    /// # Errors
    /// As vmalloc.
    #[track_caller]
    pub fn vzalloc(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.vzalloc(size, GfpFlags::KERNEL | GfpFlags::HIGHMEM, Call::here(&"vzalloc"))
    }

    /// [`vmalloc`](Self::vmalloc) of pages that ISA DMA reaches: below 16 MiB.
    ///
    /// # Errors
    /// As vmalloc.
    #[track_caller]
    pub fn vmalloc_dma(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc(size, GfpFlags::KERNEL | GfpFlags::DMA, Call::here(&"vmalloc_dma"))
    }

    /// [`vmalloc`](Self::vmalloc) of pages that the direct map shows too: none from HighMem.
    ///
    /// # Errors
    /// As vmalloc.
    #[track_caller]
    pub fn vmalloc_32(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc(size, GfpFlags::KERNEL, Call::here(&"vmalloc_32"))
    }

    /// [`vmalloc`](Self::vmalloc) of pages taken with these flags; descriptor and tables with GFP_KERNEL all the same.
    ///
    /// # Errors
    /// As vmalloc.
    #[track_caller]
    pub fn __vmalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc(size, gfp, Call::here(&"__vmalloc"))
    }

    /// [`vmalloc`](Self::vmalloc) at an address that is a multiple of `align`, any power of two, with the flags of
    /// [`__vmalloc`](Self::__vmalloc). Process context; may sleep.
    ///
    /// # Errors
    /// As vmalloc. Refused and reported: an alignment that is no power of two, or for which the range of addresses has
    /// no room.
    #[track_caller]
    pub fn vmalloc_aligned(&'static self, size: usize, align: usize, gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc_aligned(size, align, gfp, Tag::Vmalloc, Call::here(&"vmalloc_aligned"))
    }

    /// Frees an area from [`vmalloc`](Self::vmalloc) by its first address. Address 0 is accepted and ignored.
    /// Process context; may sleep.
    ///
    /// # Errors
    /// No area of vmalloc starts there, or it has an owner. It is reported, and nothing was changed.
    #[track_caller]
    #[inline]
    pub fn vfree(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.areas.vfree(addr, Call::here(&"vfree"))
    }

    /// Maps pages that the caller owns and keeps at contiguous addresses, by large pages if they are neighbours and
    /// aligned. Refused: no pages, a frame that is free, of boot, or no memory. Undo it with [`vunmap`](Self::vunmap).
    /// Process context; may sleep.
    ///
    /// # Errors
    /// No memory or no addresses. What is refused is reported.
    #[track_caller]
    pub fn vmap(&'static self, pages: &[Pfn]) -> Result<VirtAddr, AllocError> {
        self.areas.vmap(pages, Call::here(&"vmap"))
    }

    /// Undoes [`vmap`](Self::vmap); the owner of the pages may free them at once: no TLB shows them.
    /// Process context; may sleep.
    ///
    /// # Errors
    /// No area of vmap starts there. It is reported, and nothing was changed.
    #[track_caller]
    pub fn vunmap(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.areas.vunmap(addr, Call::here(&"vunmap"))
    }

    /// Flushes the translations of lazy areas and frees their frames; returns how many pages that were. vfree and
    /// iounmap put the flush off: call this when no old translation may be left at all.
    pub fn vm_unmap_aliases(&'static self) -> usize {
        self.areas.unmap_aliases()
    }

    /// Maps the device memory at `phys`, `size` bytes, uncached; the result points to the same offset in the first
    /// page. Refused: 0 bytes, a range that wraps around, memory of the allocators or the kernel. Undo:
    /// [`iounmap`](Self::iounmap). Process context; may sleep.
    ///
    /// # Errors
    /// No memory or no addresses. What is refused is reported.
    #[track_caller]
    #[inline]
    pub fn ioremap(&'static self, phys: PhysAddr, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.ioremap(phys, size, Tag::None, Call::here(&"ioremap"))
    }

    /// [`ioremap`](Self::ioremap), whose mappings are uncached anyway.
    ///
    /// # Errors
    /// As ioremap.
    #[track_caller]
    pub fn ioremap_nocache(&'static self, phys: PhysAddr, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.ioremap(phys, size, Tag::None, Call::here(&"ioremap"))
    }

    /// Undoes [`ioremap`](Self::ioremap); takes the address that it returned. Process context; may sleep.
    ///
    /// # Errors
    /// No mapping of ioremap starts at that page. It is reported, and nothing was changed.
    #[track_caller]
    #[inline]
    pub fn iounmap(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.areas.iounmap(addr, Tag::None, Call::here(&"iounmap"))
    }
}
