//! Who allocated each block: `page_owner=1`.
//!
//! A table has a place for each frame; that of a block's first frame names the caller that got the block last. The fast
//! way knows nothing of it: as with `zeroing.rs`, magazines stay empty while owners are remembered, so each request
//! comes by here. What is allocated in silence for slabs and large blocks of vmalloc is left out: their owners are
//! known otherwise. A free forgets nothing: of a block that is not allocated the place means nothing.

use core::panic::Location;

use super::PageAllocator;
use super::owner_table::OwnerPlace;
use super::zeroing::ZeroPages;
use crate::addr::{Pfn, VirtAddr};
use crate::order::Order;
use crate::page::PageState;
use crate::places::Places;
use crate::platform::Platform;
use crate::tag::Tag;

/// A block that was never freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LeftBlock {
    /// Its first frame.
    pub frame: Pfn,
    /// Its size.
    pub order: Order,
    /// Where it was allocated.
    pub allocated: &'static Location<'static>,
}

impl<P: Platform> PageAllocator<P> {
    /// Bytes of a table for the owners of all frames.
    pub(crate) fn owner_bytes(&self) -> usize {
        self.map().frames() as usize * size_of::<OwnerPlace>()
    }

    /// Remembers from now on who allocates blocks.
    ///
    /// # Safety
    /// `table` is memory of [`owner_bytes`](Self::owner_bytes) zeros, aligned to a page, that nobody else uses for
    /// ever.
    pub(crate) unsafe fn remember_owners(&self, table: VirtAddr) {
        // SAFETY: by the contract; `owner_place` asks for no frame behind the last.
        unsafe { self.owners.set(table) };
        self.set_events(ZeroPages::OWNERS, ZeroPages::OWNERS);
    }

    /// Whether it is remembered who allocates blocks.
    pub fn are_owners_remembered(&self) -> bool {
        self.zeroing.is_wanted_at(ZeroPages::OWNERS)
    }

    /// The place of a frame in the table, if there is one.
    fn owner_place(&self, frame: Pfn) -> Option<&OwnerPlace> {
        if frame.as_u32() < self.map().frames() { self.owners.place(frame) } else { None }
    }

    /// Notes who allocated a block, where that is remembered.
    pub(super) fn note_owner(&self, block: Pfn, caller: &'static Location<'static>) {
        if self.zeroing.is_wanted_at(ZeroPages::OWNERS)
            && let Some(place) = self.owner_place(block)
        {
            place.set(caller);
        }
    }

    /// Who allocated the block that starts at `frame`, as far as it is remembered; of another frame, who allocated such
    /// a block last.
    pub(super) fn last_owner(&self, frame: Pfn) -> Option<&'static Location<'static>> {
        self.owner_place(frame)?.get()
    }

    /// The order of the allocated block that starts at `frame`, if it is its owner's to free by its frame. What bears
    /// one of the other tags goes with an area.
    fn freed_by_frame(&self, frame: Pfn) -> Option<Order> {
        let page = self.map().get(frame)?;
        let PageState::Allocated(order) = page.state() else { return None };
        let with_area =
            matches!(page.tag(), Tag::Vmalloc | Tag::PageTable | Tag::KernelStack | Tag::Module | Tag::Value);
        (!with_area).then_some(order)
    }

    /// Calls `visit` with each block that was allocated from `places` and not freed, as far as that is remembered;
    /// returns how many those are. Any context.
    pub(crate) fn each_block_in(&self, places: Places<'_>, visit: &mut dyn FnMut(&LeftBlock)) -> usize {
        let left = |frame| {
            let order = self.freed_by_frame(frame)?;
            let allocated = self.last_owner(frame).filter(|&owner| places.has_caller(Some(owner)))?;
            Some(LeftBlock { frame, order, allocated })
        };
        self.remembered().filter_map(left).inspect(|left| visit(left)).count()
    }

    /// Has all other frames forget callers in `places`. Any context.
    pub(crate) fn forget_owners(&self, places: Places<'_>) {
        let others = self.remembered().filter(|&frame| self.freed_by_frame(frame).is_none());
        others.filter_map(|frame| self.owner_place(frame)).for_each(|place| place.forget(places));
    }

    /// All frames, if owners are remembered; else none.
    fn remembered(&self) -> impl Iterator<Item = Pfn> {
        let frames = if self.are_owners_remembered() { self.map().frames() } else { 0 };
        (0..frames).map(Pfn::new)
    }
}
