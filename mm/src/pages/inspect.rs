//! What is known of a frame: for people, and for whoever asks before it frees.

use core::panic::Location;

use super::PageAllocator;
use crate::addr::{Pfn, PfnRange};
use crate::gfp::ZoneKind;
use crate::page::{Page, PageState};
use crate::platform::Platform;
use crate::tag::Tag;

/// What the page map says of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FrameInfo {
    /// The frame.
    pub frame: Pfn,
    /// The zone that its number belongs to.
    pub zone: ZoneKind,
    /// The state of the block around it; of a slab's page, of the slab.
    pub state: PageState,
    /// The frames of that block or slab. Of a frame outside of all blocks, itself.
    pub block: PfnRange,
    /// The owner's tag of an allocated block.
    pub tag: Tag,
    /// References to an allocated block; 0 for any other.
    pub references: u32,
    /// Who allocated the block, if that is remembered. (`page_owner=1`)
    pub allocated: Option<&'static Location<'static>>,
}

impl<P: Platform> PageAllocator<P> {
    /// What is known of `frame`: a snapshot, of which nothing need be true any more if others allocate meanwhile.
    /// `None` for a frame without an entry: no RAM. Never sleeps; any context.
    pub fn frame_info(&self, frame: Pfn) -> Option<FrameInfo> {
        let page = self.map().get(frame)?;
        let zone = self.direct.zone_of(frame);
        let alone = PfnRange::new(frame, frame.add(1));
        let info =
            |state, block| FrameInfo { frame, zone, state, block, tag: Tag::None, references: 0, allocated: None };
        Some(match self.map().block_of(frame) {
            None => info(PageState::Inner, alone),
            Some((_, state @ (PageState::Slab | PageState::Retired))) => {
                info(state, self.like(frame, |other| (other.word(), other.link()) == (page.word(), page.link())))
            }
            Some((head, state)) => {
                let first = self.map().at(head);
                let pages = match state {
                    PageState::Free(order) | PageState::Cached(order) | PageState::Allocated(order) => order.pages(),
                    _ => 1,
                };
                let mut info = info(state, PfnRange::new(head, head.add(pages)));
                if let PageState::Allocated(_) = state {
                    (info.tag, info.references) = (first.tag(), first.count());
                    info.allocated = self.last_owner(head);
                }
                info
            }
        })
    }

    /// The frames around `frame` whose entries are alike.
    fn like(&self, frame: Pfn, alike: impl Fn(&Page) -> bool) -> PfnRange {
        let is_like = |number: u32| self.map().get(Pfn::new(number)).is_some_and(&alike);
        let (mut start, mut end) = (frame.as_u32(), frame.as_u32() + 1);
        while start > 0 && is_like(start - 1) {
            start -= 1;
        }
        while is_like(end) {
            end += 1;
        }
        PfnRange::new(Pfn::new(start), Pfn::new(end))
    }
}
