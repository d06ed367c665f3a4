//! The chapter's calls on whole pages: "get_free_page and Friends".

use super::Memory;
use crate::addr::{Pfn, PfnRange, VirtAddr};
use crate::error::{AllocError, FreeError, RangeError};
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::platform::Platform;
use crate::report::Call;

impl<P: Platform> Memory<P> {
    /// Allocates 2^`order` physically contiguous pages; their content is undefined. Sleeps if `gfp` has
    /// [`GfpFlags::WAIT`] and memory is short. Free it with [`free_frames`](Self::free_frames).
    ///
    /// # Errors
    /// No memory, which is reported. A context that may not sleep is refused and reported.
    #[track_caller]
    #[inline]
    pub fn alloc_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<Pfn, AllocError> {
        self.pages.alloc_pages(gfp, order, Call::here(&"alloc_pages"))
    }

    /// Allocates 2^`order` contiguous pages and returns the address of the first, aligned to the block's size: the
    /// chapter's `__get_free_pages`. Context and content as [`alloc_pages`](Self::alloc_pages).
    ///
    /// # Errors
    /// As alloc_pages; flags that ask for high memory, which has no address, are refused.
    #[track_caller]
    #[inline]
    pub fn get_free_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<VirtAddr, AllocError> {
        self.pages.get_free_pages(gfp, order, Call::here(&"__get_free_pages"))
    }

    /// [`get_free_pages`](Self::get_free_pages) from memory that ISA DMA reaches, below 16 MiB.
    ///
    /// # Errors
    /// As get_free_pages.
    #[track_caller]
    pub fn get_dma_pages(&'static self, gfp: GfpFlags, order: Order) -> Result<VirtAddr, AllocError> {
        self.pages.get_free_pages(gfp | GfpFlags::DMA, order, Call::here(&"__get_free_pages"))
    }

    /// Allocates one page filled with zeros. Context as [`alloc_pages`](Self::alloc_pages).
    ///
    /// # Errors
    /// As get_free_pages.
    #[track_caller]
    #[inline]
    pub fn get_zeroed_page(&'static self, gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
        self.pages.get_zeroed_page(gfp, Call::here(&"get_zeroed_page"))
    }

    /// Frees a block from [`alloc_pages`](Self::alloc_pages) by its first frame. Never sleeps; any context. A block
    /// with further references ([`get_page`](Self::get_page)) is freed with the last one.
    ///
    /// # Errors
    /// What was wrong, which is reported. Nothing was changed.
    ///
    /// # Safety
    /// If the block is live, it is the caller's, and nobody uses it any more. Anything else is refused.
    #[track_caller]
    #[inline]
    pub unsafe fn free_frames(&'static self, frame: Pfn, order: Order) -> Result<(), FreeError> {
        self.pages.free_frames(frame, order, Call::here(&"__free_pages"))
    }

    /// [`free_frames`](Self::free_frames) by the block's address. Address 0 is accepted and ignored.
    ///
    /// # Errors
    /// What was wrong, which is reported. Nothing was changed.
    ///
    /// # Safety
    /// If the block is live, it is the caller's, and nobody uses it any more. Anything else is refused.
    #[track_caller]
    #[inline]
    pub unsafe fn free_pages(&'static self, addr: VirtAddr, order: Order) -> Result<(), FreeError> {
        self.pages.free_pages(addr, order, Call::here(&"free_pages"))
    }

    /// [`free_pages`](Self::free_pages) of a single page.
    ///
    /// # Errors
    /// What was wrong, which is reported. Nothing was changed.
    ///
    /// # Safety
    /// If the page is live, it is the caller's, and nobody uses it any more. Anything else is refused.
    #[track_caller]
    #[inline]
    pub unsafe fn free_page(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.pages.free_pages(addr, Order::ZERO, Call::here(&"free_pages"))
    }

    /// Allocates exactly the frames of `range`, if all of them are free; content undefined. What the caches of CPUs,
    /// the pool of cleared pages and freed areas keep of them is given back first, with [`GfpFlags::WAIT`] also what
    /// whole slabs do. Each frame becomes a page of its own: free them all with
    /// [`free_contig_range`](Self::free_contig_range), or any part of them with that or
    /// [`free_frames`](Self::free_frames) of order 0. The flags say whether the call may sleep and how much must be
    /// left; their zones count for nothing.
    ///
    /// # Errors
    /// [`RangeError::InTheWay`] names the first frame that is not free. Nothing was allocated then. Refused and
    /// reported: no frames, a frame that no zone has, a context that may not sleep.
    #[track_caller]
    pub fn alloc_contig_range(&'static self, range: PfnRange, gfp: GfpFlags) -> Result<(), RangeError> {
        self.pages.alloc_contig_range(range, gfp, Call::here(&"alloc_contig_range"))
    }

    /// Frees the frames of `range`, all of them pages of order 0 without an owner of their own, such as those from
    /// [`alloc_contig_range`](Self::alloc_contig_range). They merge at once. Never sleeps; any context.
    ///
    /// # Errors
    /// What is wrong with the first frame that is no such page, which is reported; then none was freed.
    ///
    /// # Safety
    /// No other code uses the pages.
    #[track_caller]
    pub unsafe fn free_contig_range(&'static self, range: PfnRange) -> Result<(), FreeError> {
        self.pages.free_contig_range(range, Call::here(&"free_contig_range"))
    }

    /// Takes one more reference to the block that starts at `frame`, tagged or not; each is given back with
    /// [`free_frames`](Self::free_frames). Returns whether `frame` starts an allocated block.
    pub fn get_page(&self, frame: Pfn) -> bool {
        self.pages.get_page(frame)
    }

    /// How many references the block has that starts at `frame`; `None` if no allocated block does. It may have changed
    /// when the caller sees it. Any context.
    pub fn page_count(&self, frame: Pfn) -> Option<u32> {
        self.pages.block_order(frame).map(|_| self.pages.references(frame))
    }
}
