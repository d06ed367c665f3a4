//! An entry of the page map as somebody outside of the machine has read it.

use super::entry::Page;
use super::flags::PageFlags;
use super::key::CLEARED;
use super::word::{PageState, Word};
use crate::gfp::ZoneKind;
use crate::tag::Tag;

/// What the entry of one frame was at some moment: its two words, sound or not. Whatever they are, no call panics.
#[derive(Clone, Copy)]
pub struct Seen {
    link: u64,
    word: Word,
}

impl Seen {
    /// Bytes of an entry in memory.
    pub const BYTES: usize = 16;

    /// An entry from its bytes, as they stand in the memory of a little-endian machine.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let entry = u128::from_le_bytes(bytes);
        Self { link: entry as u64, word: Word::from_bits((entry >> u64::BITS) as u64) }
    }

    /// What an entry is now.
    pub fn of(page: &Page) -> Self {
        Self { link: page.link(), word: page.word() }
    }

    /// The frame's state.
    pub fn state(self) -> PageState {
        self.word.state()
    }

    /// The zone of a page that is the first of a block.
    pub fn zone(self) -> ZoneKind {
        self.word.zone()
    }

    /// The owner's tag of an allocated block.
    pub fn tag(self) -> Tag {
        self.word.tag()
    }

    /// References to an allocated block; of a page of a slab, the number of its cache.
    pub fn count(self) -> u32 {
        self.word.count()
    }

    /// Whether a cached page was cleared ahead of a request for it.
    pub fn is_cleared(self) -> bool {
        self.word.bits() & CLEARED != 0
    }

    /// What the page cache and reclaim know of an allocated block.
    pub fn flags(self) -> PageFlags {
        self.word.flags()
    }

    /// The entry's link: a slab's descriptor, a neighbour in a list, or what the owner has there.
    pub fn link(self) -> u64 {
        self.link
    }
}
