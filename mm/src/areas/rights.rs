//! set_memory_ro and set_memory_rw: pages that can only be read.
//! (Linux has calls of these names.)

use super::AreaAllocator;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::areas::area::AreaKind;
use crate::error::{AllocError, MapError};
use crate::mapper::Access;
use crate::page::{Page, PageState};
use crate::platform::{KernelTables, Platform};
use crate::report::Call;
use crate::tag::Tag;

impl<P: Platform> AreaAllocator<P> {
    /// Makes the `pages` pages from `at` on, which the caller owns, read-only in the direct map or an area: a write to
    /// them there faults. Large pages of which they are a part are split, with tables from the page allocator. Make
    /// pages of the direct map writable again before you free them. Refused: an address inside a page, pages that are
    /// not mapped, a part of a large block of vmalloc_huge, memory of a module. A failure changes nothing. Process
    /// context; may sleep.
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
        if self.is_code(at) || self.shows_module(at, pages) {
            return Err(self.pages.refuse(call, "it is memory of a module"));
        }
        let end = pages.checked_mul(PAGE_SIZE).and_then(|bytes| at.checked_add(bytes));
        if end.is_some_and(|end| [at, end].into_iter().any(|edge| self.is_in_block(edge))) {
            return Err(self.pages.refuse(call, "it is part of a large block of an area"));
        }
        self.change_access(at, pages, access, call)
    }

    /// Changes the access to the `pages` pages from `at` on, which are the caller's; no TLB shows the old one. A
    /// failure is reported. Process context.
    pub(super) fn change_access(
        &'static self,
        at: VirtAddr,
        pages: usize,
        access: Access,
        call: Call,
    ) -> Result<(), AllocError> {
        match self.tables.protect(at, pages, access, call) {
            Ok(must_flush) => {
                self.platform().tables().flush(must_flush);
                Ok(())
            }
            // `protect` has reported it.
            Err(MapError::TableMissing) => Err(AllocError),
            Err(_) => Err(self.pages.refuse(call, "a page is not mapped")),
        }
    }

    /// Whether the direct map shows a page of a module among the `pages` pages from `at` on.
    fn shows_module(&self, at: VirtAddr, pages: usize) -> bool {
        let Some(first) = self.direct.frame_at(at) else { return false };
        let frames = first.as_u32()
            ..self.direct.map().frames().min(first.as_u32().saturating_add(u32::try_from(pages).unwrap_or(u32::MAX)));
        let is_module = |page: &Page| page.tag() == Tag::Module && matches!(page.state(), PageState::Allocated(_));
        frames.map(Pfn::new).any(|frame| self.direct.map().get(frame).is_some_and(is_module))
    }

    /// Whether `edge` lies inside a large block of a vmalloc'ed area: one large page maps it, so it must not be split.
    fn is_in_block(&self, edge: VirtAddr) -> bool {
        let inner = |frame| self.direct.map().get(frame).is_some_and(|page| page.state() == PageState::Inner);
        self.area_at(edge).is_some_and(|area| area.kind == AreaKind::Vmalloc) && self.frame_at(edge).is_some_and(inner)
    }
}
