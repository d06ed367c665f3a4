//! Where a page is that memory has no room for: its place in a swap area.

/// A place for one page in a swap area.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SwapSlot {
    area: u8,
    offset: u32,
}

impl SwapSlot {
    /// Swap areas that there can be.
    pub const AREAS: usize = 32;

    /// The slot `offset` of an area; `None` if there is no such area.
    #[inline]
    pub const fn new(area: u8, offset: u32) -> Option<Self> {
        if (area as usize) < Self::AREAS { Some(Self { area, offset }) } else { None }
    }

    /// The area, below [`AREAS`](Self::AREAS).
    #[inline]
    pub const fn area(self) -> u8 {
        self.area
    }

    /// The page of the area, counted from its start.
    #[inline]
    pub const fn offset(self) -> u32 {
        self.offset
    }
}
