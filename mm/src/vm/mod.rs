//! Address ranges for vmalloc and ioremap.

pub(crate) mod area;
pub(crate) mod ranges;
pub(crate) mod tree;

pub use area::{AreaKind, AreaState};

pub(crate) use area::{AreaRef, FrameChain, VmArea};
pub(crate) use ranges::{Batch, Queue, RangeCache};
pub(crate) use tree::AreaTree;
