//! Address ranges for vmalloc and ioremap.

pub(crate) mod area;
#[path = "quantum.rs"]
mod bucket;
#[path = "../page/chain.rs"]
mod chain;
#[path = "pool.rs"]
mod depot;
#[path = "index.rs"]
pub(crate) mod memo;
pub(crate) mod ranges;
pub(crate) mod tree;

pub use area::{AreaKind, AreaState};

pub(crate) use area::{AreaRef, Purpose, VmArea};
pub(crate) use bucket::AreaChain;
pub(crate) use chain::FrameChain;
pub(crate) use depot::RangeDepot;
pub(crate) use memo::Memo;
pub(crate) use ranges::{RangeCache, Settled};
pub(crate) use tree::AreaTree;
