//! The file: its header, its sections, their names and contents.

use elf::abi;
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::section::{SectionHeader, SectionHeaderTable};

use crate::limits::MAX_SECTIONS;
use crate::names::Names;
use crate::refusal::{FileFault, Refusal, SectionFault};

const MAGIC: &[u8] = &abi::ELFMAGIC;
const IDENT_LEN: usize = abi::EI_NIDENT;
const SECTION_HEADER_LEN: u16 = 64;

/// A relocatable object for x86-64 whose sections are all within the table, and none of which is believed yet.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    bytes: &'a [u8],
    headers: SectionHeaderTable<'a, LittleEndian>,
    names: Names<'a>,
}

/// A section: its number, its name, its header.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    pub index: usize,
    pub name: &'a str,
    pub header: SectionHeader,
}

impl<'a> Section<'a> {
    /// The refusal of this section.
    pub fn refuse(&self, fault: SectionFault) -> Refusal<'a> {
        Refusal::Section(self.name, fault)
    }
}

impl<'a> File<'a> {
    /// Reads the header and finds the table of sections.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FileFault> {
        let header = header(bytes)?;
        let headers = section_headers(bytes, &header)?;
        let names = headers.get(usize::from(header.e_shstrndx)).ok().filter(|names| names.sh_type == abi::SHT_STRTAB);
        let names = names.and_then(|names| contents(bytes, &names)).ok_or(FileFault::NoSectionNames)?;
        Ok(Self { bytes, headers, names: Names::new(names) })
    }

    /// How many sections it has; the first is none.
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// The section with this index, if there is one: its name may be refused.
    pub fn section(&self, index: usize) -> Result<Option<Section<'a>>, Refusal<'a>> {
        let Ok(header) = self.headers.get(index) else {
            return Ok(None);
        };
        let name = self.names.get(header.sh_name).map_err(|fault| Refusal::SectionName(index, fault))?;
        Ok(Some(Section { index, name, header }))
    }

    /// How many bytes the section with this index says that it has.
    pub fn size(&self, index: usize) -> Option<u64> {
        self.headers.get(index).ok().map(|header| header.sh_size)
    }

    /// All sections but the first, which is none.
    pub fn sections(&self) -> impl Iterator<Item = Result<Section<'a>, Refusal<'a>>> + use<'a> {
        let file = *self;
        (1..file.len()).filter_map(move |index| file.section(index).transpose())
    }

    /// A section's bytes in the file: none if it starts as zeros.
    pub fn contents(&self, section: &Section<'a>) -> Result<&'a [u8], Refusal<'a>> {
        if section.header.sh_type == abi::SHT_NOBITS {
            return Ok(&[]);
        }
        let SectionHeader { sh_offset: start, sh_size: size, .. } = section.header;
        contents(self.bytes, &section.header)
            .ok_or_else(|| section.refuse(SectionFault::Cut { start, size, bytes: self.bytes.len() }))
    }
}

/// Checks what the file says that it is.
fn header(bytes: &[u8]) -> Result<FileHeader<LittleEndian>, FileFault> {
    if !bytes.starts_with(MAGIC) {
        return Err(FileFault::NotElf);
    }
    let cut = FileFault::HeaderCut { bytes: bytes.len() };
    let (ident, rest) = bytes.split_at_checked(IDENT_LEN).ok_or(cut)?;
    let ident = parse_ident::<LittleEndian>(ident).map_err(|_| FileFault::Format)?;
    let header = FileHeader::parse_tail(ident, rest).map_err(|_| cut)?;
    if header.e_machine != abi::EM_X86_64 || header.class != Class::ELF64 {
        return Err(FileFault::Machine(header.e_machine));
    }
    if header.e_type != abi::ET_REL {
        return Err(FileFault::Kind(header.e_type));
    }
    if header.version != u32::from(abi::EV_CURRENT) {
        return Err(FileFault::Format);
    }
    Ok(header)
}

fn section_headers<'a>(
    bytes: &'a [u8],
    header: &FileHeader<LittleEndian>,
) -> Result<SectionHeaderTable<'a, LittleEndian>, FileFault> {
    if header.e_shoff == 0 {
        return Err(FileFault::NoSections);
    }
    // With more sections than fit here the number is 0, and stands elsewhere.
    if header.e_shnum == 0 || usize::from(header.e_shnum) > MAX_SECTIONS {
        return Err(FileFault::TooManySections);
    }
    if header.e_shentsize != SECTION_HEADER_LEN {
        return Err(FileFault::HeaderLength);
    }
    let len = usize::from(header.e_shnum) * usize::from(SECTION_HEADER_LEN);
    let table = usize::try_from(header.e_shoff).ok().and_then(|start| bytes.get(start..start.checked_add(len)?));
    let end = header.e_shoff.saturating_add(len as u64);
    let table = table.ok_or(FileFault::TableCut { end, bytes: bytes.len() })?;
    Ok(SectionHeaderTable::new(LittleEndian, Class::ELF64, table))
}

fn contents<'a>(bytes: &'a [u8], header: &SectionHeader) -> Option<&'a [u8]> {
    let start = usize::try_from(header.sh_offset).ok()?;
    let size = usize::try_from(header.sh_size).ok()?;
    bytes.get(start..start.checked_add(size)?)
}
