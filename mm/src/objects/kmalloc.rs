//! kmalloc, kfree and their kin, on the size classes.
//! (Chapter: "The Real Story of kmalloc".)

use core::ptr::NonNull;

use super::ObjectAllocator;
use super::alloc::Owner;
use crate::addr::VirtAddr;
use crate::error::{AllocError, CreateError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::cache::{Cache, CacheRef};
use crate::objects::classes::{KMALLOC_MAX, NAMES, NO_BYTES, SMALLEST_SHIFT, Twin};
use crate::objects::geometry::{CacheFlags, Geometry};
use crate::objects::origin::Origin;
use crate::platform::Platform;
use crate::report::Call;
use crate::wipe::wipe;

/// The flags that name a zone.
const ZONES: GfpFlags = GfpFlags::DMA.union(GfpFlags::HIGHMEM);
/// Why a size is refused.
const TOO_LARGE: &str = "size exceeds 131072 bytes";

/// What became of memory that was to be resized.
pub(crate) enum Resized {
    /// It has the bytes.
    InPlace,
    /// Its class has fewer. Its owner may use so many; nothing was changed.
    TooSmall(usize),
}

/// The memory at `memory`, unless that is null or [`NO_BYTES`].
fn some_bytes(memory: *mut u8) -> Option<NonNull<u8>> {
    NonNull::new(memory).filter(|&memory| memory != NO_BYTES)
}

/// Fills the bytes of `memory` behind the first `used` with zeros, up to `size`.
///
/// # Safety
/// `memory` is valid for writes of `size` bytes, and only the caller uses them.
pub(crate) unsafe fn zero_behind(memory: NonNull<u8>, used: usize, size: usize) {
    let grown = memory.as_ptr().wrapping_add(used);
    // SAFETY: by the contract; without growth nothing is written.
    unsafe { grown.write_bytes(0, size.saturating_sub(used)) };
}

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
                let cache = self.add_cache(twins[twin as usize], &geometry, flags, Origin::default(), call)?;
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
    /// 131072 bytes. Objects of it may be freed either way; it cannot be destroyed. Never sleeps; any context.
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
    ///
    /// # Errors
    /// As kmalloc; a product that overflows is refused.
    #[track_caller]
    pub fn kmalloc_array(&'static self, count: usize, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        let call = Call::here(&"kmalloc_array");
        match count.checked_mul(size) {
            Some(bytes) => self.kmalloc(bytes, gfp, call),
            None => Err(self.refuse(call, TOO_LARGE)),
        }
    }

    /// [`kmalloc_array`](Self::kmalloc_array), filled with zeros.
    ///
    /// # Errors
    /// As kmalloc; a product that overflows is refused.
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
        let Some(old) = some_bytes(memory) else { return self.kmalloc(size, gfp, call) };
        if size == 0 {
            self.class_of(old, call).map_err(|_| AllocError)?;
            return self.kfree(memory, call).map(|()| NO_BYTES).map_err(|_| AllocError);
        }
        let held = match self.resize(old, size, gfp, call)? {
            Resized::InPlace => return Ok(old),
            Resized::TooSmall(held) => held,
        };
        let new = self.kmalloc(size, gfp, call)?;
        // SAFETY: both are live objects, `held` bytes and more.
        unsafe { new.copy_from_nonoverlapping(old, held) };
        let freed = self.kfree(memory, call);
        debug_assert!(freed.is_ok());
        Ok(new)
    }

    /// [`krealloc`](Self::krealloc), after which the bytes behind the first `used` are zero. Refused: more `used` bytes
    /// than the memory has.
    pub(crate) fn krealloc_zeroed(
        &'static self,
        memory: *mut u8,
        used: usize,
        size: usize,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        let held = some_bytes(memory).map_or(Ok(0), |old| self.bytes_of(old, call)).map_err(|_| AllocError)?;
        self.check_used(used, held, call)?;
        let new = self.krealloc(memory, size, gfp, call)?;
        // SAFETY: there are `size` bytes, and only the caller uses them.
        unsafe { zero_behind(new, used, size) };
        Ok(new)
    }

    /// Refuses to keep more `used` bytes than the `held` ones that there are.
    pub(crate) fn check_used(&self, used: usize, held: usize, call: Call) -> Result<(), AllocError> {
        if used <= held { Ok(()) } else { Err(self.refuse(call, "more bytes are in use than the memory has")) }
    }

    /// Bytes that the owner of live memory from kmalloc may use. Anything else is reported.
    pub(crate) fn bytes_of(&self, memory: NonNull<u8>, call: Call) -> Result<usize, FreeError> {
        self.class_of(memory, call).map(|_| self.object_bytes(VirtAddr::from_ptr(memory.as_ptr())))
    }

    /// Has `size` bytes be what was asked for of live memory from kmalloc, if its class has so many.
    pub(crate) fn resize(
        &self,
        memory: NonNull<u8>,
        size: usize,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<Resized, AllocError> {
        let cache = self.class_of(memory, call).map_err(|_| AllocError)?;
        self.check_context(gfp, call)?;
        let held = self.object_bytes(VirtAddr::from_ptr(memory.as_ptr()));
        if size > cache.map_or(held, |cache| cache.geometry.usable) {
            return Ok(Resized::TooSmall(held));
        }
        if let Some(cache) = cache.filter(|cache| !cache.debug.is_empty()) {
            self.watch_resize(cache, memory, size, call);
        }
        Ok(Resized::InPlace)
    }

    /// Fills live memory from kmalloc with zeros, all that its owner may use, and frees it. Null is accepted and
    /// ignored; a wrong free is reported and writes nothing.
    pub(crate) fn kfree_sensitive(&'static self, memory: *const u8, call: Call) -> Result<(), FreeError> {
        let Some(secret) = some_bytes(memory.cast_mut()) else { return Ok(()) };
        let bytes = self.bytes_of(secret, call)?;
        // SAFETY: it is live memory of so many bytes, and its owner gives it back.
        unsafe { wipe(secret, bytes) };
        self.kfree(memory, call)
    }

    /// The class that live memory comes from; none if its slab was retired. Anything else is reported.
    fn class_of(&self, memory: NonNull<u8>, call: Call) -> Result<Option<&Cache<P>>, FreeError> {
        let addr = VirtAddr::from_ptr(memory.as_ptr());
        let is_kmallocs = |(slab, _)| {
            let cache = self.owner(slab);
            if self.classes.contains(cache) { Ok(cache) } else { Err(FreeError::WrongCache) }
        };
        match (self.live_object(addr, None).and_then(is_kmallocs), self.retired_bytes(addr)) {
            (Ok(cache), _) => Ok(Some(cache)),
            (Err(_), Some(_)) => Ok(None),
            (Err(error), None) => Err(self.bad_object(call, addr, error)),
        }
    }
}
