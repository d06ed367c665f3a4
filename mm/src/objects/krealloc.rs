//! Arrays and memory that grows, from kmalloc; many objects of a cache at once.

use core::panic::Location;
use core::ptr::NonNull;

use super::Memory;
use super::objects::Owner;
use crate::addr::VirtAddr;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::platform::Platform;
use crate::slab::CacheRef;

impl<P: Platform> Memory<P> {
    /// [`kmalloc`](Self::kmalloc) of `count` times `size` bytes; fails when that is more than a number can say.
    #[track_caller]
    pub fn kmalloc_array(&'static self, count: usize, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        match count.checked_mul(size) {
            Some(bytes) => self.kmalloc(bytes, gfp),
            None => Err(self.refuse("kmalloc_array", "size exceeds 131072 bytes", Location::caller())),
        }
    }

    /// [`kmalloc_array`](Self::kmalloc_array), filled with zeros.
    #[track_caller]
    pub fn kcalloc(&'static self, count: usize, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let memory = self.kmalloc_array(count, size, gfp)?;
        // SAFETY: kmalloc gave us at least `count * size` bytes, a product that does not overflow.
        unsafe { memory.write_bytes(0, count * size) };
        Ok(memory)
    }

    /// Has at least `size` bytes behind the content of `memory`, which came from [`kmalloc`](Self::kmalloc) or is null. It
    /// moves only if its class is too small. Context as kmalloc.
    ///
    /// On failure `memory` stays as it was. Anything that is not a live kmalloc'ed object is reported.
    #[track_caller]
    pub fn krealloc(&'static self, memory: *mut u8, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let caller = Location::caller();
        let Some(old) = NonNull::new(memory) else { return self.kmalloc(size, gfp) };
        let addr = VirtAddr::from_ptr(memory);
        let (slab, _) = self
            .live_object(addr, None)
            .inspect_err(|&error| {
                self.bad_object("krealloc", addr, error, caller);
            })
            .map_err(|_| AllocError)?;
        self.check_context("krealloc", gfp, caller)?;
        let held = self.owner(slab).geometry.usable;
        if size <= held {
            return Ok(old);
        }
        let new = self.kmalloc(size, gfp)?;
        // SAFETY: both are live objects, `held` bytes and more.
        unsafe { new.copy_from_nonoverlapping(old, held) };
        let freed = self.kfree(memory);
        debug_assert!(freed.is_ok());
        Ok(new)
    }

    /// Allocates objects until `objects` is full and returns how many that were: fewer only when memory ran out or the
    /// caller may not sleep. Context and content as [`kmem_cache_alloc`](Self::kmem_cache_alloc).
    #[track_caller]
    pub fn kmem_cache_alloc_bulk(
        &'static self,
        cache: CacheRef<P>,
        gfp: GfpFlags,
        objects: &mut [NonNull<u8>],
    ) -> usize {
        let caller = Location::caller();
        let Some(cache) = cache.alive() else {
            self.refuse("kmem_cache_alloc_bulk", "no such cache", caller);
            return 0;
        };
        if self.check_context("kmem_cache_alloc_bulk", gfp, caller).is_err() {
            return 0;
        }
        let mut filled = self.alloc_many_from_front(&cache, objects);
        while filled < objects.len() {
            match self.alloc_object(&cache, gfp, caller) {
                Ok(object) => objects[filled] = object,
                Err(AllocError) => break,
            }
            filled += 1;
            filled += self.alloc_many_from_front(&cache, &mut objects[filled..]);
        }
        filled
    }

    /// Frees objects of a cache; returns how many were refused, each with a report. Never sleeps; any context.
    #[track_caller]
    pub fn kmem_cache_free_bulk(&'static self, cache: CacheRef<P>, objects: &[NonNull<u8>]) -> usize {
        let caller = Location::caller();
        let free =
            |object: NonNull<u8>| self.free_object("kmem_cache_free_bulk", object.as_ptr(), Owner::This(cache), caller);
        objects.iter().filter(|&&object| free(object).is_err()).count()
    }
}
