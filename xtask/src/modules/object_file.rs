//! What a module's object says of itself: sections, symbols, what it lacks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use hosttools::exports;
use object::elf::FileHeader64;
use object::read::archive::ArchiveFile;
use object::read::elf::ElfFile;
use object::{LittleEndian, Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind};

/// The symbol by which the kernel finds a module.
pub const ENTRY: &str = "MODULE";
/// The variable of a module in C in which it and the kernel count who uses it.
pub const THIS_MODULE: &str = "__this_module";
/// How a line of `.modinfo` begins that makes a variable a parameter.
const PARAMETER: &str = "parm_";
/// How one begins that tells of it.
const PARAMETER_TEXT: &str = "parm_desc_";

/// Sections that are put into memory; `module.ld` makes no others.
const LOADED: [&str; 7] = [".text", ".rodata", ".data", ".bss", ".init.text", ".init.rodata", ".init.data"];

type Elf<'a> = ElfFile<'a, FileHeader64<LittleEndian>>;

/// What of an object others have to know.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Symbols that others have to provide.
    pub needs: BTreeSet<String>,
    /// Symbols that it provides.
    pub offers: BTreeSet<String>,
    /// Mangled names of the functions in `.text`, by their place there.
    pub functions: BTreeMap<u32, String>,
    /// Bytes that are put into memory.
    pub loaded: u64,
}

/// Reads an object that the linker made.
pub fn summary(object: &[u8]) -> Result<Summary> {
    let file = Elf::parse(object).context("the linker made no ELF file")?;
    let mut summary = Summary { loaded: loaded(&file)?, ..Summary::default() };
    let text = file.section_by_name(".text").map(|section| section.index());
    for symbol in file.symbols() {
        let name = symbol.name()?.to_owned();
        if symbol.kind() == SymbolKind::Text && symbol.section_index() == text {
            let place = u32::try_from(symbol.address())?;
            // In C these two are second names of functions with better ones.
            if matches!(name.as_str(), "init_module" | "cleanup_module") {
                summary.functions.entry(place).or_insert_with(|| name.clone());
            } else {
                summary.functions.insert(place, name.clone());
            }
        }
        if symbol.is_undefined() && !name.is_empty() {
            summary.needs.insert(name);
        } else if symbol.is_global() && symbol.section_index().is_some() && name != ENTRY {
            summary.offers.insert(name);
        }
    }
    Ok(summary)
}

/// Bytes of the sections that are put into memory; a section that the kernel does not know is refused.
fn loaded(file: &Elf<'_>) -> Result<u64> {
    let mut bytes = 0;
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if sh_flags & u64::from(object::elf::SHF_ALLOC) == 0 {
            continue;
        }
        match section.name()? {
            name if LOADED.contains(&name) => bytes += section.size(),
            ".modinfo" => {}
            _ if section.size() == 0 => {}
            name => bail!("it has a section {name}, which the kernel does not load"),
        }
    }
    Ok(bytes)
}

/// Bytes of what can be written to, of which no two modules may have a copy.
pub fn variables(object: &[u8]) -> Result<u64> {
    let file = Elf::parse(object).context("the linker made no ELF file")?;
    Ok([".data", ".bss"].map(|name| file.section_by_name(name).map_or(0, |section| section.size())).iter().sum())
}

/// The variables of a module in C that insmod may set. One that is not there is refused.
pub fn parameters(object: &[u8]) -> Result<Vec<String>> {
    let file = Elf::parse(object).context("the linker made no ELF file")?;
    let section = file.section_by_name(".modinfo").context("it tells nothing of itself")?;
    let lines = String::from_utf8_lossy(section.data()?);
    let keys = lines.split('\0').filter_map(|line| line.split_once('=')).map(|(key, _)| key);
    let names = keys.filter(|key| !key.starts_with(PARAMETER_TEXT)).filter_map(|key| key.strip_prefix(PARAMETER));
    let mut variables = Vec::new();
    for name in names {
        match file.symbols().filter(|symbol| symbol.is_definition() && symbol.name() == Ok(name)).count() {
            1 => variables.push(name.to_owned()),
            0 => bail!("its parameter {name} is no variable of it"),
            _ => bail!("its parameter {name} is the name of more than one variable"),
        }
    }
    Ok(variables)
}

/// Names that code outside of an archive can mean by its objects.
pub fn archive_offers(archive: &[u8]) -> Result<BTreeSet<String>> {
    let mut offers = BTreeSet::new();
    let file = ArchiveFile::parse(archive).context("the compiler made no archive")?;
    for member in file.members() {
        // What of the archive is for the compiler alone is no ELF file.
        let Ok(object) = Elf::parse(member?.data(archive)?) else { continue };
        let defined = object.symbols().filter(|symbol| symbol.is_definition() && exports::is_visible(symbol));
        offers.extend(defined.filter_map(|symbol| symbol.name().ok()).map(str::to_owned));
    }
    Ok(offers)
}
