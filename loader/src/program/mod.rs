//! Programs: executable ELF files, what of them lies where, and how they begin.
//!
//! [`Header::parse`] reads the file's first bytes and says where its table of segments is, [`Program::parse`] reads
//! that table. [`Script::parse`] reads the first line of a script. [`StartStack`] is what a program finds on its stack.
//! As in the rest of the crate every number of a file is an allegation.

mod header;
mod refusal;
mod script;
mod segment;
mod stack;
mod table;

pub use header::{HEADER_BYTES, Header, TableRange};
pub use refusal::ProgramRefusal;
pub use script::{SCRIPT_BYTES, Script};
pub use segment::{Rights, Segment};
pub use stack::{Auxiliary, StackTooLarge, StartStack, Strings};
pub use table::{Placement, Program};
