//! The words of clock hands: which pages they stop at, where they stand.

use crate::addr::Pfn;
use crate::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use crate::gfp::ZoneKind;
use crate::page::PageFlags;
use crate::place::{Place, in_place, value};

/// Regions that the machine's frames fall into, at most: a hand passes over one in which it would stop nowhere.
const REGIONS: usize = 512;

/// Which pages of the page cache a clock hand stops at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hand {
    /// Those that are used often.
    Active = 0,
    /// The others.
    Inactive = 1,
}

impl Hand {
    const COUNT: usize = 2;
    const ALL: [Self; Self::COUNT] = [Self::Active, Self::Inactive];
}

/// How pages of the page cache are counted: by the hand that stops at them, and those at which none does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Class(usize);

impl Class {
    pub(super) const PARKED: Self = Self(Hand::COUNT);
    const COUNT: usize = Hand::COUNT + 1;

    pub(super) const fn of_hand(hand: Hand) -> Self {
        Self(hand as usize)
    }

    /// The class of a page with these flags, if it is one of the page cache.
    #[inline]
    pub(super) fn of(flags: PageFlags) -> Option<Self> {
        if !flags.contains(PageFlags::CACHED) {
            None
        } else if flags.contains(PageFlags::PARKED) {
            Some(Self::PARKED)
        } else if flags.contains(PageFlags::ACTIVE) {
            Some(Self::of_hand(Hand::Active))
        } else {
            Some(Self::of_hand(Hand::Inactive))
        }
    }

    /// The hand that stops at such a page.
    #[inline]
    pub(super) fn hand(self) -> Option<Hand> {
        Hand::ALL.get(self.0).copied()
    }
}

/// What happens to the number of a class's pages.
#[derive(Clone, Copy)]
pub(super) enum Change {
    More = 1,
    Less = -1,
}

/// The hands of all zones.
pub(super) struct Hands {
    /// The frame that a hand looks at next.
    pub(super) places: [[AtomicU32; Hand::COUNT]; ZoneKind::COUNT],
    /// Pages of each class.
    counts: [[AtomicUsize; Class::COUNT]; ZoneKind::COUNT],
    /// Frames of a region, as a power of two.
    region_shift: u32,
    /// Pages of a region that a hand would stop at.
    regions: [[AtomicU32; REGIONS]; Hand::COUNT],
}

impl Hands {
    /// Hands over so many frames.
    pub(super) fn settle(place: Place<Self>, frames: u32) -> &'static Self {
        in_place!(
            place,
            Self {
                places: value([const { [const { AtomicU32::new(0) }; Hand::COUNT] }; ZoneKind::COUNT]),
                counts: value([const { [const { AtomicUsize::new(0) }; Class::COUNT] }; ZoneKind::COUNT]),
                region_shift: value(u32::BITS - (frames.saturating_sub(1) / REGIONS as u32).leading_zeros()),
                regions: |place: Place<[_; Hand::COUNT]>| place.fill(|_| [const { AtomicU32::new(0) }; REGIONS]),
            }
        )
    }

    /// Counts a page more or less.
    #[inline]
    pub(super) fn count(&self, zone: ZoneKind, class: Class, frame: Pfn, change: Change) {
        let by = change as isize;
        self.counts[zone as usize][class.0].fetch_add(by as usize, Relaxed);
        if let Some(hand) = class.hand() {
            self.region(hand, frame).fetch_add(by as u32, Relaxed);
        }
    }

    /// Pages of a class in a zone.
    #[inline]
    pub(super) fn pages(&self, zone: ZoneKind, class: Class) -> usize {
        self.counts[zone as usize][class.0].load(Relaxed)
    }

    /// The first frame behind the region of this one.
    #[inline]
    pub(super) fn region_end(&self, frame: Pfn) -> Pfn {
        Pfn::new(((frame.as_u32() >> self.region_shift) + 1) << self.region_shift)
    }

    /// Whether a hand would stop in the region of this frame.
    #[inline]
    pub(super) fn stops_near(&self, hand: Hand, frame: Pfn) -> bool {
        self.region(hand, frame).load(Relaxed) > 0
    }

    #[inline]
    fn region(&self, hand: Hand, frame: Pfn) -> &AtomicU32 {
        &self.regions[hand as usize][(frame.as_u32() >> self.region_shift) as usize % REGIONS]
    }
}
