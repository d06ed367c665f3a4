//! Names of files: directories, links, attributes, and the way along a path.
//!
//! Policy only, without locks and without a kernel: a file system keeps a [`Tree`] in its lock, and a kernel's calls by
//! path go their way with [`walk()`]. Key types: [`Tree`], a file system's names and what they lead to; [`Attributes`],
//! what is known of a file; [`Directory`], the names in one; [`Names`], what [`walk()`] asks of the files of a kernel;
//! [`Credentials`], who asks, and [`may`], whether he may.
//! Memory comes from the allocators of `mm`; what it costs goes to a budget of `services`.
#![no_std]
#![forbid(unsafe_code)]

mod attributes;
mod credentials;
mod directory;
mod name;
mod rights;
mod tree;
mod walk;

pub use attributes::{Attributes, Change, Kind, LINK_MAX, Ownership, PERMISSIONS, Stat, Stored, Timestamp};
pub use credentials::{Credentials, Ids, MAX_GROUPS, NewIds, Whose};
pub use directory::{Directory, Entry, Next};
pub use name::{NAME_MAX, Name, PATH_MAX, check};
pub use rights::{Rights, may, may_change, may_remove};
pub use tree::rename::At;
pub use tree::{Body, Costs, Gone, Named, New, Node, Number, Replace, Tree};
pub use walk::{Follow, Found, Last, Link, LinkOf, MAX_LINKS, Names, walk};
