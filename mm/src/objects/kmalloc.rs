//! kmalloc, kfree and their kin, on the size classes.
//! (Chapter: "The Real Story of kmalloc".)

use core::ptr::NonNull;

use super::ObjectAllocator;
use super::alloc::Owner;
use crate::addr::VirtAddr;
use crate::error::{AllocError, CreateError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::cache::{CacheRef, Callees};
use crate::objects::classes::{KMALLOC_MAX, NAMES, NO_BYTES, SMALLEST_SHIFT, Twin};
use crate::objects::geometry::{CacheFlags, Geometry};
use crate::platform::Platform;
use crate::report::Call;

/// The flags that name a zone.
const ZONES: GfpFlags = GfpFlags::DMA.union(GfpFlags::HIGHMEM);
/// Why a size is refused.
const TOO_LARGE: &str = "size exceeds 131072 bytes";

impl<P: Platform> ObjectAllocator<P> {
    /// Refuses a second [`init`](Self::init) after one that has made all classes.
    pub(crate) fn check_not_ready(&self, call: Call) -> Result<(), CreateError> {
        match self.classes.cache_for(KMALLOC_MAX, Twin::Dma) {
            None => Ok(()),
            Some(_) => {
                self.refuse(call, CreateError::DuplicateName.reason());
                Err(CreateError::DuplicateName)
            }
        }
    }

    /// Creates the kmalloc classes, those that an earlier call could not. After the zones have memory.
    pub(crate) fn init(&'static self, call: Call) -> Result<(), CreateError> {
        for (class, twins) in NAMES.iter().enumerate() {
            let size = 1 << (class as u32 + SMALLEST_SHIFT);
            let twins_flags = [(Twin::Normal, CacheFlags::empty()), (Twin::Dma, CacheFlags::CACHE_DMA)];
            for (twin, flags) in
                twins_flags.into_iter().filter(|&(twin, _)| self.classes.cache_for(size, twin).is_none())
            {
                let geometry = |debug| Ok(Geometry::for_class(size, debug));
                let cache = self.add_cache(twins[twin as usize], &geometry, flags, Callees::default(), call)?;
                self.classes.set(size, twin, cache);
            }
        }
        Ok(())
    }

    /// Allocates at least `size` bytes, physically contiguous and aligned to their class; content undefined.
    #[inline(always)]
    pub(crate) fn kmalloc(&'static self, size: usize, gfp: GfpFlags, call: Call) -> Result<NonNull<u8>, AllocError> {
        if size > KMALLOC_MAX {
            return Err(self.refuse(call, TOO_LARGE));
        }
        if gfp.intersects(ZONES) {
            return self.kmalloc_from_zone(size, gfp, call);
        }
        self.check_context(gfp, call)?;
        let cache = self.classes.cache_for(size, Twin::Normal).ok_or(AllocError)?;
        self.alloc_object(cache, size, gfp, call)
    }

    /// kmalloc for a request that names a zone.
    #[cold]
    #[inline(never)]
    fn kmalloc_from_zone(&'static self, size: usize, gfp: GfpFlags, call: Call) -> Result<NonNull<u8>, AllocError> {
        self.pages.check_addressable(gfp, call)?;
        self.check_context(gfp, call)?;
        let twin = if gfp.contains(GfpFlags::DMA) { Twin::Dma } else { Twin::Normal };
        let cache = self.classes.cache_for(size, twin).ok_or(AllocError)?;
        self.alloc_object(cache, size, gfp.difference(GfpFlags::HIGHMEM), call)
    }

    /// The cache that [`kmalloc`](crate::Memory::kmalloc) takes `size` bytes with these flags from; `None` beyond
    /// 131072 bytes. Objects of it may be freed either way; it cannot be destroyed.
    pub fn kmem_find_general_cachep(&self, size: usize, gfp: GfpFlags) -> Option<CacheRef<P>> {
        let twin = if gfp.contains(GfpFlags::DMA) { Twin::Dma } else { Twin::Normal };
        let size = Some(size).filter(|&size| size <= KMALLOC_MAX)?;
        self.classes.cache_for(size, twin).map(CacheRef::new)
    }

    /// [`kmalloc`](Self::kmalloc), filled with zeros.
    #[inline]
    pub(crate) fn kzalloc(&'static self, size: usize, gfp: GfpFlags, call: Call) -> Result<NonNull<u8>, AllocError> {
        let memory = self.kmalloc(size, gfp, call)?;
        // SAFETY: kmalloc returned at least `size` bytes.
        unsafe { memory.write_bytes(0, size) };
        Ok(memory)
    }

    /// [`kmalloc`](crate::Memory::kmalloc) of `count` times `size` bytes; fails when the product overflows.
    #[track_caller]
    pub fn kmalloc_array(&'static self, count: usize, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let call = Call::here(&"kmalloc_array");
        match count.checked_mul(size) {
            Some(bytes) => self.kmalloc(bytes, gfp, call),
            None => Err(self.refuse(call, TOO_LARGE)),
        }
    }

    /// [`kmalloc_array`](Self::kmalloc_array), filled with zeros.
    #[track_caller]
    pub fn kcalloc(&'static self, count: usize, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let memory = self.kmalloc_array(count, size, gfp)?;
        // SAFETY: kmalloc returned at least `count * size` bytes, a product that does not overflow.
        unsafe { memory.write_bytes(0, count * size) };
        Ok(memory)
    }

    /// Frees memory from [`kmalloc`](Self::kmalloc). Never sleeps; any context. Null is accepted and ignored; a wrong
    /// free is reported.
    #[inline]
    pub(crate) fn kfree(&'static self, memory: *const u8, call: Call) -> Result<(), FreeError> {
        self.free_object(memory, Owner::Any, call)
    }

    /// Resizes `memory`, which came from [`kmalloc`](Self::kmalloc) or is null, to at least `size` bytes. It moves only
    /// if its class is too small; 0 bytes free it, and the result is [`NO_BYTES`]. On failure `memory` stays as it was.
    pub(crate) fn krealloc(
        &'static self,
        memory: *mut u8,
        size: usize,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        let Some(old) = NonNull::new(memory).filter(|&old| old != NO_BYTES) else {
            return self.kmalloc(size, gfp, call);
        };
        let addr = VirtAddr::from_ptr(memory);
        let is_kmallocs = |(slab, _)| {
            let cache = self.owner(slab);
            if self.classes.contains(cache) { Ok(cache) } else { Err(FreeError::WrongCache) }
        };
        let cache = match (self.live_object(addr, None).and_then(is_kmallocs), self.retired_bytes(addr)) {
            (Ok(cache), _) => Some(cache),
            (Err(_), Some(_)) => None,
            (Err(error), None) => {
                self.bad_object(call, addr, error);
                return Err(AllocError);
            }
        };
        if size == 0 {
            return self.kfree(memory, call).map(|()| NO_BYTES).map_err(|_| AllocError);
        }
        self.check_context(gfp, call)?;
        let room = cache.map_or(self.object_bytes(addr), |cache| cache.geometry.usable);
        if size <= room {
            if let Some(cache) = cache.filter(|cache| !cache.debug.is_empty()) {
                self.watch_resize(cache, old, size, call);
            }
            return Ok(old);
        }
        let held = self.object_bytes(addr);
        let new = self.kmalloc(size, gfp, call)?;
        // SAFETY: both are live objects, `held` bytes and more.
        unsafe { new.copy_from_nonoverlapping(old, held) };
        let freed = self.kfree(memory, call);
        debug_assert!(freed.is_ok());
        Ok(new)
    }
}
