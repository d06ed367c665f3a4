//! What a section is for, from its type, its flags and its name.

use elf::abi;

use crate::file::Section;
use crate::limits::MAX_ALIGNMENT;
use crate::part::Part;
use crate::refusal::SectionFault;

/// How GNU objects mark what a linker may not collect.
const SHF_GNU_RETAIN: u64 = 0x20_0000;
/// Flags of a loaded section that ask nothing of a loader, or what it does anyway.
const HARMLESS: u64 = abi::SHF_WRITE as u64
    | abi::SHF_ALLOC as u64
    | abi::SHF_EXECINSTR as u64
    | abi::SHF_MERGE as u64
    | abi::SHF_STRINGS as u64
    | abi::SHF_INFO_LINK as u64
    | abi::SHF_LINK_ORDER as u64
    | SHF_GNU_RETAIN;
/// The type that x86-64 has for `.eh_frame`.
const SHT_X86_64_UNWIND: u32 = 0x7000_0001;

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Loaded(Part),
    Symbols,
    Relocations,
    Modinfo,
    Ksyms,
    /// Debug information, names, notes, tables for unwinding: nobody here reads them.
    Nothing,
}

/// What the section is for, if it is supported.
pub fn classify(section: &Section<'_>) -> Result<Use, SectionFault> {
    match section.header.sh_type {
        abi::SHT_NULL => return Ok(Use::Nothing),
        abi::SHT_SYMTAB => return Ok(Use::Symbols),
        abi::SHT_RELA => return Ok(Use::Relocations),
        abi::SHT_REL => return Err(SectionFault::WithoutAddends),
        abi::SHT_GROUP => return Err(SectionFault::Group),
        abi::SHT_SYMTAB_SHNDX => return Err(SectionFault::ExtendedIndices),
        abi::SHT_INIT_ARRAY | abi::SHT_FINI_ARRAY | abi::SHT_PREINIT_ARRAY => return Err(SectionFault::Constructors),
        _ => {}
    }
    if !has(section, abi::SHF_ALLOC) {
        return Ok(by_name(section).unwrap_or(Use::Nothing));
    }
    if let Some(known) = by_name(section) {
        return Ok(known);
    }
    if matches!(section.header.sh_type, abi::SHT_NOTE | SHT_X86_64_UNWIND) || section.name == ".eh_frame" {
        return Ok(Use::Nothing);
    }
    check_loaded(section)?;
    Ok(Use::Loaded(part(section)))
}

/// The sections that a loader reads itself, whether they are marked to be loaded or not.
fn by_name(section: &Section<'_>) -> Option<Use> {
    let is_read = section.header.sh_type == abi::SHT_PROGBITS;
    match section.name {
        ".modinfo" if is_read => Some(Use::Modinfo),
        ".ksyms" if is_read => Some(Use::Ksyms),
        _ => None,
    }
}

/// Refuses what would have to be loaded in another way.
fn check_loaded(section: &Section<'_>) -> Result<(), SectionFault> {
    let header = &section.header;
    if [".ctors", ".dtors"].iter().any(|name| section.name.starts_with(name)) {
        return Err(SectionFault::Constructors);
    }
    if !matches!(header.sh_type, abi::SHT_PROGBITS | abi::SHT_NOBITS) {
        return Err(SectionFault::Kind(header.sh_type));
    }
    if has(section, abi::SHF_TLS) {
        return Err(SectionFault::ThreadLocal);
    }
    if has(section, abi::SHF_GROUP) {
        return Err(SectionFault::Group);
    }
    if has(section, abi::SHF_COMPRESSED) {
        return Err(SectionFault::Compressed);
    }
    if header.sh_flags & !HARMLESS != 0 {
        return Err(SectionFault::Flags(header.sh_flags & !HARMLESS));
    }
    if has(section, abi::SHF_WRITE) && has(section, abi::SHF_EXECINSTR) {
        return Err(SectionFault::WriteAndExecute);
    }
    if alignment(section) > MAX_ALIGNMENT || !alignment(section).is_power_of_two() {
        return Err(SectionFault::Alignment(header.sh_addralign));
    }
    Ok(())
}

/// What is written to only while it is relocated belongs to the constants.
fn part(section: &Section<'_>) -> Part {
    let is_init = section.name.starts_with(".init.");
    let is_relocated_only = section.name.starts_with(".data.rel.ro");
    match (is_init, has(section, abi::SHF_EXECINSTR), has(section, abi::SHF_WRITE)) {
        (true, true, _) => Part::InitText,
        (true, false, _) => Part::InitData,
        (false, true, _) => Part::Text,
        (false, false, true) if !is_relocated_only => Part::Data,
        (false, false, _) => Part::Constants,
    }
}

/// The section's alignment in bytes, which 0 leaves open.
pub fn alignment(section: &Section<'_>) -> u64 {
    section.header.sh_addralign.max(1)
}

fn has(section: &Section<'_>, flag: u32) -> bool {
    section.header.sh_flags & u64::from(flag) != 0
}
