//! What the layers above count, and what came back while somebody waited.

use super::PageAllocator;
use super::events::{Event, PageEvent};
use crate::platform::Platform;
use crate::sleep::Freed;

impl<P: Platform> PageAllocator<P> {
    /// Counts `pages` pages that something happened to. What reclaim does is counted apart for kswapd and for requests.
    /// Any context.
    pub fn count_pages(&self, event: PageEvent, pages: usize) {
        self.count(Event::of(event, self.platform.reclaiming()), pages as u64);
    }

    /// Pages that came back since boot, by what they had been.
    pub(super) fn freed(&self) -> Freed {
        let sum = |event: Event| self.events.sum(event);
        Freed {
            written: sum(Event::PageOut),
            swapped: sum(Event::SwapOut),
            cached: sum(Event::StealDirect) + sum(Event::StealBackground),
            slabs: sum(Event::FromSlabs),
            areas: sum(Event::FromAreas),
            other: sum(Event::FromOthers),
        }
    }
}
