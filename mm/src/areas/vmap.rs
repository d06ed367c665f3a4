//! vmap and vunmap: contiguous addresses for pages that the caller owns.

use super::AreaAllocator;
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::areas::area::{AreaKind, Fit, Owner};
use crate::error::{AllocError, FreeError};
use crate::mapper::{Frames, Level};
use crate::platform::Platform;
use crate::report::Call;
use crate::tag::Tag;

impl<P: Platform> AreaAllocator<P> {
    /// Maps pages that the caller owns and keeps at contiguous addresses, by large pages if they are neighbours and
    /// aligned. Refused: no pages, a frame that is free or that the page allocator never had, a context that may not
    /// sleep.
    pub(crate) fn vmap(&'static self, pages: &[Pfn], call: Call) -> Result<VirtAddr, AllocError> {
        self.pages.check_may_sleep(call)?;
        let is_owned = |&frame: &Pfn| self.direct.map().is_allocated(frame);
        let Some(&first) = pages.first() else { return Err(self.pages.refuse(call, "no pages")) };
        if !pages.iter().all(is_owned) {
            return Err(self.pages.refuse(call, "a frame is free or no memory"));
        }
        let range = PfnRange::new(first, first.add(pages.len() as u32));
        let neighbours = pages.windows(2).all(|two| two[0].add(1) == two[1]);
        let frames = if neighbours { Frames::Run(range) } else { Frames::Each(pages) };
        self.map_area(frames, AreaKind::Vmap, Tag::None, call)
    }

    /// Undoes [`vmap`](Self::vmap); the owner of the pages may free them at once: no TLB shows them any more. May
    /// sleep: process context only.
    pub(crate) fn vunmap(&'static self, addr: VirtAddr, call: Call) -> Result<(), FreeError> {
        self.free_at(addr, addr, Owner::VUNMAP, call)?;
        self.unmap_aliases();
        Ok(())
    }

    /// Takes a range for frames that another owner keeps, and maps them there by the largest pages that fit. Process
    /// context.
    pub(super) fn map_area(
        &'static self,
        frames: Frames<'_>,
        kind: AreaKind,
        tag: Tag,
        call: Call,
    ) -> Result<VirtAddr, AllocError> {
        let align = match frames {
            Frames::Run(range) => alignment(range),
            Frames::Each(_) => PAGE_SIZE,
        };
        let area = self.reserve_area(Fit { pages: frames.len(), align }, kind, tag, call)?;
        self.tables.map(area.start, frames, kind.mapping(), call).inspect_err(|_| self.undo(area))?;
        Ok(self.open(area))
    }
}

/// The alignment that lets the largest pages be used that fit into a range.
fn alignment(range: PfnRange) -> usize {
    let fits = |level: &Level| range.frames() >= level.pages() && range.start.is_aligned(level.pages() as u32);
    [Level::Three, Level::Two].into_iter().find(fits).unwrap_or(Level::One).bytes()
}
