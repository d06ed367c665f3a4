//! The symbol table that the kernel carries for its backtraces.
//!
//! The format is described where it is read: loader/src/ksyms.rs.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{LittleEndian, Object, ObjectSymbol, SymbolKind};

/// Longest name kept; of a longer one the end is.
const NAME_LIMIT: usize = 80;

/// Builds the table from the functions of a linked kernel; `base` is the kernel's first address.
pub fn table(elf: &[u8], base: u64) -> Result<Vec<u8>> {
    let file = ElfFile::<FileHeader64<LittleEndian>>::parse(elf).context("not an ELF file")?;
    let mut functions = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        let offset = symbol.address().checked_sub(base).context("a function lies below the kernel")?;
        functions.insert(u32::try_from(offset)?, short_name(symbol.name()?));
    }
    if functions.is_empty() {
        bail!("the kernel has no symbols: it was stripped before");
    }
    encode(&functions)
}

fn encode(functions: &BTreeMap<u32, String>) -> Result<Vec<u8>> {
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

/// A function's path without hash, generic arguments and trait: `<a::B<T> as c::D>::e` is `a::B::e`.
fn short_name(mangled: &str) -> String {
    let name = without_generics(&format!("{:#}", rustc_demangle::demangle(mangled)));
    let excess = name.len().saturating_sub(NAME_LIMIT);
    name.get(excess..).unwrap_or(&name).to_owned()
}

fn without_generics(path: &str) -> String {
    let mut short = String::new();
    let mut rest = path;
    while let Some(open) = rest.find('<') {
        short.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        let close = closing_bracket(inside);
        let is_self_type = short.is_empty() || short.ends_with(['&', ' ', '(']);
        if is_self_type {
            let self_type = inside[..close].split(" as ").next().unwrap_or_default();
            short.push_str(&without_generics(self_type));
        } else if short.ends_with("::") {
            short.truncate(short.len() - 2);
        }
        rest = inside.get(close + 1..).unwrap_or_default();
    }
    short.push_str(rest);
    short.chars().filter(char::is_ascii).collect()
}

/// Where the bracket that is open at the text's start closes; the `>` of an arrow closes nothing.
fn closing_bracket(text: &str) -> usize {
    let mut depth = 1;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        before = c;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, encode, without_generics};

    #[test]
    fn generic_arguments_and_traits_are_dropped() {
        assert_eq!(without_generics("<a::B<T> as c::D>::e"), "a::B::e");
        assert_eq!(without_generics("a::f::<u8, fn(u8) -> b::C<u8>>"), "a::f");
        assert_eq!(without_generics("core::ptr::drop_in_place::<kernel::fs::File>"), "core::ptr::drop_in_place");
        assert_eq!(without_generics("kernel::start"), "kernel::start");
    }

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
