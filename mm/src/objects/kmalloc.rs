//! kmalloc and kfree: thirteen size classes, each with a twin in DMA memory. (Chapter: "The Real Story of kmalloc".)

use core::panic::Location;
use core::ptr::NonNull;

use super::Memory;
use super::objects::Owner;
use crate::addr::VirtAddr;
use crate::atomic::{AtomicPtr, Ordering::Relaxed};
use crate::error::{AllocError, CreateError, FreeError};
use crate::gfp::GfpFlags;
use crate::platform::Platform;
use crate::slab::{Cache, CacheFlags, CacheName, CacheRef, Geometry};

/// How many size classes there are: 32, 64, ... 131072 bytes.
pub const KMALLOC_CLASSES: usize = 13;
/// Largest request, in bytes.
pub const KMALLOC_MAX: usize = 131_072;
/// The flags that name a zone.
const ZONES: GfpFlags = GfpFlags::DMA.union(GfpFlags::HIGHMEM);
/// log2 of the smallest class.
const SMALLEST_SHIFT: u32 = 5;

/// The names of the classes, each with its DMA twin.
const NAMES: [[CacheName; 2]; KMALLOC_CLASSES] = [
    names("size-32", "size-32(DMA)"),
    names("size-64", "size-64(DMA)"),
    names("size-128", "size-128(DMA)"),
    names("size-256", "size-256(DMA)"),
    names("size-512", "size-512(DMA)"),
    names("size-1024", "size-1024(DMA)"),
    names("size-2048", "size-2048(DMA)"),
    names("size-4096", "size-4096(DMA)"),
    names("size-8192", "size-8192(DMA)"),
    names("size-16384", "size-16384(DMA)"),
    names("size-32768", "size-32768(DMA)"),
    names("size-65536", "size-65536(DMA)"),
    names("size-131072", "size-131072(DMA)"),
];

const fn names(normal: &str, dma: &str) -> [CacheName; 2] {
    [CacheName::literal(normal), CacheName::literal(dma)]
}

/// The caches behind kmalloc: normal memory first, DMA memory second. They are made once and never destroyed.
pub struct KmallocCaches<P: Platform> {
    caches: [[AtomicPtr<Cache<P>>; u32::BITS as usize]; 2],
}

/// Which of the two caches of a class.
#[derive(Clone, Copy)]
enum Twin {
    Normal = 0,
    Dma = 1,
}

impl<P: Platform> KmallocCaches<P> {
    pub(super) fn new() -> Self {
        let none = || core::array::from_fn(|_| AtomicPtr::new(core::ptr::null_mut()));
        Self { caches: [none(), none()] }
    }

    /// The cache for `size` bytes, 0 to [`KMALLOC_MAX`], once it is made.
    #[inline]
    fn cache_for(&self, size: usize, twin: Twin) -> Option<&Cache<P>> {
        let cache = self.caches[twin as usize][place_of(size)].load(Relaxed);
        // SAFETY: null, or a cache that `init_caches` made and nothing destroys.
        unsafe { cache.as_ref() }
    }

    /// Whether a cache is one of these.
    pub(super) fn contains(&self, cache: &Cache<P>) -> bool {
        self.caches.iter().flatten().any(|place| core::ptr::eq(place.load(Relaxed), cache))
    }

    /// Has `cache` serve sizes up to `size`, down to the next smaller class.
    fn set(&self, size: usize, twin: usize, cache: *mut Cache<P>) {
        self.caches[twin][place_of(size)].store(cache, Relaxed);
        if place_of(size) == place_of(1) {
            self.caches[twin][place_of(0)].store(cache, Relaxed);
        }
    }
}

/// The place of the cache for `size` bytes: the highest bit of the largest number in its class, which is a power of two
/// less one. 0 has a place of its own, the last.
#[inline]
const fn place_of(size: usize) -> usize {
    let least = (1 << SMALLEST_SHIFT) - 1;
    (size.wrapping_sub(1) as u32 | least).ilog2() as usize
}

impl<P: Platform> Memory<P> {
    /// Makes the boot caches known and creates the kmalloc classes. Once, after the zones have memory.
    #[track_caller]
    pub fn init_caches(&'static self) -> Result<(), CreateError> {
        let caller = Location::caller();
        self.boot_caches.attach();
        for (class, twins) in NAMES.iter().enumerate() {
            let size = 1 << (class as u32 + SMALLEST_SHIFT);
            for (twin, flags) in [CacheFlags::empty(), CacheFlags::CACHE_DMA].into_iter().enumerate() {
                let cache = self.add_cache(
                    twins[twin],
                    &|debug| Ok(Geometry::for_class(size, debug)),
                    flags,
                    (None, None),
                    caller,
                )?;
                self.kmalloc.set(size, twin, cache.ptr().cast().as_ptr());
            }
        }
        self.init_windows(caller)?;
        Ok(())
    }

    /// Allocates at least `size` bytes, physically contiguous and aligned to their class; content undefined.
    ///
    /// `size` is 0 (which counts as 1) to 131072. Sleeps if `gfp` allows it and memory is short; refused where the
    /// caller may not sleep then. Free it with [`kfree`](Self::kfree).
    #[track_caller]
    #[inline(always)]
    pub fn kmalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let caller = Location::caller();
        if size > KMALLOC_MAX {
            return Err(self.refuse("kmalloc", "size exceeds 131072 bytes", caller));
        }
        if gfp.intersects(ZONES) {
            return self.kmalloc_from_zone(size, gfp, caller);
        }
        self.check_context("kmalloc", gfp, caller)?;
        let cache = self.kmalloc.cache_for(size, Twin::Normal).ok_or(AllocError)?;
        self.alloc_object(cache, gfp, caller)
    }

    /// kmalloc for a request that names a zone.
    #[cold]
    #[inline(never)]
    fn kmalloc_from_zone(
        &'static self,
        size: usize,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<NonNull<u8>, AllocError> {
        self.check_addressable("kmalloc", gfp, caller)?;
        self.check_context("kmalloc", gfp, caller)?;
        let twin = if gfp.contains(GfpFlags::DMA) { Twin::Dma } else { Twin::Normal };
        let cache = self.kmalloc.cache_for(size, twin).ok_or(AllocError)?;
        self.alloc_object(cache, gfp.difference(GfpFlags::HIGHMEM), caller)
    }

    /// The cache that [`kmalloc`](Self::kmalloc) takes `size` bytes with these flags from; `None` beyond 131072 bytes.
    /// Objects of it may be freed either way; it cannot be destroyed.
    pub fn kmem_find_general_cachep(&self, size: usize, gfp: GfpFlags) -> Option<CacheRef<P>> {
        let twin = if gfp.contains(GfpFlags::DMA) { Twin::Dma } else { Twin::Normal };
        let size = Some(size).filter(|&size| size <= KMALLOC_MAX)?;
        self.kmalloc.cache_for(size, twin).map(|cache| CacheRef::new(NonNull::from(cache)))
    }

    /// [`kmalloc`](Self::kmalloc), filled with zeros.
    #[track_caller]
    pub fn kzalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let memory = self.kmalloc(size, gfp)?;
        // SAFETY: kmalloc gave us at least `size` bytes.
        unsafe { memory.write_bytes(0, size) };
        Ok(memory)
    }

    /// Frees memory from [`kmalloc`](Self::kmalloc). Never sleeps; any context. Null is accepted and ignored; anything
    /// else that is not a live kmalloc'ed object is reported and left as it was.
    #[track_caller]
    #[inline]
    pub fn kfree(&'static self, memory: *const u8) -> Result<(), FreeError> {
        self.free_object("kfree", memory, Owner::Any, Location::caller())
    }

    /// Bytes that the object at `memory` really has, or `None` when no slab's live object starts there.
    pub fn ksize(&self, memory: *const u8) -> Option<usize> {
        let addr = VirtAddr::from_ptr(memory);
        let slab = self.slab_of(addr).ok()?;
        slab.state_at(addr).filter(|place| place.state().is_live())?;
        Some(self.owner(slab).geometry.usable)
    }

    /// Bytes of the objects of the slab around `addr`; 0 when there is none.
    pub(crate) fn object_bytes(&self, addr: VirtAddr) -> usize {
        self.slab_of(addr).map_or(0, |slab| self.owner(slab).geometry.usable)
    }
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn classes_are_powers_of_two_from_32_to_131072() {
        // Shows: S14, S15, S16, K3
        for size in 1..=131_072usize {
            let class = size.next_power_of_two().max(32);
            assert_eq!(place_of(size), place_of(class), "{size}");
            assert_eq!(1 << (place_of(size) + 1), class, "{size}");
        }
        assert!(place_of(0) > place_of(131_072), "0 has a place of its own");
    }
}
