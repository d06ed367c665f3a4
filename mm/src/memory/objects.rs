//! The chapter's calls on objects: kmalloc and lookaside caches.
//! ("The Real Story of kmalloc", "Lookaside Caches".)

use core::ptr::NonNull;

use super::Memory;
use crate::error::{AllocError, CreateError, DestroyError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::{CacheRef, CacheSpec};
use crate::platform::Platform;
use crate::report::Call;

impl<P: Platform> Memory<P> {
    /// Allocates at least `size` bytes, 0 (which counts as 1) to 131072, physically contiguous and aligned to their
    /// class; content undefined. Sleeps if `gfp` allows it and memory is short. Free it with [`kfree`](Self::kfree).
    ///
    /// # Errors
    /// No memory. More than 131072 bytes, or a context that may not sleep, are refused and reported.
    #[track_caller]
    #[inline(always)]
    pub fn kmalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.objects.kmalloc(size, gfp, Call::here(&"kmalloc"))
    }

    /// [`kmalloc`](Self::kmalloc), filled with zeros.
    ///
    /// # Errors
    /// As kmalloc.
    #[track_caller]
    #[inline]
    pub fn kzalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.objects.kzalloc(size, gfp, Call::here(&"kmalloc"))
    }

    /// Has at least `size` bytes behind the content of `memory`, which came from [`kmalloc`](Self::kmalloc) or is null.
    /// It moves only if its class is too small; on failure it stays as it was. 0 bytes free it: the result is
    /// [`NO_BYTES`](crate::objects::NO_BYTES). Refused: an object of a cache that is not kmalloc's. Context as kmalloc.
    ///
    /// # Errors
    /// As kmalloc, and wrong memory, which is reported. The memory stays as it was.
    ///
    /// # Safety
    /// If `memory` is live, it is the caller's; once this succeeds, nobody uses it any more. Anything else is refused.
    #[track_caller]
    pub unsafe fn krealloc(
        &'static self,
        memory: *mut u8,
        size: usize,
        gfp: GfpFlags,
    ) -> Result<NonNull<u8>, AllocError> {
        self.objects.krealloc(memory, size, gfp, Call::here(&"krealloc"))
    }

    /// [`krealloc`](Self::krealloc), after which the bytes behind the first `used`, up to `size`, are zero: also where
    /// the memory stays and its class had them all the time. Context as kmalloc.
    ///
    /// # Errors
    /// As krealloc. More `used` bytes than the memory has are refused and reported.
    ///
    /// # Safety
    /// `memory` came from kmalloc or is null, and only the caller uses it; once this succeeds, only by the result.
    #[track_caller]
    pub unsafe fn krealloc_zeroed(
        &'static self,
        memory: *mut u8,
        used: usize,
        size: usize,
        gfp: GfpFlags,
    ) -> Result<NonNull<u8>, AllocError> {
        self.objects.krealloc_zeroed(memory, used, size, gfp, Call::here(&"krealloc"))
    }

    /// [`kfree`](Self::kfree) after the whole of the memory was filled with zeros, not only what was asked for: for
    /// keys and passwords. No compiler leaves these writes out. Never sleeps; any context.
    ///
    /// # Errors
    /// What was wrong with the free; then nothing was written. An object of a cache that is not kmalloc's is refused:
    /// its constructor may have made what is in it.
    ///
    /// # Safety
    /// No other code uses the memory.
    #[track_caller]
    pub unsafe fn kfree_sensitive(&'static self, memory: *const u8) -> Result<(), FreeError> {
        self.objects.kfree_sensitive(memory, Call::here(&"kfree_sensitive"))
    }

    /// Frees memory from [`kmalloc`](Self::kmalloc). Never sleeps; any context. Null is accepted and ignored.
    ///
    /// # Errors
    /// What was wrong, which is reported. Nothing was changed.
    ///
    /// # Safety
    /// If the object is live, it is the caller's, and nobody uses it any more. Anything else is refused.
    #[track_caller]
    #[inline]
    pub unsafe fn kfree(&'static self, memory: *const u8) -> Result<(), FreeError> {
        self.objects.kfree(memory, Call::here(&"kfree"))
    }

    /// Creates a cache. Process context only; may sleep.
    ///
    /// # Errors
    /// What is wrong with the arguments, which is reported, or no memory.
    #[track_caller]
    pub fn kmem_cache_create(&'static self, spec: &CacheSpec<'_>) -> Result<CacheRef<P>, CreateError> {
        self.objects.kmem_cache_create(spec, Call::here(&"kmem_cache_create"))
    }

    /// Allocates an object; content is what the constructor or the last owner left. `gfp` matters only when the cache
    /// must grow, except that a call that may sleep is refused where the caller may not.
    ///
    /// # Errors
    /// No memory. A cache that was destroyed, or a context that may not sleep, is refused and reported.
    #[track_caller]
    #[inline]
    pub fn kmem_cache_alloc(&'static self, cache: CacheRef<P>, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.objects.kmem_cache_alloc(cache, gfp, Call::here(&"kmem_cache_alloc"))
    }

    /// Frees an object of `cache`. Never sleeps; any context.
    ///
    /// # Errors
    /// What was wrong, which is reported. Nothing was changed.
    ///
    /// # Safety
    /// If the object is live, it is the caller's, and nobody uses it any more. Anything else is refused.
    #[track_caller]
    #[inline]
    pub unsafe fn kmem_cache_free(&'static self, cache: CacheRef<P>, object: NonNull<u8>) -> Result<(), FreeError> {
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
    ///
    /// # Errors
    /// Objects are left; no such cache; the caller may not sleep. The cache stays as it was.
    #[track_caller]
    pub fn kmem_cache_destroy(&'static self, cache: CacheRef<P>) -> Result<(), DestroyError> {
        self.objects.kmem_cache_destroy(cache, Call::here(&"kmem_cache_destroy"))
    }
}
