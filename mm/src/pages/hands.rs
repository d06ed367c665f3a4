//! Flags of pages, and clock hands that go round those of the page cache.
//!
//! Reclaim of 2.4 has a list of active pages and one of inactive ones. Here the two are flags of a page, each zone has
//! a [`Hand`] for each, and how many pages there are is counted where the flags change: in the zone, and in each region
//! of frames, so that a hand passes over regions where it would stop nowhere.

use core::ops::ControlFlow;

use super::PageAllocator;
use super::hand::{Change, Class, Hand};
use crate::addr::Pfn;
use crate::atomic::Ordering::Relaxed;
use crate::gfp::ZoneKind;
use crate::page::{Page, PageFlags, PageState, SECTION_FRAMES, Whose};
use crate::platform::Platform;

impl<P: Platform> PageAllocator<P> {
    /// The flags of an allocated page; none of any other frame. Any context.
    #[inline]
    pub fn page_flags(&self, frame: Pfn) -> PageFlags {
        self.map().get(frame).map_or(PageFlags::empty(), |page| page.flags())
    }

    /// Sets flags of an allocated page, for a caller who has a reference to it or knows that the page cache keeps it;
    /// returns those that it had. What was written before is seen by whoever reads or changes the flags afterwards.
    /// Any context.
    #[inline]
    pub fn set_page_flags(&self, frame: Pfn, flags: PageFlags) -> PageFlags {
        let Some(before) = self.map().get(frame).and_then(|page| page.set_flags(flags)) else {
            return PageFlags::empty();
        };
        self.recount(frame, before, before | flags);
        before
    }

    /// Clears flags of an allocated page, as [`set_page_flags`](Self::set_page_flags) sets them; returns those that it
    /// had. Any context.
    #[inline]
    pub fn clear_page_flags(&self, frame: Pfn, flags: PageFlags) -> PageFlags {
        let Some(before) = self.map().get(frame).and_then(|page| page.clear_flags(flags)) else {
            return PageFlags::empty();
        };
        self.recount(frame, before, before - flags);
        before
    }

    /// Counts a page that another hand stops at now, or none, or one at last.
    #[inline]
    fn recount(&self, frame: Pfn, before: PageFlags, after: PageFlags) {
        let (before, after) = (Class::of(before), Class::of(after));
        if before == after {
            return;
        }
        let zone = self.direct.zone_of(frame);
        if let Some(class) = after {
            self.hands.count(zone, class, frame, Change::More);
        }
        if let Some(class) = before {
            self.hands.count(zone, class, frame, Change::Less);
        }
    }

    /// The number that the page cache has given a page with [`PageFlags::CACHED`]. Any context.
    #[inline]
    pub fn cache_entry(&self, frame: Pfn) -> u32 {
        self.map().get(frame).map_or(0, |page| page.upper_link())
    }

    /// Gives a page a number of the page cache's, for a caller who has a reference to it: before it is
    /// [`CACHED`](PageFlags::CACHED). Any context.
    #[inline]
    pub fn set_cache_entry(&self, frame: Pfn, entry: u32) {
        if let Some(page) = self.map().get(frame) {
            page.set_upper_link(entry);
        }
    }

    /// Pages of the page cache in a zone that are used often. Any context.
    pub fn active_pages(&self, zone: ZoneKind) -> usize {
        self.stops(zone, Hand::Active)
    }

    /// The other pages of the page cache in a zone. Any context.
    pub fn inactive_pages(&self, zone: ZoneKind) -> usize {
        self.stops(zone, Hand::Inactive) + self.hands.pages(zone, Class::PARKED)
    }

    /// Pages of a zone that a hand would stop at. Any context.
    pub fn stops(&self, zone: ZoneKind, hand: Hand) -> usize {
        self.hands.pages(zone, Class::of_hand(hand))
    }

    /// Has hands pass over a page of the page cache while others than that have references to it: until one of these
    /// is given back. Any context.
    pub fn park_shared(&self, frame: Pfn) {
        if let Some(before) = self.map().get(frame).and_then(Page::park_shared) {
            self.recount(frame, before, before | PageFlags::PARKED);
        }
    }

    /// Gives one of several references to a block back, as [`Page::put_shared`]: hands stop there again.
    #[inline]
    pub(super) fn put_shared(&self, frame: Pfn, page: &Page, whose: Whose) -> bool {
        let Some(before) = page.put_shared(whose) else { return false };
        if before.is_parked() {
            self.count_unparked(frame, before.flags());
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn count_unparked(&self, frame: Pfn, before: PageFlags) {
        self.recount(frame, before, before - PageFlags::PARKED);
    }

    /// Frames that a hand passes over in one round of a zone.
    pub fn round(&self, zone: ZoneKind) -> usize {
        self.direct.frames_of(zone).frames()
    }

    /// Turns a hand on from where it stands, over about `steps` frames, or until `visit` breaks off; returns how many
    /// it has passed over. Calls `visit` with each page that it stops at and the page's flags.
    ///
    /// No lock is held meanwhile: `visit` may sleep if the caller may, and looks again, under its own lock, whether
    /// the page is still what it was. Several callers may turn one hand at once; some pages are then seen twice, and
    /// some next time.
    pub fn turn(
        &self,
        zone: ZoneKind,
        hand: Hand,
        steps: usize,
        visit: &mut dyn FnMut(Pfn, PageFlags) -> ControlFlow<()>,
    ) -> usize {
        let (frames, place) = (self.direct.frames_of(zone), &self.hands.places[zone as usize][hand as usize]);
        if frames.frames() == 0 || self.stops(zone, hand) == 0 {
            return 0;
        }
        let (mut at, mut passed) = (Pfn::new(place.load(Relaxed)), 0);
        while passed < steps {
            if at < frames.start || frames.end <= at {
                at = frames.start;
            }
            let end = self.hands.region_end(at).min(frames.end);
            if !self.hands.stops_near(hand, at) {
                passed += (end.as_u32() - at.as_u32()) as usize;
                at = end;
                continue;
            }
            while at < end && passed < steps {
                let (here, (pages, flags)) = (at, self.look_at(at));
                at = at.add(pages);
                passed += pages as usize;
                if Class::of(flags) == Some(Class::of_hand(hand)) {
                    place.store(at.as_u32(), Relaxed);
                    if visit(here, flags).is_break() {
                        return passed;
                    }
                }
            }
        }
        place.store(at.as_u32(), Relaxed);
        passed
    }

    /// The flags of a frame, and how many frames from it on have nothing that a hand could stop at but in the first.
    #[inline]
    fn look_at(&self, frame: Pfn) -> (u32, PageFlags) {
        let Some(page) = self.map().get(frame) else {
            return (SECTION_FRAMES - frame.as_u32() % SECTION_FRAMES, PageFlags::empty());
        };
        let word = page.word();
        if word.flags().contains(PageFlags::CACHED) {
            return (1, word.flags());
        }
        let pages = match word.state() {
            PageState::Free(order) | PageState::Cached(order) | PageState::Allocated(order) => order.pages(),
            PageState::Inner | PageState::Slab | PageState::Retired => 1,
        };
        (pages, PageFlags::empty())
    }
}
