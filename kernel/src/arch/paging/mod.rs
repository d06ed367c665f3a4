//! Page tables of this CPU: their entries, how boot builds them, the TLB.
//!
//! The walker is `mm`'s ([`PageMapper`](::mm::mapper::PageMapper)), the entries are `pagetable`'s; `builder.rs` makes
//! the tables at boot, `tlb.rs` flushes. The tables in use are a value of type [`Space`], which the kernel's memory
//! side keeps under its lock.

pub mod builder;
mod space;
mod tlb;

pub use builder::{Builder, Rights, enter};
pub use space::Space;
pub use tlb::{flush, flushes};
