//! A small writer of relocatable objects: every field of a file can be said.

#![allow(dead_code, reason = "each test program uses some of it")]

pub mod memory;

pub const ALLOC: u64 = 2;
pub const WRITE: u64 = 1;
pub const EXEC: u64 = 4;

pub const PROGBITS: u32 = 1;
pub const NOBITS: u32 = 8;

pub const UNDEFINED: u16 = 0;
pub const ABSOLUTE: u16 = 0xfff1;
pub const COMMON: u16 = 0xfff2;

pub const LOCAL: u8 = 0;
pub const GLOBAL: u8 = 1;
pub const WEAK: u8 = 2;

pub const NOTYPE: u8 = 0;
pub const OBJECT: u8 = 1;
pub const FUNC: u8 = 2;
pub const SECTION: u8 = 3;
pub const FILE: u8 = 4;

pub const HIDDEN: u8 = 2;

pub const R_64: u32 = 1;
pub const R_PC32: u32 = 2;
pub const R_PLT32: u32 = 4;
pub const R_32S: u32 = 11;

/// The bytes that every header has, and every section's.
pub const HEADER_LEN: usize = 64;

#[derive(Clone)]
pub struct Section {
    pub name: &'static str,
    pub kind: u32,
    pub flags: u64,
    pub align: u64,
    pub data: Vec<u8>,
    /// The length of a section that has no bytes in the file.
    pub zeros: u64,
    pub link: u32,
    pub info: u32,
    pub entry_len: u64,
    pub relocations: Vec<Relocation>,
}

#[derive(Clone)]
pub struct Symbol {
    pub name: String,
    pub binding: u8,
    pub kind: u8,
    pub other: u8,
    pub section: u16,
    pub value: u64,
    pub size: u64,
}

/// `symbol` is an index in the table: that of [`Writer::symbol`].
#[derive(Clone, Copy)]
pub struct Relocation {
    pub offset: u64,
    pub kind: u32,
    pub symbol: u32,
    pub addend: i64,
}

/// An object that is put together.
#[derive(Clone, Default)]
pub struct Writer {
    pub sections: Vec<Section>,
    pub symbols: Vec<Symbol>,
}

/// A section with these bytes.
pub fn section(name: &'static str, flags: u64, data: &[u8]) -> Section {
    Section {
        name,
        kind: PROGBITS,
        flags,
        align: 1,
        data: data.to_vec(),
        zeros: 0,
        link: 0,
        info: 0,
        entry_len: 0,
        relocations: Vec::new(),
    }
}

/// A section of so many zeros.
pub fn zeros(name: &'static str, flags: u64, bytes: u64) -> Section {
    Section { kind: NOBITS, zeros: bytes, ..section(name, flags, &[]) }
}

impl Section {
    pub fn aligned(self, align: u64) -> Self {
        Self { align, ..self }
    }

    pub fn kind(self, kind: u32) -> Self {
        Self { kind, ..self }
    }

    pub fn relocated(mut self, offset: u64, kind: u32, symbol: u32, addend: i64) -> Self {
        self.relocations.push(Relocation { offset, kind, symbol, addend });
        self
    }
}

/// A symbol of global binding, in a section given by its index: the first that is added has 1.
pub fn symbol(name: &str, kind: u8, section: u16, value: u64, size: u64) -> Symbol {
    Symbol { name: name.to_owned(), binding: GLOBAL, kind, other: 0, section, value, size }
}

/// A name that others define.
pub fn undefined(name: &str) -> Symbol {
    symbol(name, NOTYPE, UNDEFINED, 0, 0)
}

impl Symbol {
    pub fn binding(self, binding: u8) -> Self {
        Self { binding, ..self }
    }

    pub fn other(self, other: u8) -> Self {
        Self { other, ..self }
    }
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    pub fn symbol(mut self, symbol: Symbol) -> Self {
        self.symbols.push(symbol);
        self
    }

    /// Where the section with this name has its header in the file that [`bytes`](Self::bytes) makes.
    pub fn header_of(&self, name: &str) -> usize {
        let (bytes, sections) = (self.bytes(), self.all_sections());
        let index = sections.iter().position(|section| full_name(section) == name).expect("a section of this name");
        let table = u64::from_le_bytes(bytes[0x28..0x30].try_into().expect("eight bytes")) as usize;
        table + (index + 1) * HEADER_LEN
    }

    /// Where the section with this name has its contents in the file.
    pub fn contents_of(&self, name: &str) -> usize {
        let header = self.header_of(name);
        u64::from_le_bytes(self.bytes()[header + 24..header + 32].try_into().expect("eight bytes")) as usize
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let sections = self.all_sections();
        let mut names = vec![0];
        let mut headers = vec![0; HEADER_LEN];
        let mut contents = Vec::new();
        for section in &sections {
            let name = names.len();
            names.extend_from_slice(full_name(section).as_bytes());
            names.push(0);
            let data = if section.name == ".shstrtab" { shstrtab(&sections) } else { section.data.clone() };
            while !(HEADER_LEN + contents.len()).is_multiple_of(8) {
                contents.push(0);
            }
            let size = if section.kind == NOBITS { section.zeros } else { data.len() as u64 };
            push32(&mut headers, name as u32);
            push32(&mut headers, section.kind);
            push64(&mut headers, section.flags);
            push64(&mut headers, 0);
            push64(&mut headers, (HEADER_LEN + contents.len()) as u64);
            push64(&mut headers, size);
            push32(&mut headers, section.link);
            push32(&mut headers, section.info);
            push64(&mut headers, section.align);
            push64(&mut headers, section.entry_len);
            contents.extend(data);
        }
        let mut file = header(HEADER_LEN + contents.len(), sections.len() + 1);
        file.extend(contents);
        file.extend(headers);
        file
    }

    /// The sections that were added, then their relocations, then the tables.
    fn all_sections(&self) -> Vec<Section> {
        let mut sections = self.sections.clone();
        let relocated = self.sections.iter().filter(|section| !section.relocations.is_empty()).count();
        let symtab = (self.sections.len() + relocated + 1) as u32;
        for (index, section) in self.sections.iter().enumerate().filter(|(_, s)| !s.relocations.is_empty()) {
            sections.push(rela(section, index as u32 + 1, symtab));
        }
        let (symbols, strings) = self.tables();
        let table = Section { kind: 2, link: symtab + 1, entry_len: 24, info: 1, ..section(".symtab", 0, &symbols) };
        sections.push(table);
        sections.push(section(".strtab", 0, &strings).kind(3));
        sections.push(section(".shstrtab", 0, &[]).kind(3));
        sections
    }

    fn tables(&self) -> (Vec<u8>, Vec<u8>) {
        let mut strings = vec![0];
        let mut symbols = vec![0; 24];
        for symbol in &self.symbols {
            let name = if symbol.name.is_empty() { 0 } else { strings.len() as u32 };
            push32(&mut symbols, name);
            symbols.push(symbol.binding << 4 | symbol.kind);
            symbols.push(symbol.other);
            symbols.extend_from_slice(&symbol.section.to_le_bytes());
            push64(&mut symbols, symbol.value);
            push64(&mut symbols, symbol.size);
            strings.extend_from_slice(symbol.name.as_bytes());
            strings.push(0);
        }
        (symbols, strings)
    }
}

/// The name in the file: that of relocations begins as their kind does.
fn full_name(section: &Section) -> String {
    if section.kind == 4 { format!(".rela{}", section.name) } else { section.name.to_owned() }
}

fn shstrtab(sections: &[Section]) -> Vec<u8> {
    let mut names = vec![0];
    for section in sections {
        names.extend_from_slice(full_name(section).as_bytes());
        names.push(0);
    }
    names
}

fn rela(of: &Section, index: u32, symtab: u32) -> Section {
    let mut entries = Vec::new();
    for relocation in &of.relocations {
        push64(&mut entries, relocation.offset);
        push32(&mut entries, relocation.kind);
        push32(&mut entries, relocation.symbol);
        entries.extend_from_slice(&relocation.addend.to_le_bytes());
    }
    Section { kind: 4, link: symtab, info: index, entry_len: 24, ..section(of.name, 0, &entries) }
}

/// The file's header, for a table of sections at `table` whose last entry has their names.
fn header(table: usize, sections: usize) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    header.extend_from_slice(&1u16.to_le_bytes());
    header.extend_from_slice(&62u16.to_le_bytes());
    push32(&mut header, 1);
    push64(&mut header, 0);
    push64(&mut header, 0);
    push64(&mut header, table as u64);
    push32(&mut header, 0);
    for word in [64u16, 0, 0, 64, sections as u16, sections as u16 - 1] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    header
}

fn push32(bytes: &mut Vec<u8>, word: u32) {
    bytes.extend_from_slice(&word.to_le_bytes());
}

fn push64(bytes: &mut Vec<u8>, word: u64) {
    bytes.extend_from_slice(&word.to_le_bytes());
}
