//! Calls on memory that kmalloc or vmalloc has: kvmalloc and its kin.

use core::ptr::NonNull;

use super::Memory;
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::platform::Platform;
use crate::report::Call;

impl<P: Platform> Memory<P> {
    /// Allocates at least `size` bytes: from kmalloc if that has them without much ado, else from vmalloc; content
    /// undefined. Physically contiguous is the memory up to 4096 bytes only. Sleeps if `gfp` allows it. Flags without
    /// [`WAIT`](GfpFlags::WAIT) and [`IO`](GfpFlags::IO) get memory from kmalloc alone. Free it with
    /// [`kvfree`](Self::kvfree).
    ///
    /// # Errors
    /// No memory. Refused and reported: more than 131072 bytes with flags that allow no vmalloc, or where the caller
    /// may not sleep.
    #[track_caller]
    pub fn kvmalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.areas.kvmalloc(size, gfp, Call::here(&"kvmalloc"))
    }

    /// [`kvmalloc`](Self::kvmalloc), filled with zeros. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// As kvmalloc.
    #[track_caller]
    pub fn kvzalloc(&'static self, size: usize, gfp: GfpFlags) -> Result<NonNull<u8>, AllocError> {
        self.areas.kvzalloc(size, gfp, Call::here(&"kvmalloc"))
    }

    /// Frees memory from [`kvmalloc`](Self::kvmalloc), kmalloc or vmalloc. Null is accepted and ignored. Process
    /// context; memory that came from kmalloc, in any.
    ///
    /// # Errors
    /// What was wrong with the free, which is reported and has changed nothing.
    ///
    /// # Safety
    /// No other code uses the memory.
    #[track_caller]
    pub unsafe fn kvfree(&'static self, memory: *const u8) -> Result<(), FreeError> {
        self.areas.kvfree(memory, Call::here(&"kvfree"))
    }

    /// [`kvfree`](Self::kvfree) after the whole of the memory was filled with zeros, by writes that no compiler leaves
    /// out. Context as kvfree.
    ///
    /// # Errors
    /// As kvfree; then nothing was written. An object of a cache that is not kmalloc's is refused.
    ///
    /// # Safety
    /// No other code uses the memory.
    #[track_caller]
    pub unsafe fn kvfree_sensitive(&'static self, memory: *const u8) -> Result<(), FreeError> {
        self.areas.kvfree_sensitive(memory, Call::here(&"kvfree_sensitive"))
    }

    /// Has at least `size` bytes behind the content of `memory`, which came from [`kvmalloc`](Self::kvmalloc) or is
    /// null. It moves only if its class or its area is too small. 0 bytes free it: the result is
    /// [`NO_BYTES`](crate::objects::NO_BYTES). Sleeps if `gfp` allows it; an area moves in process context only.
    ///
    /// # Errors
    /// As kvmalloc, and wrong memory, which is reported. The memory stays as it was.
    ///
    /// # Safety
    /// Only the caller uses `memory`; once this succeeds, only by the result.
    #[track_caller]
    pub unsafe fn kvrealloc(
        &'static self,
        memory: *mut u8,
        size: usize,
        gfp: GfpFlags,
    ) -> Result<NonNull<u8>, AllocError> {
        self.areas.kvrealloc(memory, size, gfp, Call::here(&"kvrealloc"))
    }

    /// [`kvrealloc`](Self::kvrealloc), after which the bytes behind the first `used`, up to `size`, are zero. Context
    /// as kvrealloc.
    ///
    /// # Errors
    /// As kvrealloc. More `used` bytes than the memory has are refused and reported.
    ///
    /// # Safety
    /// Only the caller uses `memory`; once this succeeds, only by the result.
    #[track_caller]
    pub unsafe fn kvrealloc_zeroed(
        &'static self,
        memory: *mut u8,
        used: usize,
        size: usize,
        gfp: GfpFlags,
    ) -> Result<NonNull<u8>, AllocError> {
        self.areas.kvrealloc_zeroed(memory, used, size, gfp, Call::here(&"kvrealloc"))
    }
}
