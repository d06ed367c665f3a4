//! An object that may be loaded: what it is, what it wants, how it is linked.

use elf::abi;

use crate::file::{File, Section};
use crate::globals::{Globals, NotAdded};
use crate::hash::hash;
use crate::ksyms::Ksyms;
use crate::layout::Layout;
use crate::link;
use crate::modinfo::Modinfo;
use crate::names::Names;
use crate::part::Part;
use crate::refusal::{FileFault, Refusal, SectionFault, SymbolFault, SymbolName};
use crate::relocations::{Tables, Target};
use crate::section::{Use, classify};
use crate::symbols::{self, Home, Symbol, Symbols, binding, home, kind};

/// A relocatable object for x86-64 that has passed all checks which need no addresses.
///
/// It takes less than 2 KiB, and no memory beyond that.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    file: File<'a>,
    layout: Layout,
    symbols: Symbols<'a>,
    modinfo: Option<Modinfo<'a>>,
    ksyms: Option<&'a [u8]>,
}

impl<'a> Object<'a> {
    /// Checks a file, all of it: its sections, its symbols and its relocations. It takes 8 KiB of stack.
    ///
    /// # Errors
    ///
    /// What is not supported, or not right, first found in the order of the file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal<'a>> {
        let file = File::parse(bytes).map_err(Refusal::File)?;
        let mut found = Found { layout: Layout::new(), symbols: None, modinfo: None, ksyms: None };
        for section in file.sections() {
            found.add(&file, &section?)?;
        }
        let symbols = found.symbols.ok_or(Refusal::File(FileFault::NoSymbols))?;
        let object = Self { file, layout: found.layout, symbols, modinfo: found.modinfo, ksyms: found.ksyms };
        object.check_symbols()?;
        object.check_relocations()?;
        Ok(object)
    }

    /// How many bytes a part takes; 0 if the object has no such part.
    pub fn bytes(&self, part: Part) -> usize {
        self.layout.bytes(part)
    }

    /// What the module says of itself under `key`.
    pub fn modinfo(&self, key: &str) -> Option<&'a str> {
        self.modinfo.and_then(|modinfo| modinfo.get(key))
    }

    /// All that the module says of itself.
    pub fn modinfo_all(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.modinfo.unwrap_or_default().iter()
    }

    /// The bytes of the section `.ksyms`, which [`Ksyms::parse`] takes: offsets count from the start of
    /// [`Part::Text`]. Without the section there are none.
    pub fn ksyms(&self) -> &'a [u8] {
        self.ksyms.unwrap_or_default()
    }

    /// The names that others have to define.
    pub fn undefined(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let symbols = self.symbols;
        symbols
            .entries()
            .filter(|(_, entry)| home(entry) == Home::Undefined)
            .filter_map(move |(index, entry)| symbols.name(index, &entry).ok())
    }

    /// Fills `memory`, which is writable now, and relocates it for the addresses `bases`; both have an element for each
    /// part, at its [`index`](Part::index). `resolve` gives the address of a name that the object does not define, and
    /// is asked at each use.
    ///
    /// Between the sections of a part zeros are written, between those of code breakpoints.
    ///
    /// # Errors
    ///
    /// A symbol that `resolve` does not know, a value that does not fit, memory of another length than
    /// [`bytes`](Self::bytes) or at an address less aligned than 4096. The memory is then good for nothing.
    pub fn link(
        &self,
        bases: &[u64; Part::COUNT],
        mut memory: [&mut [u8]; Part::COUNT],
        resolve: &mut dyn FnMut(&str) -> Option<u64>,
    ) -> Result<(), Refusal<'a>> {
        link::check_memory(self.tables(), bases, &memory)?;
        link::fill(self.tables(), &mut memory)?;
        link::relocate(self.tables(), bases, &mut memory, resolve)
    }

    /// What lies where once the object is linked for `bases`: all that has a name and lies in a part.
    pub fn symbols(&self, bases: &[u64; Part::COUNT]) -> impl Iterator<Item = Symbol<'a>> {
        self.symbols.entries().filter_map(move |(index, entry)| {
            let Home::Section(section) = home(&entry) else {
                return None;
            };
            let place = self.layout.place(section)?;
            let name = self.symbols.name(index, &entry).ok().filter(|name| !name.is_empty())?;
            Some(Symbol {
                name,
                address: place.address(bases).wrapping_add(entry.st_value),
                part: place.part,
                size: entry.st_size,
                kind: kind(&entry, place.part),
                binding: binding(&entry),
            })
        })
    }

    fn tables(&self) -> Tables<'_, 'a> {
        Tables { file: &self.file, layout: &self.layout, symbols: &self.symbols }
    }

    fn check_symbols(&self) -> Result<(), Refusal<'a>> {
        let mut globals = Globals::new();
        for (index, entry) in self.symbols.entries() {
            self.symbols.check(&self.file, index, &entry)?;
            if home(&entry) == Home::Undefined || entry.st_bind() != abi::STB_GLOBAL {
                continue;
            }
            let name = self.symbols.name(index, &entry)?;
            globals.add(hash(name.as_bytes())).map_err(|fault| match fault {
                NotAdded::Known => Refusal::Symbol(SymbolName { name, index }, SymbolFault::Twice),
                NotAdded::Full => Refusal::File(FileFault::TooManyGlobals),
            })?;
        }
        Ok(())
    }

    fn check_relocations(&self) -> Result<(), Refusal<'a>> {
        for section in self.file.sections() {
            let section = section?;
            if classify(&section) != Ok(Use::Relocations) {
                continue;
            }
            let Some(target) = Target::of(self.tables(), &section)? else {
                continue;
            };
            for rela in target.entries() {
                target.check(self.tables(), &rela)?;
            }
        }
        Ok(())
    }
}

/// What is found while the sections are walked.
struct Found<'a> {
    layout: Layout,
    symbols: Option<Symbols<'a>>,
    modinfo: Option<Modinfo<'a>>,
    ksyms: Option<&'a [u8]>,
}

impl<'a> Found<'a> {
    fn add(&mut self, file: &File<'a>, section: &Section<'a>) -> Result<(), Refusal<'a>> {
        match classify(section).map_err(|fault| section.refuse(fault))? {
            Use::Loaded(part) => {
                file.contents(section)?;
                self.layout.add(section, part).map_err(Refusal::File)
            }
            Use::Symbols => once(&mut self.symbols, table_of_symbols(file, section)?, ".symtab"),
            Use::Modinfo => {
                let modinfo = Modinfo::parse(file.contents(section)?);
                once(&mut self.modinfo, modinfo.ok_or(section.refuse(SectionFault::NoEntries))?, ".modinfo")
            }
            Use::Ksyms => {
                let bytes = file.contents(section)?;
                Ksyms::parse(bytes).ok_or(section.refuse(SectionFault::NoTable))?;
                once(&mut self.ksyms, bytes, ".ksyms")
            }
            Use::Relocations | Use::Nothing => Ok(()),
        }
    }
}

/// Keeps what there may be one of.
fn once<'a, T>(kept: &mut Option<T>, found: T, name: &'static str) -> Result<(), Refusal<'a>> {
    match kept.replace(found) {
        None => Ok(()),
        Some(_) => Err(Refusal::File(FileFault::Twice(name))),
    }
}

/// The table of symbols, with the names that it refers to.
fn table_of_symbols<'a>(file: &File<'a>, section: &Section<'a>) -> Result<Symbols<'a>, Refusal<'a>> {
    let entries = file.contents(section)?;
    if section.header.sh_entsize != symbols::ENTRY_LEN as u64 || entries.len() % symbols::ENTRY_LEN != 0 {
        return Err(section.refuse(SectionFault::EntryLength));
    }
    let names = file.section(section.header.sh_link as usize)?.filter(|names| names.header.sh_type == abi::SHT_STRTAB);
    let names = names.ok_or(section.refuse(SectionFault::Link(section.header.sh_link)))?;
    Ok(Symbols::new(section.index, entries, Names::new(file.contents(&names)?)))
}
