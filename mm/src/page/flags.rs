//! Flags of a page: what the page cache and reclaim know of it.
//!
//! They stand in bits 16 to 23 of the page's word, and change by atomic read-modify-write: whoever sets
//! [`LOCKED`](PageFlags::LOCKED) where it was not set has the page's lock.

use bitflags::bitflags;

bitflags! {
    /// What the page cache and reclaim know of an allocated page.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PageFlags: u8 {
        /// Somebody has the page's lock: its content comes, or goes, or it changes its owner.
        const LOCKED = 1 << 0;
        /// It was used since reclaim looked last.
        const REFERENCED = 1 << 1;
        /// It is used often: reclaim looks elsewhere first.
        const ACTIVE = 1 << 2;
        /// It has been written to since it was read from its disk, or written there.
        const DIRTY = 1 << 3;
        /// It is on its way to its disk: nobody changes it.
        const WRITEBACK = 1 << 4;
        /// The page cache has it, by a reference of its own; the number of its descriptor is in the entry's link.
        const CACHED = 1 << 5;
        /// Reclaim leaves it alone.
        const KEPT = 1 << 6;
        /// A hand has been here in vain: none stops here before a reference to the page is given back.
        const PARKED = 1 << 7;
    }
}

impl PageFlags {
    /// With these a page has more users than its references tell: it is not freed.
    pub const IN_USE: Self = Self::CACHED.union(Self::LOCKED).union(Self::WRITEBACK);
}
