//! Areas of modules: pages in a range of their own, where code may run.
//!
//! W^X, also through the direct map: a page is written to until its area is sealed; from then on it can be read, or
//! read and executed, and its alias in the direct map can only be read. When the area is freed its pages are unmapped
//! and flushed first; then their aliases can be written to again, and only then are they free. Nothing here is lazy:
//! an old translation would be one that runs code.
//!
//! The pages are tagged as a module's, so nobody else frees them or changes their rights. High memory, which has no
//! alias, is taken first where there is any.

use super::AreaAllocator;
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::areas::area::{AreaKind, AreaRef, Fit, VmArea};
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::mapper::Access;
use crate::order::Order;
use crate::page::BlockChain;
use crate::platform::{KernelTables, Lock, Platform};
use crate::report::Call;
use crate::tag::Tag;

/// Said of areas of modules to a kernel without addresses for them.
const NO_ADDRESSES: &str = "there are no addresses for modules (Config::with_code)";

/// What may be done to the pages of an area through the direct map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Alias {
    /// Everything: the area was not sealed.
    Writable,
    /// Reading only.
    ReadOnly,
}

impl<P: Platform> AreaAllocator<P> {
    /// Takes an area of at least `size` bytes in the range of modules, its pages zeroed, to be written to and not to be
    /// executed. Process context; may sleep.
    pub(crate) fn alloc_code(&'static self, size: usize, call: Call) -> Result<AreaRef, AllocError> {
        let pages = self.check_size(size, call)?;
        self.free_late_code(call);
        let area = self.reserve_code(pages, call)?;
        let gfp = GfpFlags::KERNEL | GfpFlags::HIGHMEM;
        self.populate(area, 0..pages, gfp, Tag::Module, call)
            .inspect_err(|_| self.take_code_apart(area, Alias::Writable, call))?;
        code_pages(area).for_each(|page| self.platform().clear_page(page));
        area.open();
        Ok(area)
    }

    /// Takes a range of `pages` pages and a guard page, with its descriptor.
    fn reserve_code(&'static self, pages: usize, call: Call) -> Result<AreaRef, AllocError> {
        let descriptor = self.objects.take_own(&self.descriptors, GfpFlags::KERNEL, call)?;
        let fit = Fit::pages(pages);
        let reserved = self.code.tree.with(|tree| {
            let start = tree.find_gap(fit)?;
            // SAFETY: the object is the caller's, aligned to a cache line and as large as a descriptor.
            let write = |area| unsafe { AreaRef::init(descriptor, area) };
            let area = tree.insert(VmArea::new(start, pages), write);
            area.assign(AreaKind::Module, Tag::Module, call.at());
            Some(area)
        });
        reserved.ok_or_else(|| {
            self.return_descriptor(descriptor);
            let none = self.code.start == self.code.end;
            self.pages.refuse(call, if none { NO_ADDRESSES } else { "no room in the addresses of modules" })
        })
    }

    /// Ends writing to an area: its pages, and their aliases in the direct map, have the rights of `access` when this
    /// returns, in every TLB. A failure is reported, and leaves all as it was. Process context; may sleep.
    pub(crate) fn seal_code(&'static self, area: AreaRef, access: Access, call: Call) -> Result<(), AllocError> {
        self.pages.check_may_sleep(call)?;
        if access == Access::ReadWrite {
            return Ok(());
        }
        let mut sealed = 0;
        let frames = || code_pages(area).filter_map(|page| self.platform().tables().translate(page));
        self.runs(frames())
            .try_for_each(|run| self.set_alias(run, Access::Read, call).inspect(|()| sealed += 1))
            .and_then(|()| self.change_access(area.start, area.pages, access, call))
            .inspect_err(|_| {
                let restored = self.runs(frames()).take(sealed).try_for_each(|run| self.unseal(run, call));
                debug_assert!(restored.is_ok());
            })
    }

    /// Frees an area, whose aliases are as `alias` says. Where the caller may not sleep this is put off until another
    /// one comes.
    pub(crate) fn free_code(&'static self, area: AreaRef, alias: Alias, call: Call) {
        area.close();
        if !self.platform().may_sleep() {
            return self.code.late.push(area);
        }
        self.take_code_apart(area, alias, call);
        self.free_late_code(call);
    }

    /// Frees the areas that were freed where nobody may sleep. Process context.
    fn free_late_code(&'static self, call: Call) {
        if !self.code.late.is_empty() {
            self.code.late.take_all().for_each(|area| self.take_code_apart(area, Alias::ReadOnly, call));
        }
    }

    /// Frees a closed area, as far as it was built. Process context.
    fn take_code_apart(&'static self, area: AreaRef, alias: Alias, call: Call) {
        let (mut taken, mut frames, mut pages) = (BlockChain::EMPTY, BlockChain::EMPTY, 0);
        let must_flush = self.unmap_area(area, &mut taken, &mut pages);
        self.platform().tables().flush(must_flush);
        // In the order of their addresses, so that the runs are those that were sealed.
        let map = self.direct.map();
        while let Some(frame) = taken.pop(map) {
            frames.push(map, frame);
        }
        for run in self.runs(core::iter::from_fn(|| frames.pop(map))) {
            // A page that cannot be written to is no use to anybody.
            if alias == Alias::Writable || self.unseal(run, call).is_ok() {
                self.free_pages_of(run);
            }
        }
        let (start, end) = (area.start, area.end());
        self.code.tree.with(|tree| tree.remove(area));
        self.return_descriptor(area.ptr());
        self.tables.unlink_empty(start, end);
    }

    /// Frees pages of a module.
    fn free_pages_of(&self, run: PfnRange) {
        for frame in (run.start.as_u32()..run.end.as_u32()).map(Pfn::new) {
            let freed = self.pages.free_block(frame, Order::ZERO, Tag::Module);
            debug_assert!(freed.is_ok());
        }
    }

    /// Makes the alias of a run of frames writable again, and one with the large page that it was a part of.
    fn unseal(&'static self, run: PfnRange, call: Call) -> Result<(), AllocError> {
        self.set_alias(run, Access::ReadWrite, call)?;
        if let Some(alias) = self.direct.page_address(run.start) {
            self.tables.merge(alias, run.frames());
        }
        Ok(())
    }

    /// Sets the access to the alias of a run of frames, if they have one.
    fn set_alias(&'static self, run: PfnRange, access: Access, call: Call) -> Result<(), AllocError> {
        match self.direct.page_address(run.start) {
            Some(alias) => self.change_access(alias, run.frames(), access, call),
            None => Ok(()),
        }
    }

    /// The runs of neighbours among frames, each of low or of high memory only.
    fn runs(&self, frames: impl Iterator<Item = Pfn>) -> impl Iterator<Item = PfnRange> {
        let (mut frames, border) = (frames.peekable(), self.direct.highmem_start());
        core::iter::from_fn(move || {
            let start = frames.next()?;
            let mut end = start.add(1);
            while frames.next_if(|&next| next == end && next != border).is_some() {
                end = end.add(1);
            }
            Some(PfnRange::new(start, end))
        })
    }
}

/// The addresses of an area's pages.
fn code_pages(area: AreaRef) -> impl Iterator<Item = VirtAddr> {
    (0..area.pages).map(move |page| area.start.add(page * PAGE_SIZE))
}
