//! set_memory_ro and set_memory_rw: pages that can only be read.
//! (Linux has calls of these names.)

use super::AreaAllocator;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::areas::area::AreaKind;
use crate::error::{AllocError, MapError};
use crate::mapper::Access;
use crate::page::PageState;
use crate::platform::{KernelTables, Platform};
use crate::report::Call;

impl<P: Platform> AreaAllocator<P> {
    /// Makes the `pages` pages from `at` on, which the caller owns, read-only in the direct map or an area: a write to
    /// them there faults. Large pages of which they are a part are split, with tables from the page allocator. Make
    /// pages of the direct map writable again before you free them. Refused: an address inside a page, pages that are
    /// not mapped, a part of a large block of vmalloc_huge. A failure changes nothing. Process context; may sleep.
    ///
    /// # Errors
    /// No memory for page tables. What is refused is reported.
    ///
    /// # Safety
    /// The pages are the caller's, and nobody writes to them until they can be written to again.
    #[track_caller]
    pub unsafe fn set_memory_ro(&'static self, at: VirtAddr, pages: usize) -> Result<(), AllocError> {
        self.set_access(at, pages, Access::Read, Call::here(&"set_memory_ro"))
    }

    /// Undoes [`set_memory_ro`](Self::set_memory_ro). What was split stays so. Process context; may sleep.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn set_memory_rw(&'static self, at: VirtAddr, pages: usize) -> Result<(), AllocError> {
        self.set_access(at, pages, Access::ReadWrite, Call::here(&"set_memory_rw"))
    }

    /// Sets how the `pages` pages from `at` on may be accessed. Process context.
    fn set_access(&'static self, at: VirtAddr, pages: usize, access: Access, call: Call) -> Result<(), AllocError> {
        self.pages.check_may_sleep(call)?;
        if at.page_offset() != 0 {
            return Err(self.pages.refuse(call, "the address lies inside a page"));
        }
        let changed = match pages.checked_mul(PAGE_SIZE).and_then(|bytes| at.checked_add(bytes)) {
            Some(end) if [at, end].into_iter().any(|edge| self.is_in_block(edge)) => Err(MapError::TableInTheWay),
            Some(_) => self.tables.protect(at, pages, access, call),
            None => Err(MapError::OutOfRange),
        };
        let reason = match changed {
            Ok(must_flush) => {
                self.platform().tables().flush(must_flush);
                return Ok(());
            }
            // `protect` has reported it.
            Err(MapError::TableMissing) => return Err(AllocError),
            Err(MapError::TableInTheWay) => "it is part of a large block of an area",
            Err(MapError::NotMapped | MapError::AlreadyMapped | MapError::OutOfRange) => "a page is not mapped",
        };
        Err(self.pages.refuse(call, reason))
    }

    /// Whether `edge` lies inside a large block of a vmalloc'ed area: one large page maps it, so it must not be split.
    fn is_in_block(&self, edge: VirtAddr) -> bool {
        let inner = |frame| self.direct.map().get(frame).is_some_and(|page| page.state() == PageState::Inner);
        self.area_at(edge).is_some_and(|area| area.kind == AreaKind::Vmalloc) && self.frame_at(edge).is_some_and(inner)
    }
}
