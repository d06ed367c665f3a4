//! kmalloc's thirteen size classes: which cache serves which size.
//! Each class has a twin in DMA memory.

use core::num::NonZeroUsize;
use core::ptr::NonNull;

use crate::atomic::{AtomicPtr, Ordering::Relaxed};
use crate::objects::cache::{Cache, CachePtr};
use crate::objects::name::CacheName;
use crate::platform::Platform;

/// How many size classes there are: 32, 64, ... 131072 bytes.
pub const KMALLOC_CLASSES: usize = 13;
/// Largest request, in bytes.
pub const KMALLOC_MAX: usize = 131_072;
/// What [`krealloc`](crate::Memory::krealloc) to 0 bytes returns: no memory. It may be freed and resized like some.
pub const NO_BYTES: NonNull<u8> = NonNull::without_provenance(NonZeroUsize::MIN.saturating_add(31));
/// log2 of the smallest class.
pub(super) const SMALLEST_SHIFT: u32 = 5;

/// The names of the classes, each with its DMA twin.
pub(super) const NAMES: [[CacheName; 2]; KMALLOC_CLASSES] = [
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
pub(super) struct SizeClasses<P: Platform> {
    caches: [[AtomicPtr<Cache<P>>; usize::BITS as usize]; 2],
}

/// Which of the two caches of a class.
#[derive(Clone, Copy)]
pub(super) enum Twin {
    Normal = 0,
    Dma = 1,
}

impl<P: Platform> SizeClasses<P> {
    pub(super) fn new() -> Self {
        let none = || core::array::from_fn(|_| AtomicPtr::new(core::ptr::null_mut()));
        Self { caches: [none(), none()] }
    }

    /// The cache for `size` bytes, 0 to [`KMALLOC_MAX`], once it is made.
    #[inline]
    pub(super) fn cache_for(&self, size: usize, twin: Twin) -> Option<&Cache<P>> {
        let cache = self.caches[twin as usize][place_of(size)].load(Relaxed);
        // SAFETY: null, or a cache that `init` made and nothing destroys.
        unsafe { cache.as_ref() }
    }

    /// Whether a cache is one of these.
    pub(super) fn contains(&self, cache: &Cache<P>) -> bool {
        let is_class =
            |twin| self.cache_for(cache.geometry.usable, twin).is_some_and(|class| core::ptr::eq(class, cache));
        is_class(Twin::Normal) || is_class(Twin::Dma)
    }

    /// Sets the cache for `size` bytes, down to the next smaller class.
    pub(super) fn set(&self, size: usize, twin: Twin, cache: CachePtr<P>) {
        let cache = core::ptr::from_ref::<Cache<P>>(&cache).cast_mut();
        let smaller = if size == 1 << SMALLEST_SHIFT { 0..=place_of(size) } else { place_of(size)..=place_of(size) };
        smaller.for_each(|place| self.caches[twin as usize][place].store(cache, Relaxed));
        if size == 1 << SMALLEST_SHIFT {
            self.caches[twin as usize][place_of(0)].store(cache, Relaxed);
        }
    }
}

/// The place of the cache for `size` bytes: log2 of the next power of two. 0 has a
/// place of its own, the last.
#[inline]
const fn place_of(size: usize) -> usize {
    // One instruction makes this number, and leaves the size as it is.
    size.wrapping_mul(2).wrapping_sub(1).ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn classes_are_powers_of_two_from_32_to_131072() {
        // Shows: S14, S15, S16, K3
        for size in 1..=131_072usize {
            let class = size.next_power_of_two().max(32);
            assert_eq!(1 << place_of(size).max(5), class, "{size}");
        }
        assert!(place_of(0) > place_of(131_072), "0 has a place of its own");
    }
}
