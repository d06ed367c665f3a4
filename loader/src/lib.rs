//! Loads ELF objects for x86-64 into memory that it is given; reads programs.
//!
//! [`Object::parse`] checks a file, [`Object::bytes`] says how much memory each [`Part`] of it wants,
//! [`Object::link`] fills that memory and relocates it, [`Object::symbols`] says what then lies where. Whatever is not
//! supported or not right is refused by name: a [`Refusal`] prints as one line.
//!
//! [`program`] reads executables instead, for a kernel that maps them.
//!
//! Every number of a file is an allegation. Nothing here panics, allocates, or writes outside of the memory given, and
//! the time taken grows as the file's length does: the number of sections, and the length of a name, have limits.
//!
//! [`hash`](hash()) names a symbol in 64 bits; [`Ksyms`] and [`Exports`] read the two tables that an image carries. All
//! calls are for any context.
#![no_std]
#![forbid(unsafe_code)]

mod bytes;
mod exports;
mod file;
mod globals;
mod hash;
mod ksyms;
mod layout;
mod limits;
mod link;
mod modinfo;
mod names;
mod object;
mod part;
pub mod program;
mod refusal;
mod relocation_kind;
mod relocations;
mod section;
mod symbols;

pub use exports::Exports;
pub use hash::hash;
pub use ksyms::Ksyms;
pub use limits::{MAX_ALIGNMENT, MAX_BYTES, MAX_GLOBALS, MAX_NAME, MAX_SECTIONS, MAX_SEGMENTS};
pub use object::Object;
pub use part::Part;
pub use refusal::{
    FileFault, MemoryFault, NameFault, Refusal, RelocationFault, RelocationPlace, SectionFault, SymbolFault, SymbolName,
};
pub use relocation_kind::RelocationKind;
pub use symbols::{Binding, Symbol, SymbolKind};
