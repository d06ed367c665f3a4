//! The relocations of a section that is loaded, and what each may say.

use elf::abi;
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::relocation::{Rela, RelaIterator};
use elf::symbol::Symbol as Entry;

use crate::file::{File, Section};
use crate::layout::{Layout, Place};
use crate::refusal::{Refusal, RelocationFault, RelocationPlace, SectionFault};
use crate::relocation_kind::RelocationKind;
use crate::symbols::{Home, Symbols, home};

const ENTRY_LEN: usize = 24;

/// What the relocations of an object are read with.
#[derive(Clone, Copy)]
pub struct Tables<'t, 'a> {
    pub file: &'t File<'a>,
    pub layout: &'t Layout,
    pub symbols: &'t Symbols<'a>,
}

/// A section that is loaded and relocated.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub section: Section<'a>,
    pub place: Place,
    entries: &'a [u8],
}

/// A relocation that is right as far as it can be told before there are addresses.
pub struct Relocation {
    pub kind: RelocationKind,
    /// From the section's start, in bytes.
    pub offset: usize,
    pub symbol: usize,
    pub entry: Entry,
    pub addend: i64,
}

impl<'a> Target<'a> {
    /// What a section of relocations is for; `None` if that section is not loaded.
    pub fn of(tables: Tables<'_, 'a>, relocations: &Section<'a>) -> Result<Option<Self>, Refusal<'a>> {
        let header = &relocations.header;
        let link = |index| relocations.refuse(SectionFault::Link(index));
        let index = header.sh_info as usize;
        let section = tables.file.section(index)?.filter(|_| index != 0).ok_or(link(header.sh_info))?;
        let Some(place) = tables.layout.place(index) else {
            return Ok(None);
        };
        if header.sh_link as usize != tables.symbols.index() {
            return Err(link(header.sh_link));
        }
        let entries = tables.file.contents(relocations)?;
        if header.sh_entsize != ENTRY_LEN as u64 || entries.len() % ENTRY_LEN != 0 {
            return Err(relocations.refuse(SectionFault::EntryLength));
        }
        Ok(Some(Self { section, place, entries }))
    }

    /// The relocations as the file has them.
    pub fn entries(&self) -> RelaIterator<'a, LittleEndian> {
        RelaIterator::new(LittleEndian, Class::ELF64, self.entries)
    }

    /// Refuses a relocation whose kind, place or symbol is not supported, or not right.
    pub fn check(&self, tables: Tables<'_, 'a>, rela: &Rela) -> Result<Relocation, Refusal<'a>> {
        let symbol = rela.r_sym as usize;
        let entry = tables.symbols.entry(symbol);
        let entry = entry.ok_or(self.refuse(rela.r_offset, RelocationFault::NoSymbol(rela.r_sym)))?;
        let name = || tables.symbols.full_name(tables.file, symbol, &entry);
        let Some(kind) = RelocationKind::of(rela.r_type) else {
            return Err(self.refuse(rela.r_offset, RelocationFault::Kind { number: rela.r_type, symbol: name()? }));
        };
        let offset = usize::try_from(rela.r_offset).ok();
        let offset = offset.filter(|offset| self.reaches(*offset, kind.width()));
        let offset = offset.ok_or(self.refuse(rela.r_offset, RelocationFault::Outside))?;
        let has_address = match home(&entry) {
            Home::Undefined => true,
            Home::Absolute => false,
            Home::Section(index) => tables.layout.place(index).is_some(),
        };
        if !has_address {
            return Err(self.refuse(rela.r_offset, RelocationFault::NoAddress(name()?)));
        }
        Ok(Relocation { kind, offset, symbol, entry, addend: rela.r_addend })
    }

    /// The refusal of a relocation at this offset of the section.
    pub fn refuse(&self, offset: u64, fault: RelocationFault<'a>) -> Refusal<'a> {
        Refusal::Relocation(RelocationPlace { section: self.section.name, offset }, fault)
    }

    /// Whether the section has bytes of its own in the file from `offset` on.
    fn reaches(&self, offset: usize, width: usize) -> bool {
        let end = offset.checked_add(width).and_then(|end| u64::try_from(end).ok());
        self.section.header.sh_type == abi::SHT_PROGBITS && end.is_some_and(|end| end <= self.section.header.sh_size)
    }
}
