//! All that the cache knows, under its one spinlock: the index lock.
//!
//! Key type: [`Index`]: descriptors by frame, a hash of (mapping, index), the mappings with their lists of pages, and
//! the counts. Nothing here sleeps, allocates or frees: what is taken out is returned, to be dropped without the lock.
//! `lists.rs` moves pages between lists; `pages.rs` puts them in and takes them out; `streams.rs` says what is read
//! ahead.

mod descriptor;
mod lists;
mod pages;
mod sections;
mod slot;
mod streams;
mod table;

pub(crate) use descriptor::{Descriptor, Marks};
pub use pages::NotInserted;
pub(crate) use slot::Slots;
pub(crate) use streams::{MAX_WINDOW, Window};
pub(crate) use table::{Index, Room};
