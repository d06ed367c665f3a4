//! kvmalloc and its kin: from kmalloc where that has memory, else from vmalloc.
//! (Linux has calls of these names.)

use core::alloc::Layout;
use core::ptr::NonNull;

use super::AreaAllocator;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::areas::area::Owner;
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::{KMALLOC_MAX, NO_BYTES, Resized, zero_behind};
use crate::platform::Platform;
use crate::report::Call;
use crate::tag::Tag;
use crate::wipe::wipe;

/// What flags must have for vmalloc: its descriptors and page tables are allocated with GFP_KERNEL.
const MAPPING: GfpFlags = GfpFlags::WAIT.union(GfpFlags::IO);
/// kmalloc's try, after which vmalloc serves: it neither sleeps for long nor reports.
const TRY: GfpFlags = GfpFlags::NORETRY.union(GfpFlags::NOWARN);
/// Why a size is refused.
const TOO_LARGE: &str = "size exceeds 131072 bytes, and flags without WAIT and IO allow no vmalloc";
/// The same, whatever the flags.
const TOO_LARGE_FOR_ANY: &str = "size exceeds the address space";

impl<P: Platform> AreaAllocator<P> {
    /// Allocates at least `size` bytes: from kmalloc, or, if that has none or the size is beyond it, from vmalloc.
    pub(crate) fn kvmalloc(&'static self, size: usize, gfp: GfpFlags, call: Call) -> Result<NonNull<u8>, AllocError> {
        let layout = Layout::from_size_align(size, 1).map_err(|_| self.pages.refuse(call, TOO_LARGE_FOR_ANY))?;
        self.kvmalloc_for(layout, gfp, Tag::Vmalloc, call)
    }

    /// [`kvmalloc`](Self::kvmalloc) of memory that is aligned. An area has this tag.
    pub(crate) fn kvmalloc_for(
        &'static self,
        layout: Layout,
        gfp: GfpFlags,
        tag: Tag,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        self.pages.check_context(gfp, call)?;
        // A class is a power of two and its objects are aligned to it.
        let (size, mapped) = (layout.size().max(layout.align()), gfp.contains(MAPPING));
        let in_dma = gfp.contains(GfpFlags::DMA);
        if size <= KMALLOC_MAX {
            let gfp = if in_dma { gfp } else { gfp.difference(GfpFlags::HIGHMEM) };
            let only = size <= PAGE_SIZE || !mapped;
            let memory = self.objects.kmalloc(size, if only { gfp } else { gfp | TRY }, call);
            if only || memory.is_ok() {
                return memory;
            }
        }
        if !mapped {
            return Err(self.pages.refuse(call, TOO_LARGE));
        }
        let gfp = if in_dma { gfp } else { gfp | GfpFlags::HIGHMEM };
        let start = self.vmalloc_aligned(layout.size().max(1), layout.align(), gfp, tag, call)?;
        NonNull::new(start.as_mut_ptr()).ok_or(AllocError)
    }

    /// [`kvmalloc`](Self::kvmalloc), filled with zeros.
    pub(crate) fn kvzalloc(&'static self, size: usize, gfp: GfpFlags, call: Call) -> Result<NonNull<u8>, AllocError> {
        let memory = self.kvmalloc(size, gfp, call)?;
        // SAFETY: it has at least `size` bytes, and no other owner.
        unsafe { memory.write_bytes(0, size) };
        Ok(memory)
    }

    /// Frees memory from [`kvmalloc`](Self::kvmalloc): its address says where it came from. Null is accepted and
    /// ignored; a wrong free is reported.
    pub(crate) fn kvfree(&'static self, memory: *const u8, call: Call) -> Result<(), FreeError> {
        let addr = VirtAddr::from_ptr(memory);
        if self.has(addr) { self.vfree(addr, call) } else { self.objects.kfree(memory, call) }
    }

    /// [`kvfree`](Self::kvfree) after all of the memory was filled with zeros; a wrong free writes nothing.
    pub(crate) fn kvfree_sensitive(&'static self, memory: *const u8, call: Call) -> Result<(), FreeError> {
        let addr = VirtAddr::from_ptr(memory);
        let Some(secret) = NonNull::new(memory.cast_mut()).filter(|_| self.has(addr)) else {
            return self.objects.kfree_sensitive(memory, call);
        };
        self.pages.check_may_sleep(call).map_err(|_| FreeError::WrongContext)?;
        let bytes = self.area_bytes(addr, call)?;
        // SAFETY: the area has so many bytes, and its owner gives it back.
        unsafe { wipe(secret, bytes) };
        self.vfree(addr, call)
    }

    /// Resizes `memory`, which came from [`kvmalloc`](Self::kvmalloc) or is null, to at least `size` bytes. It moves
    /// only if its class or area is too small; 0 bytes free it. On failure it stays as it was.
    pub(crate) fn kvrealloc(
        &'static self,
        memory: *mut u8,
        size: usize,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        let addr = VirtAddr::from_ptr(memory);
        let Some(old) = NonNull::new(memory).filter(|&old| old != NO_BYTES) else {
            return self.kvmalloc(size, gfp, call);
        };
        if size > 0 {
            let layout = Layout::from_size_align(size, 1).map_err(|_| self.pages.refuse(call, TOO_LARGE_FOR_ANY))?;
            return self.kvrealloc_for(old, layout, gfp, Owner::VFREE, call);
        }
        if self.has(addr) {
            return self.vfree(addr, call).map(|()| NO_BYTES).map_err(|_| AllocError);
        }
        self.objects.krealloc(memory, 0, gfp, call)
    }

    /// [`kvrealloc`](Self::kvrealloc) of memory that is aligned already and has this owner, if it is an area.
    pub(crate) fn kvrealloc_for(
        &'static self,
        old: NonNull<u8>,
        layout: Layout,
        gfp: GfpFlags,
        owner: Owner,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        let addr = VirtAddr::from_ptr(old.as_ptr());
        let resized = match self.has(addr) {
            true => self.resize_area(addr, layout.size(), gfp, owner, call),
            false => self.objects.resize(old, layout.size(), gfp, call),
        };
        let held = match resized? {
            Resized::InPlace => return Ok(old),
            Resized::TooSmall(held) => held,
        };
        let new = self.kvmalloc_for(layout, gfp, owner.tag, call)?;
        // SAFETY: the old memory has `held` bytes, the new one more, and they do not overlap.
        unsafe { new.copy_from_nonoverlapping(old, held) };
        let freed = match self.has(addr) {
            true => self.free_at(addr, addr, owner, call),
            false => self.objects.kfree(old.as_ptr(), call),
        };
        debug_assert!(freed.is_ok());
        Ok(new)
    }

    /// [`kvrealloc`](Self::kvrealloc), after which the bytes behind the first `used` are zero. Refused: more `used`
    /// bytes than the memory has.
    pub(crate) fn kvrealloc_zeroed(
        &'static self,
        memory: *mut u8,
        used: usize,
        size: usize,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        let held = match NonNull::new(memory).filter(|&old| old != NO_BYTES) {
            Some(old) => self.kv_bytes(old, call).map_err(|_| AllocError)?,
            None => 0,
        };
        self.objects.check_used(used, held, call)?;
        let new = self.kvrealloc(memory, size, gfp, call)?;
        // SAFETY: there are `size` bytes, and only the caller uses them.
        unsafe { zero_behind(new, used, size) };
        Ok(new)
    }

    /// Bytes that the owner of memory from [`kvmalloc`](Self::kvmalloc) may use; anything else is reported.
    fn kv_bytes(&self, memory: NonNull<u8>, call: Call) -> Result<usize, FreeError> {
        let addr = VirtAddr::from_ptr(memory.as_ptr());
        if self.has(addr) { self.area_bytes(addr, call) } else { self.objects.bytes_of(memory, call) }
    }

    /// Bytes of the area at `addr` that anybody may free; anything else is reported.
    fn area_bytes(&self, addr: VirtAddr, call: Call) -> Result<usize, FreeError> {
        self.owned_bytes(addr, Owner::VFREE).map_err(|error| self.pages.bad_free(call, addr, None, error))
    }

    /// Whether the area at `addr` has `size` bytes; if not, whether the caller may free it, to move.
    fn resize_area(
        &self,
        addr: VirtAddr,
        size: usize,
        gfp: GfpFlags,
        owner: Owner,
        call: Call,
    ) -> Result<Resized, AllocError> {
        let held = self.owned_bytes(addr, owner).map_err(|error| self.pages.bad_free(call, addr, None, error));
        let held = held.map_err(|_| AllocError)?;
        self.pages.check_context(gfp, call)?;
        if size <= held {
            return Ok(Resized::InPlace);
        }
        if owner != Owner::VALUE {
            self.pages.check_may_sleep(call)?;
        }
        Ok(Resized::TooSmall(held))
    }
}
