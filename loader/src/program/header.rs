//! The first bytes of a program: what it is for, where its segments are listed.

use core::ops::Range;

use elf::abi;
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader, parse_ident};

use super::refusal::ProgramRefusal;
use crate::limits::MAX_SEGMENTS;

/// Bytes that [`Header::parse`] wants of a file, if it has so many.
pub const HEADER_BYTES: usize = 64;
/// Bytes of a segment's header.
pub const SEGMENT_HEADER_BYTES: u16 = 56;

/// What the file's first bytes say.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub(super) entry: u64,
    pub(super) may_move: bool,
    pub(super) table: u64,
    pub(super) count: u16,
}

/// Where in the file the table of segments lies, in bytes.
pub type TableRange = Range<u64>;

impl Header {
    /// Reads the first bytes of a file of `file_bytes` bytes: [`HEADER_BYTES`] of them.
    pub fn parse(bytes: &[u8], file_bytes: u64) -> Result<Self, ProgramRefusal> {
        let header = fields(bytes)?;
        if header.e_phentsize != SEGMENT_HEADER_BYTES {
            return Err(ProgramRefusal::HeaderLength(header.e_phentsize));
        }
        if header.e_phnum == 0 || header.e_phnum > MAX_SEGMENTS {
            return Err(ProgramRefusal::SegmentCount(header.e_phnum));
        }
        let may_move = header.e_type == abi::ET_DYN;
        let read = Self { entry: header.e_entry, may_move, table: header.e_phoff, count: header.e_phnum };
        let end = read.table.checked_add(read.table_bytes());
        if end.is_none_or(|end| end > file_bytes) {
            return Err(ProgramRefusal::TableCut);
        }
        Ok(read)
    }

    /// Where in the file the table of segments lies.
    pub fn table(&self) -> TableRange {
        // `parse` has seen that it ends within the file.
        self.table..self.table + self.table_bytes()
    }

    fn table_bytes(&self) -> u64 {
        u64::from(self.count) * u64::from(SEGMENT_HEADER_BYTES)
    }
}

/// Checks what the file says that it is.
fn fields(bytes: &[u8]) -> Result<FileHeader<LittleEndian>, ProgramRefusal> {
    if !bytes.starts_with(&abi::ELFMAGIC) {
        return Err(ProgramRefusal::NotElf);
    }
    let (ident, rest) = bytes.split_at_checked(abi::EI_NIDENT).ok_or(ProgramRefusal::NotElf)?;
    let ident = parse_ident::<LittleEndian>(ident).map_err(|_| ProgramRefusal::Machine(0))?;
    let header = FileHeader::parse_tail(ident, rest).map_err(|_| ProgramRefusal::NotElf)?;
    let is_ours = header.class == Class::ELF64 && header.version == u32::from(abi::EV_CURRENT);
    if header.e_machine != abi::EM_X86_64 || !is_ours {
        return Err(ProgramRefusal::Machine(header.e_machine));
    }
    match header.e_type {
        abi::ET_EXEC | abi::ET_DYN => Ok(header),
        kind => Err(ProgramRefusal::Kind(kind)),
    }
}
