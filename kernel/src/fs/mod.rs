//! Files: one tree of names over several file systems, and open files.
//!
//! | directory | file system | content |
//! |---|---|---|
//! | `/` | [`rootfs`] | the initial files ([`initial_files`]), and what is made there |
//! | `/tmp` | [`tmpfs`] | files in the page cache, and nowhere else |
//! | `/dev` | [`devfs`] | registered character devices and disks |
//! | `/proc` | [`procfs`] | texts written when they are opened |
//!
//! The initial files are read on demand, from a [`source`], into the page cache ([`cached_file`]), and so are the bytes
//! of disks ([`mod@block`]).
//!
//! Key types: [`OpenFile`], what a program holds; [`File`], what an open file does; [`Node`], what a name leads to;
//! [`Place`], where the caller of a call by path stands. The calls by path ([`open`], [`rename`], ...) go along the
//! path ([`mod@mount`] knows the way between file systems) and ask the nodes at its end. The policy of names is that of
//! the crate `vfs`. Errors are the usual numbers. Everything here runs in process context and may sleep.
#![forbid(unsafe_code)]

mod account;
pub mod archive;
pub mod bigfile;
pub mod block;
pub mod cached_file;
mod calls;
pub mod content;
mod devfs;
mod device;
mod directory;
pub mod file;
pub mod initial_files;
mod listed;
mod listing;
pub mod mount;
pub mod node;
pub mod open_file;
pub mod pipe;
mod place;
pub mod procfs;
mod raw_device;
pub mod rootfs;
pub mod source;
pub mod table;
pub mod tmpfs;
mod tree;

pub use calls::{
    change, link, link_node, lstat, mkdir, mknod, open, open_program, read_link, rename, rmdir, stat, symlink,
    truncate, unlink,
};
pub use file::File;
pub use listing::{Entries, Entry, readdir};
pub use mount::{kind_of, path_of};
pub use node::{Change, Follow, Kind, Listed, Make, Node, Replace, Stat, Timestamp};
pub use open_file::OpenFile;
pub use pipe::{PIPE_BUF, PIPE_BYTES, pipe};
pub use place::Place;
pub use rootfs::{mount, unmount};
pub use table::{Descriptor, FileTable};

pub use crate::mm::page_cache::sync;
