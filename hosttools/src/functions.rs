//! The table for backtraces: from an address to a function's name.
//!
//! The format is described where it is read: `loader::Ksyms`.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{LittleEndian, Object, ObjectSymbol, SymbolKind};

use crate::names;

/// Builds the table from the functions of a linked kernel; `base` is the kernel's first address.
pub fn table(elf: &[u8], base: u64) -> Result<Vec<u8>> {
    let file = ElfFile::<FileHeader64<LittleEndian>>::parse(elf).context("not an ELF file")?;
    let mut functions = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let offset = symbol.address().checked_sub(base).context("a function lies below the kernel")?;
        functions.insert(u32::try_from(offset)?, names::short(symbol.name()?));
    }
    if functions.is_empty() {
        bail!("the kernel has no symbols: it was stripped before");
    }
    encode(&functions)
}

/// Writes the table of functions at these offsets.
pub fn encode(functions: &BTreeMap<u32, String>) -> Result<Vec<u8>> {
    let mut entries = Vec::new();
    let mut names = Vec::new();
    let mut places = HashMap::new();
    for (offset, name) in functions {
        let place = *places.entry(name).or_insert_with(|| {
            let place = names.len();
            names.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            names.extend_from_slice(name.as_bytes());
            place
        });
        entries.extend_from_slice(&offset.to_le_bytes());
        entries.extend_from_slice(&u32::try_from(place)?.to_le_bytes());
    }
    let mut table = b"KSYM".to_vec();
    table.extend_from_slice(&u32::try_from(functions.len())?.to_le_bytes());
    table.extend_from_slice(&u32::try_from(names.len())?.to_le_bytes());
    table.extend(entries);
    table.extend(names);
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, encode};

    #[test]
    fn entries_are_sorted_and_equal_names_are_stored_once() {
        let functions = BTreeMap::from([(16, "b".to_owned()), (0, "a".to_owned()), (32, "a".to_owned())]);
        let table = encode(&functions).expect("a small table");
        let mut expected = b"KSYM".to_vec();
        for word in [3u32, 4, 0, 0, 16, 2, 32, 0] {
            expected.extend_from_slice(&word.to_le_bytes());
        }
        expected.extend_from_slice(b"\x01a\x01b");
        assert_eq!(table, expected);
    }
}
