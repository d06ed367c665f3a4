//! The calls that are measured, each as a [`Call`].
//!
//! The fast ways are inlined into the loops, as they are into all their callers in the kernel.
//! A free of what was just allocated does not fail, and a failure would be in the log.
#![expect(unsafe_code, reason = "what is timed are the raw calls, which free what these types have allocated")]

use core::ptr::NonNull;

use mm::objects::{DebugChoice, DebugFlags};
use mm::{AllocError, CacheRef, CacheSpec, GfpFlags, Order, Pfn, PhysAddr, VirtAddr};

use super::probe::Call;
use crate::arch::hide::Hide;
use crate::mm::{KernelPlatform, memory};
use crate::options;

/// alloc_pages and __free_pages.
#[derive(Clone, Copy)]
pub struct Pages {
    /// The request's flags.
    pub gfp: GfpFlags,
    /// The blocks' size.
    pub order: Order,
}

impl Call for Pages {
    type Held = Pfn;

    #[inline(always)]
    fn take(&self) -> Result<Pfn, AllocError> {
        memory().alloc_pages(self.gfp, self.order)
    }

    #[inline(always)]
    fn give(&self, held: Pfn) {
        // SAFETY: it was allocated by `take`, and is used by nobody.
        let _ = unsafe { memory().free_frames(held, self.order) };
    }
}

/// A block beside the one that is allocated and freed. As long as it is held, that one is neither split off nor merged,
/// whatever else happens to be free: a figure does not depend on what was allocated before.
pub struct Neighbour {
    frame: Pfn,
    order: Order,
}

impl Neighbour {
    /// Allocates two blocks and frees the first; none if there are no two.
    pub fn hold(order: Order) -> Option<Self> {
        let pages = Pages { gfp: GfpFlags::KERNEL, order };
        let first = pages.take().ok()?;
        let second = pages.take();
        pages.give(first);
        second.ok().map(|frame| Self { frame, order })
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        Pages { gfp: GfpFlags::KERNEL, order: self.order }.give(self.frame);
    }
}

/// get_free_page and free_page.
#[derive(Clone, Copy)]
pub struct FreePage;

impl Call for FreePage {
    type Held = VirtAddr;

    #[inline(always)]
    fn take(&self) -> Result<VirtAddr, AllocError> {
        memory().get_free_pages(GfpFlags::KERNEL, Order::ZERO)
    }

    #[inline(always)]
    fn give(&self, held: VirtAddr) {
        // SAFETY: it was allocated by `take`, and is used by nobody.
        let _ = unsafe { memory().free_page(held) };
    }
}

/// get_zeroed_page and free_page.
#[derive(Clone, Copy)]
pub struct ZeroedPage;

impl Call for ZeroedPage {
    type Held = VirtAddr;

    #[inline(always)]
    fn take(&self) -> Result<VirtAddr, AllocError> {
        memory().get_zeroed_page(GfpFlags::KERNEL)
    }

    #[inline(always)]
    fn give(&self, held: VirtAddr) {
        // SAFETY: it was allocated by `take`, and is used by nobody.
        let _ = unsafe { memory().free_page(held) };
    }
}

fn address(object: NonNull<u8>) -> VirtAddr {
    VirtAddr::from_ptr(object.as_ptr())
}

/// kmalloc and kfree.
#[derive(Clone, Copy)]
pub struct Kmalloc {
    /// Bytes asked for.
    pub size: usize,
    /// The request's flags.
    pub gfp: GfpFlags,
}

impl Call for Kmalloc {
    type Held = VirtAddr;

    #[inline(always)]
    fn take(&self) -> Result<VirtAddr, AllocError> {
        memory().kmalloc(self.size.hidden(), self.gfp).map(address)
    }

    #[inline(always)]
    fn give(&self, held: VirtAddr) {
        // SAFETY: it was allocated by `take`, and is used by nobody.
        let _ = unsafe { memory().kfree(held.as_mut_ptr()) };
    }
}

/// kmalloc of a size that the compiler knows, and kfree.
#[derive(Clone, Copy)]
pub struct KmallocConst<const SIZE: usize>;

impl<const SIZE: usize> Call for KmallocConst<SIZE> {
    type Held = VirtAddr;

    #[inline(always)]
    fn take(&self) -> Result<VirtAddr, AllocError> {
        memory().kmalloc(SIZE, GfpFlags::KERNEL).map(address)
    }

    #[inline(always)]
    fn give(&self, held: VirtAddr) {
        // SAFETY: it was allocated by `take`, and is used by nobody.
        let _ = unsafe { memory().kfree(held.as_mut_ptr()) };
    }
}

/// kmalloc with the memory cleared, and kfree.
#[derive(Clone, Copy)]
pub struct Kzalloc(pub usize);

impl Call for Kzalloc {
    type Held = VirtAddr;

    #[inline(always)]
    fn take(&self) -> Result<VirtAddr, AllocError> {
        memory().kzalloc(self.0.hidden(), GfpFlags::KERNEL).map(address)
    }

    #[inline(always)]
    fn give(&self, held: VirtAddr) {
        // SAFETY: it was allocated by `take`, and is used by nobody.
        let _ = unsafe { memory().kfree(held.as_mut_ptr()) };
    }
}

/// A cache that lives as long as the benchmark.
pub struct OwnCache(CacheRef<KernelPlatform>);

impl OwnCache {
    /// A cache of objects of `size` bytes. May sleep.
    pub fn new(name: &str, size: usize) -> Result<Self, AllocError> {
        create(name, size).map(Self)
    }

    /// The same, whose calls are counted, as all are with `slab_stats=1`.
    pub fn counted(name: &str, size: usize) -> Result<Self, AllocError> {
        let asked = options::get().memory.slab_debug;
        memory().set_slab_debug(DebugChoice { all: asked.all | DebugFlags::COUNT, ..asked });
        let counted = Self::new(name, size);
        memory().set_slab_debug(asked);
        counted
    }

    /// kmem_cache_alloc with these flags, and kmem_cache_free.
    pub fn call(&self, gfp: GfpFlags) -> CacheCall {
        CacheCall { cache: self.0, gfp }
    }
}

impl Drop for OwnCache {
    fn drop(&mut self) {
        let _ = memory().kmem_cache_destroy(self.0);
    }
}

fn create(name: &str, size: usize) -> Result<CacheRef<KernelPlatform>, AllocError> {
    let flags = mm::CacheFlags::HWCACHE_ALIGN;
    // Only memory can be lacking: name and size are our own.
    memory()
        .kmem_cache_create(&CacheSpec { name, size, offset: 0, flags, ctor: None, dtor: None })
        .map_err(|_| AllocError)
}

/// kmem_cache_alloc and kmem_cache_free.
#[derive(Clone, Copy)]
pub struct CacheCall {
    cache: CacheRef<KernelPlatform>,
    gfp: GfpFlags,
}

impl Call for CacheCall {
    type Held = NonNull<u8>;

    #[inline(always)]
    fn take(&self) -> Result<NonNull<u8>, AllocError> {
        memory().kmem_cache_alloc(self.cache, self.gfp)
    }

    #[inline(always)]
    fn give(&self, held: NonNull<u8>) {
        // SAFETY: it was allocated by `take`, and is used by nobody.
        let _ = unsafe { memory().kmem_cache_free(self.cache, held) };
    }
}

/// kmem_cache_create and kmem_cache_destroy.
#[derive(Clone, Copy)]
pub struct CreateCache;

impl Call for CreateCache {
    type Held = CacheRef<KernelPlatform>;

    #[inline(always)]
    fn take(&self) -> Result<Self::Held, AllocError> {
        create("bench-passing", 200)
    }

    #[inline(always)]
    fn give(&self, held: Self::Held) {
        let _ = memory().kmem_cache_destroy(held);
    }
}

/// vmalloc and vfree.
#[derive(Clone, Copy)]
pub struct Vmalloc {
    /// Bytes asked for.
    pub size: usize,
}

impl Call for Vmalloc {
    type Held = VirtAddr;

    #[inline(always)]
    fn take(&self) -> Result<VirtAddr, AllocError> {
        memory().vmalloc(self.size.hidden())
    }

    #[inline(always)]
    fn give(&self, held: VirtAddr) {
        let _ = memory().vfree(held);
    }
}

/// ioremap and iounmap.
#[derive(Clone, Copy)]
pub struct Ioremap {
    /// Where the device's memory lies.
    pub phys: PhysAddr,
    /// Bytes of it.
    pub size: usize,
}

impl Call for Ioremap {
    type Held = VirtAddr;

    #[inline(always)]
    fn take(&self) -> Result<VirtAddr, AllocError> {
        memory().ioremap(self.phys, self.size.hidden())
    }

    #[inline(always)]
    fn give(&self, held: VirtAddr) {
        let _ = memory().iounmap(held);
    }
}
