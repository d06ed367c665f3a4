//! kmap_atomic: a page of high memory shows on this CPU for a moment.

use super::PageAllocator;
use super::window::KmapAtomic;
use crate::addr::Pfn;
use crate::error::AllocError;
use crate::platform::Platform;
use crate::report::Call;

impl<P: Platform> PageAllocator<P> {
    /// Shows a page on this CPU for a moment. Any context; fails beyond four at a time, and for a caller without a CPU.
    pub(crate) fn kmap_atomic(&'static self, frame: Pfn, call: Call) -> Result<KmapAtomic<P>, AllocError> {
        match self.direct.page_address(frame) {
            Some(addr) => Ok(KmapAtomic::shown(addr)),
            None if self.map().block_of(frame).is_none() => Err(self.refuse(call, "no such page")),
            None => self.windows.show(&self.platform, frame),
        }
    }
}
