//! The words that the entry of a page frame may bear.
//!
//! ```text
//!   63        32 31      24 23      16 15     10 9  8 7    4 3   0
//!   references   24: cleared  page flags  tag    zone  order  kind
//!   cache's number                                            kind     a page of a slab
//! ```
//!
//! A free compares the whole word with the one of an untagged block with one reference, so tags and flags cost it
//! nothing: a block that has any takes the slow way.

use super::flags::PageFlags;
use super::key::{BlockKey, CLEARED, ORDER_SHIFT, ZONE_SHIFT};
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::tag::Tag;

/// What a page frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageState {
    /// Not the first page of a block: inside one, or never handed to the allocator.
    Inner,
    /// First page of a free block.
    Free(Order),
    /// First page of a cached block: free, but in a magazine, a depot or the pool of cleared pages, or being cleared.
    Cached(Order),
    /// First page of an allocated block.
    Allocated(Order),
    /// A page of a slab, first or not.
    Slab,
    /// A page of a slab that was damaged: nobody gets it again.
    Retired,
}

/// Whose reference it is that is given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    /// The owner's, whose tag goes with it.
    Owners,
    /// One beside it.
    Another,
}

/// Who frees the objects of a slab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SlabUser {
    /// The caller that allocated them.
    Anyone,
    /// The same, past the fast way, which may not believe a descriptor: they are debugged.
    Slowly,
    /// The allocators only: their descriptors lie there.
    Allocators,
}

/// State, order, zone and tag of a page, as one comparable word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

const KIND_FREE: u64 = 1;
const KIND_ALLOCATED: u64 = 2;
const KIND_OWN_SLAB: u64 = 4;
const KIND_CACHED: u64 = 5;
const KIND_RETIRED: u64 = 6;
const KIND_DEBUGGED_SLAB: u64 = 7;
/// The only kind with this bit.
const KIND_SLAB: u64 = 8;
const KIND_MASK: u64 = 0xf;
const TAG_SHIFT: u32 = 10;
const TAG_MAX: u64 = 0x3f;
const FLAGS_SHIFT: u32 = 16;
/// Flags that may be left of what a page was, and say nothing against a free.
const LEFT_FLAGS: u64 = (PageFlags::all().difference(PageFlags::IN_USE).bits() as u64) << FLAGS_SHIFT;
const PARKED: u64 = (PageFlags::PARKED.bits() as u64) << FLAGS_SHIFT;
const COUNT_SHIFT: u32 = 32;
const ZONE_MASK: u64 = 0x3 << ZONE_SHIFT;
/// References that a page counts: so many that as many CPUs as there may be can each add one at once, and none is lost.
const COUNT_MAX: u64 = u32::MAX as u64 - 4096;

impl Word {
    /// What a reference more adds to the word's bits.
    pub(super) const REFERENCE: u64 = 1 << COUNT_SHIFT;
    /// The word of a page that starts no block.
    pub(crate) const INNER: Self = Self(0);
    /// The word of a page of a slab that was damaged; the link is how many bytes its objects have.
    pub(crate) const RETIRED: Self = Self(KIND_RETIRED);

    /// The word that all pages of a cache's slabs have and no others: `number` tells caches apart.
    #[inline]
    pub(crate) const fn slab(number: u32, user: SlabUser) -> Self {
        let kind = match user {
            SlabUser::Anyone => KIND_SLAB,
            SlabUser::Slowly => KIND_DEBUGGED_SLAB,
            SlabUser::Allocators => KIND_OWN_SLAB,
        };
        Self(kind | (number as u64) << COUNT_SHIFT)
    }

    /// Whether the page belongs to a slab whose objects the allocators alone free.
    pub(crate) const fn is_own_slab(self) -> bool {
        self.0 & KIND_MASK == KIND_OWN_SLAB
    }

    /// Whether the page belongs to a slab whose objects anyone may free, the fast way.
    #[inline]
    pub(crate) const fn is_slab(self) -> bool {
        self.0 & KIND_SLAB != 0
    }

    /// The word with these bits, sound or not.
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The word as a number, 0 for no slab's.
    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The word of an allocated block with one reference.
    #[inline]
    pub(crate) const fn allocated(key: BlockKey, tag: Tag) -> Self {
        Self(KIND_ALLOCATED | key.bits() | (tag as u64) << TAG_SHIFT | Self::REFERENCE)
    }

    /// The word of a free block in the buddy lists.
    #[inline]
    pub(crate) const fn free(key: BlockKey) -> Self {
        Self(KIND_FREE | key.bits())
    }

    /// The word of a block in a magazine.
    #[inline]
    pub(crate) const fn cached(key: BlockKey) -> Self {
        Self(KIND_CACHED | key.bits())
    }

    /// The word of a page in the pool of cleared pages.
    pub(crate) const fn cleared(key: BlockKey) -> Self {
        Self(Self::cached(key).0 | CLEARED)
    }

    /// The word of a single page that has left its magazine and is about to be merged.
    #[inline]
    pub(crate) const fn loose(zone: ZoneKind) -> Self {
        Self(Self::cached(BlockKey::new(zone, Order::ZERO)).0 | Self::REFERENCE)
    }

    /// The key of an allocated block of this order with one reference and no tag; `None` for any other word.
    #[inline]
    pub(crate) fn allocated_key(self, order: Order) -> Option<BlockKey> {
        let expected = Self::allocated(BlockKey::new(ZoneKind::Dma, order), Tag::None).0;
        (self.0 & !ZONE_MASK == expected).then_some(BlockKey::from_bits(self.0))
    }

    /// The key of an allocated block of this order with one reference, whatever its tag and the flags that are left:
    /// for its owner.
    #[inline]
    pub(crate) fn owned_key(self, order: Order) -> Option<BlockKey> {
        Self(self.0 & !(TAG_MAX << TAG_SHIFT | LEFT_FLAGS)).allocated_key(order)
    }

    #[inline]
    pub(crate) fn state(self) -> PageState {
        let order = Order::new((self.0 >> ORDER_SHIFT & 0xf) as usize).unwrap_or(Order::MAX);
        match self.0 & KIND_MASK {
            KIND_FREE => PageState::Free(order),
            KIND_CACHED => PageState::Cached(order),
            KIND_ALLOCATED => PageState::Allocated(order),
            KIND_SLAB | KIND_OWN_SLAB | KIND_DEBUGGED_SLAB => PageState::Slab,
            KIND_RETIRED => PageState::Retired,
            _ => PageState::Inner,
        }
    }

    #[inline]
    pub(super) fn zone(self) -> ZoneKind {
        ZoneKind::ALL[((self.0 >> ZONE_SHIFT & 0x3) as usize).min(ZoneKind::COUNT - 1)]
    }

    #[inline]
    pub(super) fn tag(self) -> Tag {
        Tag::ALL.get((self.0 >> TAG_SHIFT & TAG_MAX) as usize).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) const fn count(self) -> u32 {
        (self.0 >> COUNT_SHIFT) as u32
    }

    /// The flags of an allocated block; none of any other page.
    #[inline]
    pub(crate) const fn flags(self) -> PageFlags {
        if !self.is_allocated() {
            return PageFlags::empty();
        }
        PageFlags::from_bits_retain((self.0 >> FLAGS_SHIFT) as u8)
    }

    pub(crate) const fn is_parked(self) -> bool {
        self.0 & PARKED != 0
    }

    #[inline]
    pub(super) const fn is_allocated(self) -> bool {
        self.0 & KIND_MASK == KIND_ALLOCATED
    }

    /// Whether it is an allocated block that one reference more can be counted of.
    #[inline]
    pub(super) const fn can_be_shared(self) -> bool {
        self.is_allocated() && (self.count() as u64) < COUNT_MAX
    }

    /// The word without one of several references, the owner's with his tag, and without `PARKED`; `None` if there is
    /// but one.
    #[inline]
    pub(super) fn with_less(self, whose: Whose) -> Option<Self> {
        let tag = if whose == Whose::Owners { TAG_MAX << TAG_SHIFT } else { 0 };
        (self.count() > 1).then(|| Self((self.0 - Self::REFERENCE) & !(tag | PARKED)))
    }

    /// Whether it is a single page of this tag with one reference, and no cache has it.
    #[inline]
    pub(super) fn is_sole(self, tag: Tag) -> bool {
        self.0 & !(ZONE_MASK | LEFT_FLAGS) == Self::allocated(BlockKey::new(ZoneKind::Dma, Order::ZERO), tag).0
    }

    /// Whether it is an allocated block of this tag.
    #[inline]
    pub(super) const fn has_tag(self, tag: Tag) -> bool {
        self.0 & (TAG_MAX << TAG_SHIFT | KIND_MASK) == (tag as u64) << TAG_SHIFT | KIND_ALLOCATED
    }

    /// Whether it is an allocated block of this tag that the page cache does not have.
    #[inline]
    pub(super) const fn has_tag_alone(self, tag: Tag) -> bool {
        const CACHED: u64 = (PageFlags::CACHED.bits() as u64) << FLAGS_SHIFT;
        self.0 & (TAG_MAX << TAG_SHIFT | KIND_MASK | CACHED) == (tag as u64) << TAG_SHIFT | KIND_ALLOCATED
    }

    /// The word with so many references.
    #[cfg(feature = "testing")]
    pub(super) fn with_count(self, count: u32) -> Self {
        Self(self.0 & u64::from(u32::MAX) | u64::from(count) << COUNT_SHIFT)
    }

    /// The word with these flags.
    #[inline]
    pub(super) const fn with_flags(self, flags: PageFlags) -> Self {
        Self(self.0 & !(0xff << FLAGS_SHIFT) | (flags.bits() as u64) << FLAGS_SHIFT)
    }
}
