//! A program: what of it lies where.

use elf::abi;
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::segment::{ProgramHeader, SegmentTable};

use super::header::{Header, SEGMENT_HEADER_BYTES};
use super::refusal::ProgramRefusal;
use super::segment::{PAGE, Segment};

/// A program whose segments lie one after the other, within the addresses that programs may have and within the file.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    header: Header,
    table: SegmentTable<'a, LittleEndian>,
    file_bytes: u64,
    /// How far from its own addresses it may end.
    limit: u64,
    start: u64,
    end: u64,
    alignment: u64,
    wants_executable_stack: bool,
}

/// Where a program goes: what is added to its own addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement(u64);

impl Placement {
    /// Where the address `own`, in one of the program's pages, lies.
    pub const fn place(self, own: u64) -> u64 {
        own + self.0
    }
}

impl<'a> Program<'a> {
    /// Reads the table of segments, `table`, which are the bytes [`Header::table`] of a file of `file_bytes` bytes.
    /// Programs may have addresses below `limit`, which is page-aligned and far from the end of all addresses.
    pub fn parse(header: Header, table: &'a [u8], file_bytes: u64, limit: u64) -> Result<Self, ProgramRefusal> {
        let wanted = usize::from(header.count) * usize::from(SEGMENT_HEADER_BYTES);
        let table = table.get(..wanted).ok_or(ProgramRefusal::TableCut)?;
        let table = SegmentTable::new(LittleEndian, Class::ELF64, table);
        let mut program = Self {
            header,
            table,
            file_bytes,
            limit,
            start: u64::MAX,
            end: 0,
            alignment: PAGE,
            wants_executable_stack: false,
        };
        for (index, segment) in table.iter().enumerate() {
            program.take_in(index, &segment)?;
        }
        if program.end == 0 {
            return Err(ProgramRefusal::NothingToLoad);
        }
        if program.segments().any(|segment| segment.pages().contains(&header.entry)) {
            Ok(program)
        } else {
            Err(ProgramRefusal::Entry)
        }
    }

    fn take_in(&mut self, index: usize, header: &ProgramHeader) -> Result<(), ProgramRefusal> {
        match header.p_type {
            abi::PT_INTERP => return Err(ProgramRefusal::Dynamic),
            abi::PT_GNU_STACK => self.wants_executable_stack = header.p_flags & abi::PF_X != 0,
            abi::PT_LOAD if header.p_memsz > 0 => {
                let pages = Segment::read(header, index, self.limit, self.file_bytes)?.pages();
                if pages.start < self.end {
                    return Err(ProgramRefusal::Order(index));
                }
                self.start = self.start.min(pages.start);
                self.end = pages.end;
                self.alignment = self.alignment.max(header.p_align);
            }
            _ => {}
        }
        Ok(())
    }

    /// The segments that are loaded, by rising address.
    pub fn segments(&self) -> impl Iterator<Item = Segment> {
        let (limit, file_bytes) = (self.limit, self.file_bytes);
        let loaded = |header: &ProgramHeader| header.p_type == abi::PT_LOAD && header.p_memsz > 0;
        // `parse` has read all of them.
        self.table.iter().filter(loaded).filter_map(move |header| Segment::read(&header, 0, limit, file_bytes).ok())
    }

    /// Where it goes: a program that can lie anywhere begins at the first address from `wanted` on that is aligned as
    /// it wants. `None` when it would end beyond the addresses that programs may have.
    pub fn placement(&self, wanted: u64) -> Option<Placement> {
        if !self.header.may_move {
            return Some(Placement(0));
        }
        let bias = wanted.checked_next_multiple_of(self.alignment)?.checked_sub(self.start)?;
        let end = self.end.checked_add(bias)?;
        (end <= self.limit && bias % PAGE == 0).then_some(Placement(bias))
    }

    /// Its first instruction.
    pub const fn entry(&self) -> u64 {
        self.header.entry
    }

    /// The first address after its last page.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Whether it says that it runs code on its stack.
    pub const fn wants_executable_stack(&self) -> bool {
        self.wants_executable_stack
    }

    /// Where its table of segments lies in memory, if a segment has it.
    pub fn table_address(&self) -> Option<u64> {
        let table = self.header.table();
        self.segments().find_map(|segment| {
            let in_file = segment.offset..segment.offset + (segment.file_end - segment.start);
            let has_it = in_file.start <= table.start && table.end <= in_file.end;
            has_it.then(|| segment.start + (table.start - in_file.start))
        })
    }

    /// How many entries that table has.
    pub const fn table_count(&self) -> u16 {
        self.header.count
    }

    /// Bytes of one of its entries.
    pub const fn table_entry_bytes(&self) -> u16 {
        SEGMENT_HEADER_BYTES
    }
}
