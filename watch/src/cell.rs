//! What a picture says of one frame.

use mm::ZoneKind;
use mm::outside::{Class, View};
use mm::page::PageState;

/// What one frame is, in four bytes: class, order, zone, whether its block starts here, and a detail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cell(u32);

const ORDER_SHIFT: u32 = 8;
const ZONE_SHIFT: u32 = 12;
const FIRST: u32 = 1 << 14;
const DETAIL_SHIFT: u32 = 16;
const DETAIL_MAX: u32 = 0xffff;

impl Cell {
    /// What a walk over the page map has found of frame `frame`, in a zone.
    pub fn new(view: &View, frame: u32, zone: ZoneKind) -> Self {
        let state = view.entry.map(|entry| entry.state());
        let order = match state {
            Some(PageState::Free(order) | PageState::Cached(order) | PageState::Allocated(order)) => {
                order.log2() as u32
            }
            _ => 0,
        };
        let detail = match state {
            Some(PageState::Allocated(_) | PageState::Slab) => view.entry.map_or(0, |entry| entry.count()),
            _ => 0,
        };
        let first = if view.block.start.as_u32() == frame { FIRST } else { 0 };
        let zone = (zone as u32) << ZONE_SHIFT;
        Self(view.class as u32 | order << ORDER_SHIFT | zone | first | detail.min(DETAIL_MAX) << DETAIL_SHIFT)
    }

    /// The same frame, with another use.
    pub const fn with_class(self, class: Class) -> Self {
        Self(self.0 & !0xff | class as u32)
    }

    /// The cell with these bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The cell as a number.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// What the frame is used for.
    pub fn class(self) -> Class {
        Class::new(self.0 as u8).unwrap_or(Class::Hole)
    }

    /// Log2 of the pages of its block.
    pub const fn order(self) -> u32 {
        self.0 >> ORDER_SHIFT & 0xf
    }

    /// Its zone.
    pub fn zone(self) -> ZoneKind {
        ZoneKind::ALL[(self.0 >> ZONE_SHIFT & 3).min(ZoneKind::COUNT as u32 - 1) as usize]
    }

    /// Whether its block starts here.
    pub const fn is_first(self) -> bool {
        self.0 & FIRST != 0
    }

    /// References to an allocated block, or the number of a slab's cache; 65535 stands for more.
    pub const fn detail(self) -> u32 {
        self.0 >> DETAIL_SHIFT
    }
}
