//! The table of symbols: what each entry may be.

use elf::abi;
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::symbol::{Symbol as Entry, SymbolTable};

use crate::file::File;
use crate::names::Names;
use crate::part::Part;
use crate::refusal::{Refusal, SymbolFault, SymbolName};

/// The length of an entry, in bytes.
pub const ENTRY_LEN: usize = 24;

/// What a module has under a name, once it is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// The name as the compiler made it.
    pub name: &'a str,
    /// Where it lies.
    pub address: u64,
    /// The part in which it lies.
    pub part: Part,
    /// How many bytes long it is, as far as the file says: 0 for what is written in assembly.
    pub size: u64,
    /// What it is.
    pub kind: SymbolKind,
    /// Who sees it.
    pub binding: Binding,
}

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// Code.
    Function,
    /// Anything else.
    Data,
}

/// Who sees a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Whoever links to the object.
    Global,
    /// The object alone: also what is global while an object is put together, but hidden from then on.
    Local,
}

/// Where a symbol lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// Elsewhere.
    Undefined,
    /// Nowhere: it is a number.
    Absolute,
    /// In the section with this index.
    Section(usize),
}

/// The table, with the names.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a> {
    index: usize,
    entries: &'a [u8],
    names: Names<'a>,
}

impl<'a> Symbols<'a> {
    pub fn new(index: usize, entries: &'a [u8], names: Names<'a>) -> Self {
        Self { index, entries, names }
    }

    /// The index of the section that has the table.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many entries there are; the first is none.
    pub fn len(&self) -> usize {
        self.entries.len() / ENTRY_LEN
    }

    /// The entry with this index, if there is one.
    pub fn entry(&self, index: usize) -> Option<Entry> {
        if index == 0 {
            return None;
        }
        SymbolTable::new(LittleEndian, Class::ELF64, self.entries).get(index).ok()
    }

    /// All entries but the first, with their indices.
    pub fn entries(&self) -> impl Iterator<Item = (usize, Entry)> + use<'a> {
        let symbols = *self;
        (1..symbols.len()).filter_map(move |index| Some((index, symbols.entry(index)?)))
    }

    /// The entry's name. That of a source file is not looked at.
    pub fn name(&self, index: usize, entry: &Entry) -> Result<&'a str, Refusal<'a>> {
        if entry.st_symtype() == abi::STT_FILE {
            return Ok("");
        }
        self.names.get(entry.st_name).map_err(|fault| Refusal::SymbolName(index, fault))
    }

    /// How a refusal names an entry: by its section, if it stands for that.
    pub fn full_name(&self, file: &File<'a>, index: usize, entry: &Entry) -> Result<SymbolName<'a>, Refusal<'a>> {
        let name = match home(entry) {
            Home::Section(section) if entry.st_symtype() == abi::STT_SECTION => {
                file.section(section)?.map_or("", |section| section.name)
            }
            _ => self.name(index, entry)?,
        };
        Ok(SymbolName { name, index })
    }

    /// Refuses an entry that is not supported, or not right.
    pub fn check(&self, file: &File<'a>, index: usize, entry: &Entry) -> Result<(), Refusal<'a>> {
        let name = SymbolName { name: self.name(index, entry)?, index };
        check_words(entry).map_err(|fault| Refusal::Symbol(name, fault))?;
        if let Home::Section(section) = home(entry) {
            let size = file.size(section).ok_or(Refusal::Symbol(name, SymbolFault::NoSection(entry.st_shndx)))?;
            let end = entry.st_value.checked_add(entry.st_size).filter(|end| *end <= size);
            end.ok_or(Refusal::Symbol(name, SymbolFault::Outside))?;
        }
        Ok(())
    }
}

/// What the entry says by itself.
fn check_words(entry: &Entry) -> Result<(), SymbolFault> {
    let (kind, binding) = (entry.st_symtype(), entry.st_bind());
    if entry.st_shndx == abi::SHN_COMMON || kind == abi::STT_COMMON {
        return Err(SymbolFault::Common);
    }
    if !matches!(kind, abi::STT_NOTYPE | abi::STT_OBJECT | abi::STT_FUNC | abi::STT_SECTION | abi::STT_FILE) {
        return Err(SymbolFault::Kind(kind));
    }
    match (home(entry), binding) {
        (Home::Undefined, abi::STB_WEAK) => Err(SymbolFault::WeakUndefined),
        (Home::Undefined, abi::STB_LOCAL) => Err(SymbolFault::LocalUndefined),
        (_, abi::STB_LOCAL | abi::STB_GLOBAL | abi::STB_WEAK) => Ok(()),
        _ => Err(SymbolFault::Binding(binding)),
    }
}

/// Where the entry lies. An index that is kept for a purpose unknown here is that of a section that is not there.
pub fn home(entry: &Entry) -> Home {
    match entry.st_shndx {
        abi::SHN_UNDEF => Home::Undefined,
        abi::SHN_ABS => Home::Absolute,
        index => Home::Section(usize::from(index)),
    }
}

/// Who sees the entry once the object is linked.
pub fn binding(entry: &Entry) -> Binding {
    let is_hidden = matches!(entry.st_vis(), abi::STV_HIDDEN | abi::STV_INTERNAL);
    if entry.st_bind() == abi::STB_LOCAL || is_hidden { Binding::Local } else { Binding::Global }
}

/// What the entry names, in a part.
pub fn kind(entry: &Entry, part: Part) -> SymbolKind {
    match entry.st_symtype() {
        abi::STT_FUNC => SymbolKind::Function,
        abi::STT_NOTYPE if part.is_executable() => SymbolKind::Function,
        _ => SymbolKind::Data,
    }
}
