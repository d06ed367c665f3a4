//! Swap: where pages of processes are while memory has no room for them.
//!
//! [`Swap`] has the areas, each a disk, or a part of one, that mkswap has prepared. A page that goes out gets a slot
//! and enters the swap cache, a mapping of the page cache for each area, whose indices are slots: so a page that
//! several processes share, and one that is read back while it is being written, is there once. Page tables have a
//! [`SwapSlot`](mm::space::SwapSlot) in its place; [`SwapStore`](mm::space::SwapStore) is what they ask.
//!
//! The files, bottom up: `header.rs` the first page of an area, `bits.rs` and `map.rs` shares of slots, `priority.rs`
//! which area is asked, `area.rs` an area and all of them, `slots.rs` what the page cache calls, `store.rs` what page
//! tables call, `on_off.rs` how areas come and go, `listing.rs` what /proc tells.
//!
//! Invariants:
//! (a) A swap entry in a page table has a share in its slot, and so has a page in the swap cache: a slot that somebody
//!     may ask for, or that may still be written, is nobody else's.
//! (b) A page is in at most one place of the swap cache, and leaves it only when no entry leads to its slot, or when
//!     the slot has what the page has.
//! (c) What a slot has is at least as new as the page's content when its last write-back began; a page that is newer
//!     is dirty.
//!
//! Locks: one spinlock for all areas, inside the page cache's. Nothing on the way out allocates: counts are there from
//! [`Swap::open`] on, descriptors are the page cache's.

mod area;
mod bits;
mod header;
mod listing;
mod map;
mod on_off;
mod priority;
mod slots;
mod store;

pub use area::{MAX_AREAS, Swap, Totals};
pub use header::{Header, HeaderError, MAX_BAD};
pub use listing::MAX_READ_AHEAD;
pub use map::MAX_SHARES;
pub use on_off::{NewArea, Share};
pub use slots::Slots;
