//! Zone and order of a block, as they stand in a page's word.

use crate::gfp::ZoneKind;
use crate::order::Order;

pub(super) const ORDER_SHIFT: u32 = 4;
pub(super) const ZONE_SHIFT: u32 = 8;
/// With this bit of its word a cached page was cleared ahead: for readers; the allocators ask for the whole word.
pub(super) const CLEARED: u64 = 1 << 24;

/// Zone and order of a block as one small number, the key of its magazine. It stands in a page's word as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockKey(u32);

impl BlockKey {
    /// One more than the largest key: for tables.
    pub(crate) const COUNT: usize = 64;
    /// Room for the zone in a key: not all of it is used.
    pub(crate) const ZONES: usize = 4;

    #[inline]
    pub(crate) const fn new(zone: ZoneKind, order: Order) -> Self {
        Self::from_log2(zone, order.log2())
    }

    /// [`new`](Self::new) by log2 of the order's pages, below 10.
    #[inline]
    pub(crate) const fn from_log2(zone: ZoneKind, log2: usize) -> Self {
        Self((zone as u32) << (ZONE_SHIFT - ORDER_SHIFT) | log2 as u32)
    }

    /// The keys of all zones and orders.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        ZoneKind::ALL.into_iter().flat_map(|zone| Order::all().map(move |order| Self::new(zone, order)))
    }

    /// The key that stands in a page's word.
    #[inline]
    pub(super) const fn from_bits(word: u64) -> Self {
        Self(word as u32 >> ORDER_SHIFT & (Self::COUNT as u32 - 1))
    }

    /// The key as it stands in a page's word.
    #[inline]
    pub(super) const fn bits(self) -> u64 {
        (self.0 as u64) << ORDER_SHIFT
    }

    /// The key's place in a table of [`COUNT`](Self::COUNT).
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize % Self::COUNT
    }

    #[inline]
    pub(crate) fn order(self) -> Order {
        Order::new((self.0 & 0xf) as usize).unwrap_or(Order::MAX)
    }

    #[inline]
    pub(crate) fn zone(self) -> ZoneKind {
        ZoneKind::ALL[self.zone_index().min(ZoneKind::COUNT - 1)]
    }

    /// The zone's place in a table of [`ZONES`](Self::ZONES).
    #[inline]
    pub(crate) const fn zone_index(self) -> usize {
        (self.0 >> (ZONE_SHIFT - ORDER_SHIFT)) as usize % Self::ZONES
    }
}
