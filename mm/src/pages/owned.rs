//! Whose the allocated pages are: a count for each tag.

use super::PageAllocator;
use crate::addr::Pfn;
use crate::page::PageState;
use crate::platform::Platform;
use crate::tag::Tag;

/// Allocated pages, by their owners' tags. Pages of slabs are not among them: caches count those.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnedPages {
    by_tag: [usize; Tag::ALL.len()],
    /// Pages of slabs that were damaged: nobody gets them again.
    pub retired: usize,
}

impl OwnedPages {
    /// Pages that bear this tag.
    pub const fn of(&self, tag: Tag) -> usize {
        self.by_tag[tag as usize]
    }
}

impl<P: Platform> PageAllocator<P> {
    /// Counts the allocated pages of all zones by one walk over the page map, block by block. Blocks that come or go
    /// meanwhile may be missed or counted twice. Any context; takes a while: 16 bytes are read for each block.
    pub fn owned_pages(&self) -> OwnedPages {
        let mut owned = OwnedPages { by_tag: [0; Tag::ALL.len()], retired: 0 };
        let mut number = 0;
        while number < self.map().frames() {
            let mut pages = 1;
            if let Some(page) = self.map().get(Pfn::new(number)) {
                match page.state() {
                    PageState::Free(order) | PageState::Cached(order) => pages = order.pages(),
                    PageState::Allocated(order) => {
                        pages = order.pages();
                        owned.by_tag[page.tag() as usize] += pages as usize;
                    }
                    PageState::Retired => owned.retired += 1,
                    PageState::Inner | PageState::Slab => {}
                }
            }
            number += pages;
        }
        owned
    }
}
