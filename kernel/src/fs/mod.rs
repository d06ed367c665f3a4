//! Files: one tree of names over four small file systems, and open files.
//!
//! | directory | file system | content |
//! |---|---|---|
//! | `/` | [`tarfs`] | the initial files, read-only |
//! | `/tmp` | [`tmpfs`] | files in pages of the page allocator |
//! | `/dev` | [`devfs`] | registered character devices |
//! | `/proc` | [`procfs`] | texts written when they are opened |
//!
//! Key types: [`OpenFile`], what a program holds; [`File`], what an open file does; [`FileSystem`]; [`Kind`], [`Stat`]
//! and [`Entry`], what is known of a name. Each file system names these and no other file system; [`mount`] names all
//! of them. Errors are the usual numbers. Everything here runs in process context and may sleep.
#![forbid(unsafe_code)]

mod account;
pub mod bigfile;
pub mod devfs;
pub mod filesystem;
pub mod mount;
mod names;
pub mod node;
pub mod open_file;
mod pages;
mod path;
pub mod pipe;
pub mod procfs;
pub mod table;
pub mod tarfs;
pub mod tmpfs;

pub use filesystem::{File, FileSystem};
pub use mount::{open, readdir, stat, unlink};
pub use node::{Entries, Entry, Kind, Stat};
pub use open_file::OpenFile;
pub use pipe::pipe;
pub use table::{Descriptor, FileTable};
