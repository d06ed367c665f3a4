//! Fills the memory of the parts, and relocates what lies there.

use crate::part::Part;
use crate::refusal::{MemoryFault, Refusal, RelocationFault, SymbolFault, SymbolName};
use crate::relocations::{Relocation, Tables, Target};
use crate::section::{Use, classify};
use crate::symbols::{Home, home};

/// What stands between functions: a breakpoint, so that a wild jump is told at once.
const BETWEEN_FUNCTIONS: u8 = 0xcc;

/// Where a part lies: the address that the code sees, and the bytes as they are written now.
pub type Memory<'m> = [&'m mut [u8]; Part::COUNT];

/// Refuses memory of a wrong length, or at an address that the object cannot be linked for.
pub fn check_memory<'a>(
    tables: Tables<'_, 'a>,
    bases: &[u64; Part::COUNT],
    memory: &Memory<'_>,
) -> Result<(), Refusal<'a>> {
    for part in Part::ALL {
        let (base, bytes) = (bases[part.index()], tables.layout.bytes(part));
        if memory[part.index()].len() != bytes {
            return Err(Refusal::Memory(part, MemoryFault::Length));
        }
        let is_aligned = bytes == 0 || base.is_multiple_of(tables.layout.alignment(part));
        if !is_aligned || base.checked_add(bytes as u64).is_none() {
            return Err(Refusal::Memory(part, MemoryFault::Address(base)));
        }
    }
    Ok(())
}

/// Writes all parts: what lies between the sections, then the sections.
pub fn fill<'a>(tables: Tables<'_, 'a>, memory: &mut Memory<'_>) -> Result<(), Refusal<'a>> {
    for part in Part::ALL {
        memory[part.index()].fill(if part.is_executable() { BETWEEN_FUNCTIONS } else { 0 });
    }
    for section in tables.file.sections() {
        let section = section?;
        let Some(place) = tables.layout.place(section.index) else {
            continue;
        };
        let start = place.offset as usize;
        let contents = tables.file.contents(&section)?;
        let room = start.checked_add(contents.len()).and_then(|end| memory[place.part.index()].get_mut(start..end));
        room.ok_or(Refusal::Memory(place.part, MemoryFault::Length))?.copy_from_slice(contents);
    }
    Ok(())
}

/// Relocates all parts, with the addresses of undefined symbols from `resolve`.
pub fn relocate<'a>(
    tables: Tables<'_, 'a>,
    bases: &[u64; Part::COUNT],
    memory: &mut Memory<'_>,
    resolve: &mut dyn FnMut(&str) -> Option<u64>,
) -> Result<(), Refusal<'a>> {
    for section in tables.file.sections() {
        let section = section?;
        if classify(&section) != Ok(Use::Relocations) {
            continue;
        }
        let Some(target) = Target::of(tables, &section)? else {
            continue;
        };
        for rela in target.entries() {
            let relocation = target.check(tables, &rela)?;
            let symbol = address(tables, bases, &relocation, resolve)?;
            write(tables, bases, memory, &target, &relocation, symbol)?;
        }
    }
    Ok(())
}

/// The address of a relocation's symbol.
fn address<'a>(
    tables: Tables<'_, 'a>,
    bases: &[u64; Part::COUNT],
    relocation: &Relocation,
    resolve: &mut dyn FnMut(&str) -> Option<u64>,
) -> Result<u64, Refusal<'a>> {
    if let Home::Section(index) = home(&relocation.entry)
        && let Some(place) = tables.layout.place(index)
    {
        return Ok(place.address(bases).wrapping_add(relocation.entry.st_value));
    }
    let name = tables.symbols.name(relocation.symbol, &relocation.entry)?;
    let unresolved = SymbolName { name, index: relocation.symbol };
    resolve(name).ok_or(Refusal::Symbol(unresolved, SymbolFault::Unresolved))
}

/// Changes the bytes that a relocation is for.
fn write<'a>(
    tables: Tables<'_, 'a>,
    bases: &[u64; Part::COUNT],
    memory: &mut Memory<'_>,
    target: &Target<'a>,
    relocation: &Relocation,
    symbol: u64,
) -> Result<(), Refusal<'a>> {
    let offset = relocation.offset as u64;
    let place = target.place.address(bases).wrapping_add(offset);
    let Some(value) = relocation.kind.value(symbol, relocation.addend, place) else {
        let symbol = tables.symbols.full_name(tables.file, relocation.symbol, &relocation.entry)?;
        return Err(target.refuse(offset, RelocationFault::Overflow { kind: relocation.kind.name(), symbol }));
    };
    let start = (target.place.offset as usize).saturating_add(relocation.offset);
    let room = memory[target.place.part.index()].get_mut(start..start.saturating_add(value.bytes().len()));
    room.ok_or(target.refuse(offset, RelocationFault::Outside))?.copy_from_slice(value.bytes());
    Ok(())
}
