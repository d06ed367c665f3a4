//! The allocators put together: the chapter's calls, by the chapter's names.
//!
//! [`Memory`] owns five parts, and each stands only on those before it: [`PageAllocator`], [`ObjectAllocator`] (with
//! the [`PageTables`] beside it), [`AreaAllocator`], [`Kmap`]. This file names a call, notes who made it, and hands it
//! on; statistics and further calls are the parts' own ([`pages`](Memory::pages), [`areas`](Memory::areas) ...).
//!
//! A call that may sleep is refused where the caller may not, whether or not it would have slept. A wrong free or
//! argument is reported, changes nothing, and returns what was wrong.
//!
//! Lock order, outermost first. A lock is only ever taken by closure, and nothing is reported while one is held:
//! 1. the list of caches;
//! 2. the tree of areas; the range pool; the windows of kmap; the shrinkers; the frames that zones have; one at a time;
//! 3. a cache's own lock: its slabs and their free objects;
//! 4. a CPU's depot of that cache: the magazines in it; or the quarantine;
//! 5. the pool of cleared pages;
//! 6. a zone's lock: its free blocks, and the page-map entries as `page/` says.

use core::mem::offset_of;
use core::ptr::NonNull;

use crate::addr::{PAGE_SIZE, Pfn, PfnRange, PhysAddr, VirtAddr};
use crate::areas::AreaAllocator;
use crate::config::Config;
use crate::error::{AllocError, CreateError, DestroyError, FreeError, ReleaseError};
use crate::gfp::GfpFlags;
use crate::kmap::{Kmap, WINDOWS};
use crate::objects::{CacheName, CacheRef, CacheSpec, DebugChoice, ObjectAllocator};
use crate::order::Order;
use crate::page::{DirectMap, PageMap};
use crate::pages::{KmapAtomic, PageAllocator};
use crate::platform::Platform;
use crate::report::Call;
use crate::tables::PageTables;
use crate::tag::Tag;

/// The allocators of one machine.
pub struct Memory<P: Platform> {
    pages: PageAllocator<P>,
    objects: ObjectAllocator<P>,
    tables: PageTables<P>,
    areas: AreaAllocator<P>,
    kmap: Kmap<P>,
}

impl<P: Platform> Memory<P> {
    /// Makes allocators without memory in `place`, where they stay. Then come `release` and `init_caches`.
    ///
    /// # Safety
    /// `place` must be valid for a `Memory` for ever; before this returns nothing else uses it, and then it is shared.
    pub unsafe fn init(place: NonNull<Self>, platform: P, map: PageMap, config: Config) -> &'static Self {
        let direct = DirectMap::new(map, platform.direct_map(), config.highmem_start);
        let field = |offset: usize| place.as_ptr().cast::<u8>().wrapping_add(offset);
        let windows = config.kmap_start.add(WINDOWS * PAGE_SIZE);
        let pages = || PageAllocator::new(platform, direct, config.atomic_floor, windows);
        // SAFETY: by the contract; the field lies in `place`.
        let pages = unsafe { settle(field(offset_of!(Self, pages)).cast(), pages) };
        // SAFETY: as above.
        let objects = unsafe { settle(field(offset_of!(Self, objects)).cast(), || ObjectAllocator::new(pages)) };
        objects.init_in_place();
        // SAFETY: as above.
        let tables = unsafe { settle(field(offset_of!(Self, tables)).cast(), || PageTables::new(pages)) };
        let (range, name) = (config.vmalloc_start..config.vmalloc_end, const { CacheName::literal("vm_area") });
        let areas = || AreaAllocator::new(objects, tables, range, name);
        // SAFETY: as above.
        unsafe { settle(field(offset_of!(Self, areas)).cast(), areas) }.init_in_place();
        // SAFETY: as above.
        unsafe { settle(field(offset_of!(Self, kmap)).cast(), || Kmap::new(pages, tables, config.kmap_start)) };
        // SAFETY: every field was written, and from now on all of it is only shared.
        unsafe { place.as_ref() }
    }

    /// Hands the frames of `range` to their zones: what bootmem left over, or other memory that the caller owns and no
    /// code uses. Refused, all of it: a frame without an entry, of the kernel, or that a zone has, in use or not.
    #[track_caller]
    pub fn release(&self, range: PfnRange) -> Result<(), ReleaseError> {
        self.pages.release(range, Call::here(&"release"))
    }

    /// Creates the caches of the allocators and kmalloc's classes, once, after the zones have memory.
    #[track_caller]
    pub fn init_caches(&'static self) -> Result<(), CreateError> {
        let call = Call::here(&"kmem_cache_init");
        self.objects.check_not_ready(call)?;
        self.kmap.init(call)?;
        self.areas.init();
        self.objects.init(call)?;
        self.pages.register_shrinker(&self.areas)?;
        self.pages.register_shrinker(&self.objects)?;
        Ok(())
    }

    /// Sets how caches created from now on are debugged, and when pages and all objects are cleared; kmalloc's too,
    /// before [`init_caches`](Self::init_caches). (`slab_debug=`, `init_on_alloc=`, `init_on_free=`, `slab_stats=`)
    pub fn set_slab_debug(&self, choice: DebugChoice) {
        self.objects.set_debug(choice);
    }

    /// The page allocator: zones, watermarks, reclaim, events.
    pub fn pages(&'static self) -> &'static PageAllocator<P> {
        &self.pages
    }

    /// The object allocator: what the caches hold.
    pub fn objects(&'static self) -> &'static ObjectAllocator<P> {
        &self.objects
    }

    /// The area allocator: which area has which synthetic addresses.
    pub fn areas(&'static self) -> &'static AreaAllocator<P> {
        &self.areas
    }

    /// The supply of page tables.
    pub fn tables(&'static self) -> &'static PageTables<P> {
        &self.tables
    }

    /// The kernel beneath.
    #[inline]
    pub fn platform(&self) -> &P {
        self.pages.platform()
    }

    /// The direct map's address of `frame`; `None` for no memory, and for high memory: that needs [`kmap`](Self::kmap).
    #[inline]
    pub fn page_address(&self, frame: Pfn) -> Option<VirtAddr> {
        self.pages.direct().page_address(frame)
    }

    /// The frame whose direct-map address lies in the page of `addr`, if the page map knows it.
    #[inline]
    pub fn frame_of(&self, addr: VirtAddr) -> Option<Pfn> {
        self.pages.direct().frame_of(addr)
    }

    /// Gives back all memory that is not in use; returns how many pages that were. Process context.
    #[track_caller]
    pub fn drop_caches(&'static self) -> usize {
        self.pages.drop_caches(Call::here(&"drop_caches"))
    }

    /// Checks every invariant; returns the first that is broken. For tests: it holds locks long, and no call may run.
    pub fn validate(&'static self) -> Result<(), &'static str> {
        self.pages.validate()?;
        self.objects.validate()?;
        self.areas.validate()
    }
}

/// The chapter's calls: "get_free_page and Friends".
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

/// The chapter's calls: "The Real Story of kmalloc" and "Lookaside Caches".
impl<P: Platform> Memory<P> {
    /// Allocates at least `size` bytes, 0 (which counts as 1) to 131072, physically contiguous and aligned to their
    /// class; content undefined. Sleeps if `gfp` allows it and memory is short. Free it with [`kfree`](Self::kfree).
    #[track_caller]
    #[inline(always)]
    pub fn kmalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.objects.kmalloc(size, gfp, Call::here(&"kmalloc"))
    }

    /// [`kmalloc`](Self::kmalloc), filled with zeros.
    #[track_caller]
    #[inline]
    pub fn kzalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.objects.kzalloc(size, gfp, Call::here(&"kmalloc"))
    }

    /// Has at least `size` bytes behind the content of `memory`, which came from [`kmalloc`](Self::kmalloc) or is null.
    /// It moves only if its class is too small; on failure it stays as it was. 0 bytes free it: the result is
    /// [`NO_BYTES`](crate::objects::NO_BYTES). Refused: an object of a cache that is not kmalloc's. Context as kmalloc.
    #[track_caller]
    pub fn krealloc(&'static self, memory: *mut u8, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.objects.krealloc(memory, size, gfp, Call::here(&"krealloc"))
    }

    /// Frees memory from [`kmalloc`](Self::kmalloc). Never sleeps; any context. Null is accepted and ignored.
    #[track_caller]
    #[inline]
    pub fn kfree(&'static self, memory: *const u8) -> Result<(), FreeError> {
        self.objects.kfree(memory, Call::here(&"kfree"))
    }

    /// Creates a cache. Process context only; may sleep.
    #[track_caller]
    pub fn kmem_cache_create(&'static self, spec: &CacheSpec<'_>) -> Result<CacheRef<P>, CreateError> {
        self.objects.kmem_cache_create(spec, Call::here(&"kmem_cache_create"))
    }

    /// Allocates an object; content is what the constructor or the last owner left. `gfp` matters only when the cache
    /// must grow, except that a call that may sleep is refused where the caller may not.
    #[track_caller]
    #[inline]
    pub fn kmem_cache_alloc(&'static self, cache: CacheRef<P>, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.objects.kmem_cache_alloc(cache, gfp, Call::here(&"kmem_cache_alloc"))
    }

    /// Frees an object of `cache`. Never sleeps; any context.
    #[track_caller]
    #[inline]
    pub fn kmem_cache_free(&'static self, cache: CacheRef<P>, object: NonNull<u8>) -> Result<(), FreeError> {
        self.objects.kmem_cache_free(cache, object, Call::here(&"kmem_cache_free"))
    }

    /// Gives the whole slabs of a cache back, also those of cached objects; returns how many pages. Process context.
    #[track_caller]
    pub fn kmem_cache_shrink(&'static self, cache: CacheRef<P>) -> usize {
        self.objects.kmem_cache_shrink(cache, Call::here(&"kmem_cache_shrink"))
    }

    /// Gives back the whole slabs of every cache without `NO_REAP`, if `gfp` may sleep; returns how many pages.
    #[track_caller]
    pub fn kmem_cache_reap(&'static self, gfp: GfpFlags) -> usize {
        self.objects.kmem_cache_reap(gfp, Call::here(&"kmem_cache_reap"))
    }

    /// Destroys a cache, if all its objects were freed; else it stays, and the log says so. Meanwhile other calls by
    /// its handle find no cache; only its objects may be freed. Process context; may sleep.
    #[track_caller]
    pub fn kmem_cache_destroy(&'static self, cache: CacheRef<P>) -> Result<(), DestroyError> {
        self.objects.kmem_cache_destroy(cache, Call::here(&"kmem_cache_destroy"))
    }
}

/// The chapter's calls: "vmalloc and Friends". Process context only, all of them; they may sleep.
impl<P: Platform> Memory<P> {
    /// Allocates at least `size` bytes of contiguous addresses, in whole pages, each taken by itself; one unmapped page
    /// follows. Content undefined. Refused: 0 bytes, more than the machine's memory. Free it with
    /// [`vfree`](Self::vfree).
    #[track_caller]
    #[inline]
    pub fn vmalloc(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc(size, GfpFlags::KERNEL | GfpFlags::HIGHMEM, Call::here(&"vmalloc"))
    }

    /// [`vmalloc`](Self::vmalloc), filled with zeros.
    #[track_caller]
    pub fn vzalloc(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.vzalloc(size, GfpFlags::KERNEL | GfpFlags::HIGHMEM, Call::here(&"vzalloc"))
    }

    /// [`vmalloc`](Self::vmalloc) of pages that ISA DMA reaches: below 16 MiB.
    #[track_caller]
    pub fn vmalloc_dma(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc(size, GfpFlags::KERNEL | GfpFlags::DMA, Call::here(&"vmalloc_dma"))
    }

    /// [`vmalloc`](Self::vmalloc) of pages that the direct map shows too: none from HighMem.
    #[track_caller]
    pub fn vmalloc_32(&'static self, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc(size, GfpFlags::KERNEL, Call::here(&"vmalloc_32"))
    }

    /// [`vmalloc`](Self::vmalloc) of pages taken with these flags; descriptor and tables with GFP_KERNEL all the same.
    #[track_caller]
    pub fn __vmalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<VirtAddr, AllocError> {
        self.areas.vmalloc(size, gfp, Call::here(&"__vmalloc"))
    }

    /// Frees an area from [`vmalloc`](Self::vmalloc) by its first address. Address 0 is accepted and ignored.
    #[track_caller]
    #[inline]
    pub fn vfree(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.areas.vfree(addr, Call::here(&"vfree"))
    }

    /// Maps pages that the caller owns and keeps at contiguous addresses, by large pages if they are neighbours and
    /// aligned. Refused: no pages, a frame that is free, of boot, or no memory. Undo it with [`vunmap`](Self::vunmap).
    #[track_caller]
    pub fn vmap(&'static self, pages: &[Pfn]) -> Result<VirtAddr, AllocError> {
        self.areas.vmap(pages, Call::here(&"vmap"))
    }

    /// Undoes [`vmap`](Self::vmap); the owner of the pages may free them at once: no TLB shows them.
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
    /// [`iounmap`](Self::iounmap).
    #[track_caller]
    #[inline]
    pub fn ioremap(&'static self, phys: PhysAddr, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.ioremap(phys, size, Tag::None, Call::here(&"ioremap"))
    }

    /// [`ioremap`](Self::ioremap), whose mappings are uncached anyway.
    #[track_caller]
    pub fn ioremap_nocache(&'static self, phys: PhysAddr, size: usize) -> Result<VirtAddr, AllocError> {
        self.areas.ioremap(phys, size, Tag::None, Call::here(&"ioremap"))
    }

    /// Undoes [`ioremap`](Self::ioremap); takes the address that it returned.
    #[track_caller]
    #[inline]
    pub fn iounmap(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.areas.iounmap(addr, Tag::None, Call::here(&"iounmap"))
    }
}

/// The calls on high memory that the chapter's "Memory zones" needs.
impl<P: Platform> Memory<P> {
    /// An address at which the page in `frame` shows until [`kunmap`](Self::kunmap). A page that shows already gets the
    /// same address again, and needs as many kunmaps. Sleeps while all windows are in use: process context only.
    /// Refused: a frame that is no memory.
    #[track_caller]
    pub fn kmap(&'static self, frame: Pfn) -> Result<VirtAddr, AllocError> {
        self.kmap.kmap(frame, Call::here(&"kmap"))
    }

    /// Ends a [`kmap`](Self::kmap) of the page in `frame`; one that is not shown is reported. Any context.
    #[track_caller]
    pub fn kunmap(&'static self, frame: Pfn) -> Result<(), FreeError> {
        self.kmap.kunmap(frame, Call::here(&"kunmap"))
    }

    /// [`kmap`](Self::kmap) for a moment, in any context, four at a time: the caller stays on its CPU until the drop.
    #[track_caller]
    pub fn kmap_atomic(&'static self, frame: Pfn) -> Result<KmapAtomic<P>, AllocError> {
        self.pages.kmap_atomic(frame, Call::here(&"kmap_atomic"))
    }
}

/// Makes a part in its place, where it stays. Not inlined: the stack holds one part at a time.
///
/// # Safety
/// `place` must be valid for a `T` for ever, and nothing else may use it.
#[inline(never)]
unsafe fn settle<T>(place: *mut T, make: impl FnOnce() -> T) -> &'static T {
    // SAFETY: by the contract.
    unsafe { place.write(make()) };
    // SAFETY: by the contract; it was written just now, and is only shared from now on.
    unsafe { &*place }
}
