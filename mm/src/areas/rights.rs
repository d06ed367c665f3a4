//! set_memory_ro and set_memory_rw: pages that can be read only. (Linux has calls of these names.)

use core::panic::Location;

use super::Memory;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::error::{AllocError, MapError};
use crate::mapper::Spares;
use crate::page::PageState;
use crate::platform::{Access, MustFlush, Platform};
use crate::vm::AreaKind;

impl<P: Platform> Memory<P> {
    /// Makes the `pages` pages from `at` on read-only, in the direct map or an area, where the caller owns them: whoever
    /// writes to them there is told by a fault. Large pages of which they are a part are split, with tables from the
    /// allocator.
    ///
    /// Make pages of the direct map writable again before you free them. Refused, with a report: an address inside a page,
    /// pages that are not mapped, a part of a large block of vmalloc_huge, a context that may not sleep. On
    /// any failure everything is as it was.
    #[track_caller]
    pub fn set_memory_ro(&'static self, at: VirtAddr, pages: usize) -> Result<(), AllocError> {
        self.set_access("set_memory_ro", (at, pages), Access::Read, Location::caller())
    }

    /// Undoes [`set_memory_ro`](Self::set_memory_ro). What was split stays so.
    #[track_caller]
    pub fn set_memory_rw(&'static self, at: VirtAddr, pages: usize) -> Result<(), AllocError> {
        self.set_access("set_memory_rw", (at, pages), Access::ReadWrite, Location::caller())
    }

    fn set_access(
        &'static self,
        call: &'static str,
        (at, pages): (VirtAddr, usize),
        access: Access,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        self.check_may_sleep(call, caller)?;
        if at.page_offset() != 0 {
            return Err(self.refuse(call, "the address lies inside a page", caller));
        }
        let mut spares = Spares::EMPTY;
        let changed = match pages.checked_mul(PAGE_SIZE).and_then(|bytes| at.checked_add(bytes)) {
            Some(end) if [at, end].into_iter().any(|edge| self.is_in_block(edge)) => Err(MapError::TableInTheWay),
            Some(_) => self.protect((at, pages), access, &mut spares, caller),
            None => Err(MapError::OutOfRange),
        };
        while let Some(unused) = spares.take() {
            self.drop_table(unused);
        }
        let reason = match changed {
            Ok(must_flush) => {
                self.platform.flush(must_flush);
                return Ok(());
            }
            // That was reported.
            Err(MapError::TableMissing) => return Err(AllocError),
            Err(MapError::TableInTheWay) => "it is part of a large block of an area",
            Err(MapError::NotMapped | MapError::AlreadyMapped | MapError::OutOfRange) => "a page is not mapped",
        };
        Err(self.refuse(call, reason, caller))
    }

    /// Changes the rights, with as many tables as it takes.
    fn protect(
        &'static self,
        (at, pages): (VirtAddr, usize),
        access: Access,
        spares: &mut Spares,
        caller: &'static Location<'static>,
    ) -> Result<MustFlush, MapError> {
        loop {
            match self.platform.protect(at, pages, access, spares) {
                Err(MapError::TableMissing) => {
                    let table = self.new_table(caller).map_err(|AllocError| MapError::TableMissing)?;
                    if let Err(surplus) = spares.add(table) {
                        self.drop_table(surplus);
                        return Err(MapError::TableMissing);
                    }
                }
                result => return result,
            }
        }
    }

    /// Whether `edge` lies inside a block of a vmalloc'ed area: it is one large page, and will be freed as such.
    fn is_in_block(&self, edge: VirtAddr) -> bool {
        let inner = |frame| self.map.get(frame).is_some_and(|page| page.state() == PageState::Inner);
        self.area_at(edge).is_some_and(|area| area.kind == AreaKind::Vmalloc)
            && self.vmalloc_to_frame(edge).is_some_and(inner)
    }
}
