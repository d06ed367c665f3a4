//! The page map: 16 bytes for each frame, and the states a frame goes through.
//!
//! A [`Page`] says what its frame is: the first page of a free block, of an allocated block, part of a slab, or none of
//! these. A page that is not the first of its block reads [`PageState::Inner`], whether it lies in a block or was never
//! handed to the allocator: no block operation ever touches more than the entries of first pages, so an order-9 pair
//! costs what an order-0 pair does. [`PageMap::block_of`] finds the block around an inner page when an error is to be
//! explained.
//!
//! `flags.rs` is what reclaim knows of a page, `key.rs` zone and order of a block, `word.rs` a state with all that
//! belongs to it, `entry.rs` one entry, `map.rs` all of them, `chain.rs` strings blocks together by their entries,
//! `direct.rs` leads from a frame to its address and back, `seen.rs` is an entry as somebody outside reads it.

mod chain;
mod direct;
mod entry;
mod flags;
mod key;
mod map;
mod seen;
mod word;

pub use direct::DirectMap;
pub use entry::Page;
pub use flags::PageFlags;
pub use map::{PageMap, SECTION_FRAMES, mark_present};
pub use seen::Seen;
pub use word::PageState;

pub(crate) use chain::{BlockChain, ChainCell, NIL};
pub(crate) use key::BlockKey;
pub(crate) use word::{SlabUser, Whose, Word};

#[cfg(test)]
pub(crate) mod tests;
