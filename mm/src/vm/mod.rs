//! Address ranges for vmalloc and ioremap.

pub(crate) mod area;
pub(crate) mod tree;

pub use area::AreaKind;

pub(crate) use area::{AreaRef, VmArea};
pub(crate) use tree::AreaTree;
