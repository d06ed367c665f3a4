//! File systems whose names are in memory: trees of `vfs`, each in its lock.
//!
//! What a name leads to beside directories and links is a [`Leaf`]. `/` and `/tmp` are such trees, and so is the fixed
//! part of `/proc`. Key types: [`TreeFs`], [`Leaf`].
//!
//! Lock order: a leaf's own locks are not taken under the tree's, nor the tree's under them.

mod filesystem;
mod leaf;
mod node;

pub(super) use filesystem::{Gone, More, Names, New, Policy, TreeFs, make_directories, next_device, split};
pub(super) use leaf::Leaf;
pub(super) use node::root;
