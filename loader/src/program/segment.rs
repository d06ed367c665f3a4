//! A part of a program's memory: bytes of the file, then zeros.

use core::ops::Range;

use elf::abi;
use elf::segment::ProgramHeader;

use super::refusal::ProgramRefusal;

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// What a program may do with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    /// Read it.
    pub read: bool,
    /// Write it.
    pub write: bool,
    /// Run it.
    pub execute: bool,
}

/// A segment that is loaded. Addresses are the file's own: whoever moves a program adds to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its first byte.
    pub start: u64,
    /// After the last byte that comes from the file.
    pub file_end: u64,
    /// After its last byte.
    pub end: u64,
    /// Where in the file its bytes begin.
    pub offset: u64,
    /// What the program may do with it.
    pub rights: Rights,
}

impl Segment {
    /// The segment that `header`, which is the table's number `index`, tells of. It has to end at or below `limit`, and
    /// its bytes have to be in the file, which has `file_bytes`.
    pub(super) fn read(
        header: &ProgramHeader,
        index: usize,
        limit: u64,
        file_bytes: u64,
    ) -> Result<Self, ProgramRefusal> {
        let &ProgramHeader { p_vaddr: start, p_offset: offset, p_filesz: in_file, p_memsz: in_memory, .. } = header;
        if in_file > in_memory {
            return Err(ProgramRefusal::Smaller(index));
        }
        let end = start.checked_add(in_memory).filter(|end| *end <= limit).ok_or(ProgramRefusal::TooHigh(index))?;
        if offset.checked_add(in_file).is_none_or(|end| end > file_bytes) {
            return Err(ProgramRefusal::Cut(index));
        }
        if start % PAGE != offset % PAGE {
            return Err(ProgramRefusal::Misplaced(index));
        }
        if header.p_align > 1 && !header.p_align.is_power_of_two() {
            return Err(ProgramRefusal::Alignment(index));
        }
        let has = |flag| header.p_flags & flag != 0;
        let rights = Rights { read: has(abi::PF_R), write: has(abi::PF_W), execute: has(abi::PF_X) };
        Ok(Self { start, file_end: start + in_file, end, offset, rights })
    }

    /// The pages that it needs: page-aligned addresses.
    pub const fn pages(&self) -> Range<u64> {
        page_start(self.start)..page_end(self.end)
    }

    /// The pages that the file's bytes lie in: page-aligned addresses, empty if there are no bytes.
    pub const fn file_pages(&self) -> Range<u64> {
        let start = page_start(self.start);
        if self.file_end == self.start { start..start } else { start..page_end(self.file_end) }
    }

    /// The number of the file's page that the first of its pages shows.
    pub const fn first_file_page(&self) -> u64 {
        self.offset / PAGE
    }

    /// The pages of zeros after those with bytes of the file.
    pub const fn zero_pages(&self) -> Range<u64> {
        self.file_pages().end..self.pages().end
    }

    /// What of the last page with bytes of the file has to be zeroed: it belongs to the segment, and the file has other
    /// bytes there.
    pub const fn zero_tail(&self) -> Range<u64> {
        let pages_end = self.file_pages().end;
        if self.end > self.file_end && pages_end > self.file_end && self.file_end > self.start {
            self.file_end..pages_end
        } else {
            self.file_end..self.file_end
        }
    }
}

/// The page that `address` lies in.
const fn page_start(address: u64) -> u64 {
    address & !(PAGE - 1)
}

/// The first page boundary at or after `address`, which is no address near the end of all of them.
const fn page_end(address: u64) -> u64 {
    page_start(address + (PAGE - 1))
}
