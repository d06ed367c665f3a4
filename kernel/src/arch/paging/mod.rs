//! Page tables of this CPU: their entries, how boot builds them, the TLB.
//!
//! The walker is `mm`'s ([`PageMapper`](::mm::mapper::PageMapper)), the entries are `pagetable`'s; `builder.rs` makes
//! the tables at boot, `root.rs` knows which are loaded, `tlb.rs` flushes. The kernel's tables are a value of type
//! [`Space`], which its memory side keeps under its lock.

pub mod builder;
mod root;
mod space;
mod tlb;

pub use builder::{Builder, Rights, enter};
pub use root::{kernel_root, load_root, loaded_root};
pub use space::Space;
pub use tlb::{flush, flushes};
