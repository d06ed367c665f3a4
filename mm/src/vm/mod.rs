//! Address ranges for vmalloc and ioremap.

pub(crate) mod area;
mod chain;
pub(crate) mod ranges;
pub(crate) mod tree;

pub use area::{AreaKind, AreaState};

pub(crate) use area::{AreaRef, VmArea};
pub(crate) use chain::FrameChain;
pub(crate) use ranges::{Batch, Queue, RangeCache};
pub(crate) use tree::AreaTree;
