//! Why an object is refused: one line that names the thing.

use core::fmt;

use crate::limits::{MAX_ALIGNMENT, MAX_BYTES, MAX_GLOBALS, MAX_NAME, MAX_SECTIONS};
use crate::part::Part;
use crate::relocation_kind;

/// Why an object is not loaded. It prints as one line; names are the file's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// The file as a whole.
    File(FileFault),
    /// The name of the section with this index.
    SectionName(usize, NameFault),
    /// A section, by its name.
    Section(&'a str, SectionFault),
    /// The name of the symbol with this index.
    SymbolName(usize, NameFault),
    /// A symbol.
    Symbol(SymbolName<'a>, SymbolFault),
    /// A relocation in a section that is loaded.
    Relocation(RelocationPlace<'a>, RelocationFault<'a>),
    /// The memory that [`link`](crate::Object::link) was given for a part.
    Memory(Part, MemoryFault),
}

/// What is wrong with the file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// It begins otherwise.
    NotElf,
    /// It ends within its header.
    HeaderCut {
        /// Its length.
        bytes: usize,
    },
    /// It is for another machine, by the number that ELF has for it.
    Machine(u16),
    /// It is no 64-bit object, or no little-endian one, or one of an unknown version.
    Format,
    /// It is linked already, or a core dump, by the number that ELF has for it.
    Kind(u16),
    /// It has no sections.
    NoSections,
    /// It has more sections than [`MAX_SECTIONS``].
    TooManySections,
    /// Its headers of sections are of another length.
    HeaderLength,
    /// Its table of sections goes beyond its end.
    TableCut {
        /// Where the table would end.
        end: u64,
        /// The file's length.
        bytes: usize,
    },
    /// The section that should have the sections' names has none.
    NoSectionNames,
    /// It has no table of symbols.
    NoSymbols,
    /// Two sections of a kind of which there is one.
    Twice(&'static str),
    /// Its parts want more than [`MAX_BYTES``].
    TooLarge,
    /// It defines more global symbols than [`MAX_GLOBALS``].
    TooManyGlobals,
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// It lies outside of the table of names.
    Outside,
    /// The table ends before it does.
    Endless,
    /// It is longer than [`MAX_NAME`].
    TooLong,
    /// It is not printable ASCII.
    NoText,
}

/// What is wrong with a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionFault {
    /// It goes beyond the file's end.
    Cut {
        /// Where it begins.
        start: u64,
        /// How long it says that it is.
        size: u64,
        /// The file's length.
        bytes: usize,
    },
    /// A type that is not loaded, by the number that ELF has for it.
    Kind(u32),
    /// Flags that mean nothing here.
    Flags(u64),
    /// Its contents are compressed.
    Compressed,
    /// It would be written to and executed.
    WriteAndExecute,
    /// Its alignment is no power of two, or above [`MAX_ALIGNMENT``].
    Alignment(u64),
    /// It lists functions to be called before or after the rest; nobody calls them.
    Constructors,
    /// It holds variables of threads.
    ThreadLocal,
    /// It belongs to a group, of which a linker keeps one.
    Group,
    /// It belongs to an object of more sections than 65,279.
    ExtendedIndices,
    /// It holds relocations without addends.
    WithoutAddends,
    /// It is a table whose entries have another length.
    EntryLength,
    /// It names a section that is not there, or none of the right kind.
    Link(u32),
    /// Its entries are no `key=value`.
    NoEntries,
    /// It is no table of functions.
    NoTable,
}

/// Which symbol: it prints as its name, or as `#` and its index if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolName<'a> {
    /// The name, or that of the section for which it stands; it may be empty.
    pub name: &'a str,
    /// Its place in the table of symbols.
    pub index: usize,
}

/// What is wrong with a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolFault {
    /// It has no place until a linker gives it one.
    Common,
    /// It may be absent.
    WeakUndefined,
    /// It is undefined, and nothing else can see it.
    LocalUndefined,
    /// A type that is not supported, by the number that ELF has for it.
    Kind(u8),
    /// A binding that is not supported, by the number that ELF has for it.
    Binding(u8),
    /// Its section is not there.
    NoSection(u16),
    /// It lies outside of its section.
    Outside,
    /// Two of its name are global.
    Twice,
    /// Nobody defines it.
    Unresolved,
}

/// Where a relocation lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelocationPlace<'a> {
    /// The section that it changes.
    pub section: &'a str,
    /// How many bytes into the section.
    pub offset: u64,
}

/// What is wrong with a relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelocationFault<'a> {
    /// A kind that is not supported, by the number that ELF has for it.
    Kind {
        /// The number.
        number: u32,
        /// The symbol.
        symbol: SymbolName<'a>,
    },
    /// It would change bytes outside of its section.
    Outside,
    /// Its symbol is not there.
    NoSymbol(u32),
    /// Its symbol has no address: it is absolute, or lies in a section that is not loaded.
    NoAddress(SymbolName<'a>),
    /// The value does not fit.
    Overflow {
        /// The kind's name.
        kind: &'static str,
        /// The symbol.
        symbol: SymbolName<'a>,
    },
}

/// What is wrong with the memory for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryFault {
    /// It has another length than [`bytes`](crate::Object::bytes) says.
    Length,
    /// Its address is not as aligned as its sections want, or it would reach beyond the last address.
    Address(u64),
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(fault) => fault.fmt(f),
            Self::SectionName(index, fault) => write!(f, "the name of section {index} {fault}"),
            Self::Section(name, fault) => write!(f, "section {name}: {fault}"),
            Self::SymbolName(index, fault) => write!(f, "the name of symbol {index} {fault}"),
            Self::Symbol(name, fault) => write!(f, "symbol {name}: {fault}"),
            Self::Relocation(place, fault) => {
                write!(f, "relocation at {}+{:#x}: {fault}", place.section, place.offset)
            }
            Self::Memory(part, fault) => write!(f, "the memory for {part} {fault}"),
        }
    }
}

impl core::error::Error for Refusal<'_> {}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotElf => f.write_str("not an ELF object"),
            Self::HeaderCut { bytes } => write!(f, "truncated: it ends after {bytes} bytes, within the ELF header"),
            Self::Machine(number) => machine(number, f),
            Self::Format => f.write_str("not a 64-bit little-endian ELF object of version 1"),
            Self::Kind(number) => kind(number, f),
            Self::NoSections => f.write_str("an object without sections"),
            Self::TooManySections => write!(f, "more than {} sections", MAX_SECTIONS),
            Self::HeaderLength => f.write_str("section headers of another length than 64 bytes"),
            Self::TableCut { end, bytes } => {
                write!(f, "truncated: its table of sections ends at byte {end}, the file after {bytes}")
            }
            Self::NoSectionNames => f.write_str("no names of sections"),
            Self::NoSymbols => f.write_str("no table of symbols: stripped of too much"),
            Self::Twice(name) => write!(f, "two sections {name}"),
            Self::TooLarge => write!(f, "more than {} bytes of memory", MAX_BYTES),
            Self::TooManyGlobals => write!(f, "more than {} global symbols", MAX_GLOBALS),
        }
    }
}

fn machine(number: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match number {
        elf::abi::EM_386 => f.write_str("an object for i386, not for x86-64"),
        elf::abi::EM_ARM => f.write_str("an object for arm, not for x86-64"),
        elf::abi::EM_AARCH64 => f.write_str("an object for aarch64, not for x86-64"),
        elf::abi::EM_RISCV => f.write_str("an object for riscv, not for x86-64"),
        elf::abi::EM_X86_64 => f.write_str("an object for x86-64 with 32-bit addresses"),
        _ => write!(f, "an object for machine {number}, not for x86-64"),
    }
}

fn kind(number: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match number {
        elf::abi::ET_EXEC => f.write_str("an executable, not a relocatable object"),
        elf::abi::ET_DYN => f.write_str("a shared object, not a relocatable one"),
        elf::abi::ET_CORE => f.write_str("a core dump, not a relocatable object"),
        _ => write!(f, "a file of type {number}, not a relocatable object"),
    }
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("lies outside of the table of names"),
            Self::Endless => f.write_str("does not end"),
            Self::TooLong => write!(f, "is longer than {MAX_NAME} bytes"),
            Self::NoText => f.write_str("is not printable ASCII"),
        }
    }
}

impl fmt::Display for SectionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Cut { start, size, bytes } => {
                write!(f, "truncated: {size} bytes from byte {start} on, the file ends after {bytes}")
            }
            Self::Kind(number) => write!(f, "type {number:#x} is not supported"),
            Self::Flags(flags) => write!(f, "flags {flags:#x} are not supported"),
            Self::Compressed => f.write_str("compressed sections are not loaded"),
            Self::WriteAndExecute => f.write_str("both writable and executable"),
            Self::Alignment(alignment) => {
                write!(f, "alignment {alignment}, not a power of two up to {}", MAX_ALIGNMENT)
            }
            Self::Constructors => f.write_str("constructors and destructors are not called"),
            Self::ThreadLocal => f.write_str("thread-local variables are not supported"),
            Self::Group => f.write_str("section groups are not supported: link it with ld -r"),
            Self::ExtendedIndices => f.write_str("too many sections"),
            Self::WithoutAddends => f.write_str("relocations without addends are not supported"),
            Self::EntryLength => f.write_str("not a whole number of entries"),
            Self::Link(index) => write!(f, "it refers to section {index}, which is not there or of a wrong type"),
            Self::NoEntries => f.write_str("not entries key=value"),
            Self::NoTable => f.write_str("not a table of functions"),
        }
    }
}

impl fmt::Display for SymbolName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() { write!(f, "#{}", self.index) } else { f.write_str(self.name) }
    }
}

impl fmt::Display for SymbolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Common => f.write_str("a common symbol: compile with -fno-common"),
            Self::WeakUndefined => f.write_str("weak and undefined"),
            Self::LocalUndefined => f.write_str("local and undefined"),
            Self::Kind(elf::abi::STT_TLS) => f.write_str("thread-local variables are not supported"),
            Self::Kind(number) => write!(f, "type {number} is not supported"),
            Self::Binding(number) => write!(f, "binding {number} is not supported"),
            Self::NoSection(index) => write!(f, "section {index} is not there"),
            Self::Outside => f.write_str("outside of its section"),
            Self::Twice => f.write_str("defined twice"),
            Self::Unresolved => f.write_str("unknown"),
        }
    }
}

impl fmt::Display for RelocationFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kind { number, symbol } => match relocation_kind::name(number) {
                Some(name) => write!(f, "kind R_X86_64_{name} against {symbol} is not supported"),
                None => write!(f, "kind {number} against {symbol} is not supported"),
            },
            Self::Outside => f.write_str("outside of the section"),
            Self::NoSymbol(index) => write!(f, "symbol {index} is not there"),
            Self::NoAddress(symbol) => write!(f, "{symbol} has no address: absolute, or not loaded"),
            Self::Overflow { kind, symbol } => write!(f, "{kind} against {symbol}: too far away"),
        }
    }
}

impl fmt::Display for MemoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("has another length than the part"),
            Self::Address(address) => write!(f, "cannot lie at {address:#x}"),
        }
    }
}
