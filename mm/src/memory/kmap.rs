//! The calls on high memory that the chapter's "Memory zones" needs.

use super::Memory;
use crate::addr::{Pfn, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::pages::KmapAtomic;
use crate::platform::Platform;
use crate::report::Call;

impl<P: Platform> Memory<P> {
    /// An address at which the page in `frame` shows until [`kunmap`](Self::kunmap). A page that shows already gets the
    /// same address again, and needs as many kunmaps. Sleeps while all windows are in use: process context only.
    /// Refused: a frame that is no memory.
    ///
    /// # Errors
    /// What is refused is reported. Nothing was shown.
    #[track_caller]
    #[inline(never)]
    pub fn kmap(&'static self, frame: Pfn) -> Result<VirtAddr, AllocError> {
        self.kmap.kmap(frame, Call::here(&"kmap"))
    }

    /// Ends a [`kmap`](Self::kmap) of the page in `frame`; one that is not shown is reported. Any context.
    ///
    /// # Errors
    /// The page is not shown. It is reported, and nothing was changed.
    ///
    /// # Safety
    /// The page is shown for the caller, by a kmap that it has not ended yet, or for nobody: that is refused.
    #[track_caller]
    pub unsafe fn kunmap(&'static self, frame: Pfn) -> Result<(), FreeError> {
        self.kmap.kunmap(frame, Call::here(&"kunmap"))
    }

    /// [`kmap`](Self::kmap) for a moment, in any context, four at a time: the caller stays on its CPU until the drop.
    ///
    /// # Errors
    /// No window is free, or the frame is no memory.
    ///
    /// # Safety
    /// What this returns is dropped last one first, and before any section ends in which the caller was pinned already:
    /// windows and pins are stacks.
    #[track_caller]
    pub unsafe fn kmap_atomic(&'static self, frame: Pfn) -> Result<KmapAtomic<P>, AllocError> {
        self.pages.kmap_atomic(frame, Call::here(&"kmap_atomic"))
    }
}
