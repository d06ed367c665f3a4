//! The chapter's calls on whole pages: "get_free_page and Friends".

use super::Memory;
use crate::addr::{Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::platform::Platform;
use crate::report::Call;

impl<P: Platform> Memory<P> {
    /// Allocates 2^`order` physically contiguous pages; their content is undefined. Sleeps if `gfp` has
    /// [`GfpFlags::WAIT`] and memory is short. Free it with [`free_frames`](Self::free_frames).
    #[track_caller]
    #[inline]
    pub fn alloc_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<Pfn, AllocError> {
        self.pages.alloc_pages(gfp, order, Call::here(&"alloc_pages"))
    }

    /// Allocates 2^`order` contiguous pages and returns the address of the first, aligned to the block's size: the
    /// chapter's `__get_free_pages`. Context and content as [`alloc_pages`](Self::alloc_pages).
    #[track_caller]
    #[inline]
    pub fn get_free_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<VirtAddr, AllocError> {
        self.pages.get_free_pages(gfp, order, Call::here(&"__get_free_pages"))
    }

    /// [`get_free_pages`](Self::get_free_pages) from memory that ISA DMA reaches, below 16 MiB.
    #[track_caller]
    pub fn get_dma_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<VirtAddr, AllocError> {
        self.pages.get_free_pages(gfp | GfpFlags::DMA, order, Call::here(&"__get_free_pages"))
    }

    /// Allocates one page filled with zeros. Context as [`alloc_pages`](Self::alloc_pages).
    #[track_caller]
    #[inline]
    pub fn get_zeroed_page(&'static self, gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
        self.pages.get_zeroed_page(gfp, Call::here(&"get_zeroed_page"))
    }

    /// Frees a block from [`alloc_pages`](Self::alloc_pages) by its first frame. Never sleeps; any context. A block
    /// with further references ([`get_page`](Self::get_page)) is freed with the last one.
    #[track_caller]
    #[inline]
    pub fn free_frames(&'static self, frame: Pfn, order: Order) -> Result<(), FreeError> {
        self.pages.free_frames(frame, order, Call::here(&"__free_pages"))
    }

    /// [`free_frames`](Self::free_frames) by the block's address. Address 0 is accepted and ignored.
    #[track_caller]
    #[inline]
    pub fn free_pages(&'static self, addr: VirtAddr, order: Order) -> Result<(), FreeError> {
        self.pages.free_pages(addr, order, Call::here(&"free_pages"))
    }

    /// [`free_pages`](Self::free_pages) of a single page.
    #[track_caller]
    #[inline]
    pub fn free_page(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.pages.free_pages(addr, Order::ZERO, Call::here(&"free_pages"))
    }

    /// Takes one more reference to the block that starts at `frame`, tagged or not; each is given back with
    /// [`free_frames`](Self::free_frames). Returns whether `frame` starts an allocated block.
    pub fn get_page(&self, frame: Pfn) -> bool {
        self.pages.get_page(frame)
    }
}
