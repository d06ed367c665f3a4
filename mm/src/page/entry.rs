//! The entry of one page frame, and the words that it may bear.
//!
//! Who may write an entry (each word is a relaxed atomic, so that a reader elsewhere never sees half of one):
//! - `Inner`, `Free`: the lock of the page's zone.
//! - `Allocated`, `Slab`: the owner of the block; the change to or from `Free` happens under the zone's lock. What
//!   others may change meanwhile, the count of references, changes by atomic read-modify-write, by whoever has one of
//!   them: so it needs no lock, and the block is freed by the one who finds that his is the only one.
//! - `Cached`: the CPU whose magazine the block is in; the zone's lock while it is in the depot; that of the pool of
//!   cleared pages while it is there; the caller that frees it while it is hidden to be cleared.
//! - `link` of a free page: the zone's lock; of an allocated page: its owner; of a slab's page: constant until it goes.
//!
//! ```text
//!   63        32 31      24 23      16 15     10 9  8 7    4 3   0
//!   references   24: cleared  page flags  tag    zone  order  kind
//!   cache's number                                            kind     a page of a slab
//! ```
//!
//! The owner's [`Tag`] is set when the block is allocated, before other code can find the block, and goes when it is
//! freed. The [`PageFlags`] change by atomic read-modify-write. A free compares the whole word with the one of an
//! untagged block with one reference, so tags and flags cost it nothing: a block that has any takes the slow way.

use core::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use super::flags::PageFlags;
use super::key::{BlockKey, CLEARED, ORDER_SHIFT, ZONE_SHIFT};
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::tag::Tag;

/// The entry of one page frame. 16 bytes, for ever.
#[repr(C)]
pub struct Page {
    /// Free: next and previous block of the list. Slab: the slab's descriptor. Otherwise the owner's.
    link: AtomicU64,
    /// References (high half) and tag, zone, order and state (low half).
    word: AtomicU64,
}

const _: () = assert!(size_of::<Page>() == 16);

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
        Self(KIND_ALLOCATED | key.bits() | (tag as u64) << TAG_SHIFT | 1 << COUNT_SHIFT)
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
        Self(Self::cached(BlockKey::new(zone, Order::ZERO)).0 | 1 << COUNT_SHIFT)
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
        if self.0 & KIND_MASK != KIND_ALLOCATED {
            return PageFlags::empty();
        }
        PageFlags::from_bits_retain((self.0 >> FLAGS_SHIFT) as u8)
    }

    pub(crate) const fn is_parked(self) -> bool {
        self.0 & PARKED != 0
    }

    /// The word with these flags.
    #[inline]
    const fn with_flags(self, flags: PageFlags) -> Self {
        Self(self.0 & !(0xff << FLAGS_SHIFT) | (flags.bits() as u64) << FLAGS_SHIFT)
    }
}

impl Page {
    /// An entry for a frame without an owner.
    #[inline]
    pub const fn new() -> Self {
        Self { link: AtomicU64::new(0), word: AtomicU64::new(0) }
    }

    /// The frame's state.
    #[inline]
    pub fn state(&self) -> PageState {
        self.word().state()
    }

    /// The zone of a page whose state is [`PageState::Free`], [`Cached`](PageState::Cached) or
    /// [`Allocated`](PageState::Allocated).
    #[inline]
    pub fn zone(&self) -> ZoneKind {
        self.word().zone()
    }

    /// The owner's tag of an allocated block.
    #[inline]
    pub fn tag(&self) -> Tag {
        self.word().tag()
    }

    /// References to an allocated block.
    #[inline]
    pub fn count(&self) -> u32 {
        self.word().count()
    }

    /// Takes one more reference to an allocated block, for a caller that has one, or under the zone's lock. Returns
    /// whether that was possible: it is the first page of such a block, and has not as many as can be counted.
    #[inline]
    pub(crate) fn get(&self) -> bool {
        let word = self.word();
        let allocated = matches!(word.state(), PageState::Allocated(_)) && u64::from(word.count()) < COUNT_MAX;
        allocated && {
            self.word.fetch_add(1 << COUNT_SHIFT, Relaxed);
            true
        }
    }

    /// Whether there are several references. Who has one of them may find that he is the only one by now.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.count() > 1
    }

    /// Gives one of several references back, the owner's with his tag; returns the word before, of which `PARKED` goes.
    /// `None`, and nothing changes, if there is but one: then it is the caller's alone.
    #[inline]
    pub(crate) fn put_shared(&self, whose: Whose) -> Option<Word> {
        let tag = if whose == Whose::Owners { TAG_MAX << TAG_SHIFT } else { 0 };
        let less = |word| (Word(word).count() > 1).then(|| (word - (1 << COUNT_SHIFT)) & !(tag | PARKED));
        self.word.fetch_update(Release, Acquire, less).ok().map(Word)
    }

    /// Whether the block is a single page of this tag with one reference, and no cache has it.
    #[inline]
    pub(crate) fn is_sole(&self, tag: Tag) -> bool {
        self.word.load(Acquire) & !(ZONE_MASK | LEFT_FLAGS)
            == Word::allocated(BlockKey::new(ZoneKind::Dma, Order::ZERO), tag).0
    }

    /// Whether it is an allocated block of this tag.
    #[inline]
    pub(crate) fn has_tag(&self, tag: Tag) -> bool {
        self.word.load(Relaxed) & (TAG_MAX << TAG_SHIFT | KIND_MASK) == (tag as u64) << TAG_SHIFT | KIND_ALLOCATED
    }

    /// Whether it is an allocated block of this tag that the page cache does not have.
    #[inline]
    pub(crate) fn has_tag_alone(&self, tag: Tag) -> bool {
        let cached = (PageFlags::CACHED.bits() as u64) << FLAGS_SHIFT;
        let bits = self.word.load(Relaxed) & (TAG_MAX << TAG_SHIFT | KIND_MASK | cached);
        bits == (tag as u64) << TAG_SHIFT | KIND_ALLOCATED
    }

    /// The flags; none of a page that is not allocated.
    #[inline]
    pub(crate) fn flags(&self) -> PageFlags {
        self.word().flags()
    }

    /// Sets flags of an allocated page; returns those that it had, `None` for any other page.
    #[inline]
    pub(crate) fn set_flags(&self, flags: PageFlags) -> Option<PageFlags> {
        self.change_flags(|word| Some(word.flags() | flags))
    }

    /// Clears flags of an allocated page; returns those that it had, `None` for any other page.
    #[inline]
    pub(crate) fn clear_flags(&self, flags: PageFlags) -> Option<PageFlags> {
        self.change_flags(|word| Some(word.flags() - flags))
    }

    /// Sets [`PageFlags::PARKED`] if there are several references; returns the flags that the page had.
    pub(crate) fn park_shared(&self) -> Option<PageFlags> {
        self.change_flags(|word| (word.count() > 1).then_some(word.flags() | PageFlags::PARKED))
    }

    /// Has an allocated block have the flags that `change` makes of its word; returns those that it had.
    #[inline]
    fn change_flags(&self, change: impl Fn(Word) -> Option<PageFlags>) -> Option<PageFlags> {
        let changed = |word: u64| {
            let flags = (word & KIND_MASK == KIND_ALLOCATED).then(|| change(Word(word))).flatten()?;
            Some(Word(word).with_flags(flags).0)
        };
        self.word.fetch_update(AcqRel, Relaxed, changed).ok().map(|word| Word(word).flags())
    }

    /// The upper half of the link, which is the page cache's.
    #[inline]
    pub(crate) fn upper_link(&self) -> u32 {
        (self.link.load(Relaxed) >> 32) as u32
    }

    /// Sets the upper half of the link.
    #[inline]
    pub(crate) fn set_upper_link(&self, number: u32) {
        self.change_link(|link| link & u64::from(u32::MAX) | u64::from(number) << 32);
    }

    /// One mapping more of a page whose owner counts them in the lower half of its link; returns how many there were.
    pub(crate) fn add_mapping(&self) -> u32 {
        self.change_link(|link| link & !u64::from(u32::MAX) | u64::from((link as u32).wrapping_add(1)))
    }

    /// One mapping less; returns how many there were.
    pub(crate) fn remove_mapping(&self) -> u32 {
        self.change_link(|link| link & !u64::from(u32::MAX) | u64::from((link as u32).wrapping_sub(1)))
    }

    /// Changes the link; returns the lower half of what it was.
    fn change_link(&self, change: impl Fn(u64) -> u64) -> u32 {
        self.link.fetch_update(Relaxed, Relaxed, |link| Some(change(link))).map_or(0, |before| before as u32)
    }

    /// Has an allocated block have so many references.
    #[cfg(feature = "testing")]
    pub(crate) fn set_count(&self, count: u32) {
        let rest = self.word.load(Relaxed) & u64::from(u32::MAX);
        self.word.store(rest | u64::from(count) << COUNT_SHIFT, Relaxed);
    }

    #[inline]
    pub(crate) fn word(&self) -> Word {
        Word(self.word.load(Relaxed))
    }

    #[inline]
    pub(crate) fn set_word(&self, word: Word) {
        self.word.store(word.0, Relaxed);
    }

    #[inline]
    pub(crate) fn link(&self) -> u64 {
        self.link.load(Relaxed)
    }

    #[inline]
    pub(crate) fn set_link(&self, link: u64) {
        self.link.store(link, Relaxed);
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new()
    }
}
