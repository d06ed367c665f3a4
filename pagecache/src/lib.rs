//! Pages of files and disks in memory.
//!
//! They are read ahead, written back, and given back when memory is short.
//! Linux 2.4's page cache and buffer cache as one: a [`Mapping`] is a file or a block device, whose pages the one
//! [`PageCache`] of a kernel keeps. What they are read from and written to is a [`Backing`]. The descriptors of pages
//! lie in memory that is taken at the start, so nothing that gives memory back needs any.
//!
//! Key types: [`PageCache`], [`Mapping`], [`Backing`]; [`PageIo`], a page on its way; [`BdFlush`], when pages are
//! written back. The files, bottom up: `backing.rs`, `bdflush.rs`, `state.rs`, `stats.rs`, `flags.rs` (words);
//! `index/` (all that is under the index lock); `cache.rs` (the parts), `lock.rs` (page locks), `ended.rs` (what
//! becomes of a page whose I/O has ended), `writeback.rs` and `limits.rs` (which pages are written, and when),
//! `mapping.rs`, `read.rs`, `write.rs`, `resize.rs`, `sync.rs` (what is done with a mapping), `shrink.rs` (what reclaim
//! does with all of it); `swap/` is swap, whose pages are a mapping of each area.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod backing;
mod bdflush;
mod cache;
mod ended;
mod flags;
mod index;
mod limits;
mod lock;
mod mapping;
mod read;
mod resize;
mod shrink;
mod state;
mod stats;
pub mod swap;
mod sync;
mod write;
mod writeback;

pub use backing::{Backing, Direction, IoError, Kind, PageIo};
pub use bdflush::BdFlush;
pub use cache::PageCache;
pub use index::NotInserted;
pub use lock::PageLock;
pub use mapping::{Condition, Mapping};
pub use stats::{CacheEvents, CacheStats};
pub use sync::ErrorsSeen;
