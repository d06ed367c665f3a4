//! The entry of one page frame.
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
//! The owner's [`Tag`] is set when the block is allocated, before other code can find the block, and goes when it is
//! freed. The [`PageFlags`] change by atomic read-modify-write.

use core::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use super::flags::PageFlags;
use super::word::{PageState, Whose, Word};
use crate::gfp::ZoneKind;
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
        self.word().can_be_shared() && {
            self.word.fetch_add(Word::REFERENCE, Relaxed);
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
        let less = |bits| Word::from_bits(bits).with_less(whose).map(Word::bits);
        self.word.fetch_update(Release, Acquire, less).ok().map(Word::from_bits)
    }

    /// Whether the block is a single page of this tag with one reference, and no cache has it.
    #[inline]
    pub(crate) fn is_sole(&self, tag: Tag) -> bool {
        Word::from_bits(self.word.load(Acquire)).is_sole(tag)
    }

    /// Whether it is an allocated block of this tag.
    #[inline]
    pub(crate) fn has_tag(&self, tag: Tag) -> bool {
        self.word().has_tag(tag)
    }

    /// Whether it is an allocated block of this tag that the page cache does not have.
    #[inline]
    pub(crate) fn has_tag_alone(&self, tag: Tag) -> bool {
        self.word().has_tag_alone(tag)
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
        let changed = |bits| {
            let word = Word::from_bits(bits);
            let flags = word.is_allocated().then(|| change(word)).flatten()?;
            Some(word.with_flags(flags).bits())
        };
        self.word.fetch_update(AcqRel, Relaxed, changed).ok().map(|bits| Word::from_bits(bits).flags())
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
        self.set_word(self.word().with_count(count));
    }

    #[inline]
    pub(crate) fn word(&self) -> Word {
        Word::from_bits(self.word.load(Relaxed))
    }

    #[inline]
    pub(crate) fn set_word(&self, word: Word) {
        self.word.store(word.bits(), Relaxed);
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
