//! What an image has for modules: symbols by hashes of their names, a version.
//!
//! A module names what it uses of the kernel by the compiler's mangled names. The image carries of each name that code
//! outside of it can mean only the hash, and the symbol's offset from `__kernel_start`. The table lies behind that of
//! [functions](crate::functions); the format is described where it is read: `loader::Exports`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use loader::hash;
use object::elf::{FileHeader64, STB_GLOBAL, STV_DEFAULT};
use object::read::elf::{ElfFile, ElfSymbol};
use object::{LittleEndian, Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolFlags, SymbolKind};

use crate::names;

/// The two halves of the kernel's version, as the linker script of [`version_lines`] defines them.
const VERSION: [&str; 2] = ["__kernel_version_high", "__kernel_version_low"];
/// Where the kernel's first byte lies.
const START: &str = "__kernel_start";
/// Digits of a version: two numbers of 64 bits in hexadecimal.
const VERSION_DIGITS: usize = 32;
/// What compilers call without being told; the linker hides these, so no flag of theirs says that they are meant.
const BUILT_IN: [&str; 6] = ["memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"];

/// The section with what the kernel offers by plain names: of each the name's address, its length, and the function's
/// address (kernel/src/exports/).
const OFFERED: &str = ".exports";

type Elf<'a> = ElfFile<'a, FileHeader64<LittleEndian>>;
type Symbol<'a> = ElfSymbol<'a, 'a, FileHeader64<LittleEndian>>;

/// What a linked kernel has for modules.
#[derive(Debug)]
pub struct Exports {
    version: String,
    entries: BTreeMap<u64, (String, u32)>,
    offered: BTreeSet<String>,
}

impl Exports {
    /// Reads them from a linked kernel; none if it was linked without its version, by whoever does not build modules.
    /// Two names of one hash are refused.
    pub fn of(elf: &[u8]) -> Result<Option<Self>> {
        let file = Elf::parse(elf).context("not an ELF file")?;
        let Some(version) = version(&file) else { return Ok(None) };
        let base = address(&file, START).context("the kernel does not say where it starts")?;
        let mut exports = Self { version, entries: BTreeMap::new(), offered: offered(&file)? };
        for symbol in file.symbols().filter(is_for_modules) {
            let offset = symbol.address().checked_sub(base).context("a symbol lies below the kernel")?;
            exports.add(symbol.name()?, u32::try_from(offset)?)?;
        }
        Ok(Some(exports))
    }

    fn add(&mut self, name: &str, offset: u32) -> Result<()> {
        match self.entries.insert(hash(name.as_bytes()), (name.to_owned(), offset)) {
            Some((other, _)) if other != name => {
                bail!("{} and {} have one hash: rename one", names::whole(&other), names::whole(name))
            }
            Some((_, elsewhere)) if elsewhere != offset => bail!("{} is there twice", names::whole(name)),
            _ => Ok(()),
        }
    }

    /// Whether there is a symbol of this mangled name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(&hash(name.as_bytes()))
    }

    /// Whether a function of this name is offered to modules of the C ABI.
    pub fn offers(&self, name: &str) -> bool {
        self.offered.contains(name)
    }

    /// The mangled names, in no order that means anything, and always the same.
    pub fn names(&self) -> Vec<&str> {
        self.entries.values().map(|(name, _)| name.as_str()).collect()
    }

    /// The table.
    pub fn table(&self) -> Result<Vec<u8>> {
        let mut table = b"KEXP".to_vec();
        table.extend_from_slice(&u32::try_from(self.entries.len())?.to_le_bytes());
        table.extend_from_slice(&u32::try_from(self.version.len())?.to_le_bytes());
        table.extend_from_slice(self.version.as_bytes());
        table.extend(self.entries.keys().flat_map(|hash| hash.to_le_bytes()));
        table.extend(self.entries.values().flat_map(|(_, offset)| offset.to_le_bytes()));
        Ok(table)
    }
}

/// Lines of a linker script that give a kernel its version; `None` unless it has 32 hexadecimal digits.
pub fn version_lines(version: &str) -> Option<String> {
    let is_version = version.len() == VERSION_DIGITS && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (high, low) = version.split_at_checked(VERSION_DIGITS / 2).filter(|_| is_version)?;
    Some(format!("{} = 0x{high};\n{} = 0x{low};\n", VERSION[0], VERSION[1]))
}

fn version(file: &Elf<'_>) -> Option<String> {
    Some(format!("{:016x}{:016x}", address(file, VERSION[0])?, address(file, VERSION[1])?))
}

/// The names of functions of the C ABI.
fn offered(file: &Elf<'_>) -> Result<BTreeSet<String>> {
    let Some(table) = file.section_by_name(OFFERED) else { return Ok(BTreeSet::new()) };
    let name = |entry: &[[u8; 8]]| {
        let [address, length, _] = entry else { return None };
        let (address, length) = (u64::from_le_bytes(*address), u64::from_le_bytes(*length));
        let name = file.segments().find_map(|segment| segment.data_range(address, length).ok().flatten())?;
        String::from_utf8(name.to_vec()).ok()
    };
    let (words, _) = table.data()?.as_chunks();
    words.chunks(3).map(|entry| name(entry).context("a function that is offered has no name")).collect()
}

fn address(file: &Elf<'_>, name: &str) -> Option<u64> {
    file.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address())
}

/// Whether an image's symbol is for modules.
fn is_for_modules(symbol: &Symbol<'_>) -> bool {
    let is_code_or_data = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data);
    let is_built_in = symbol.name().is_ok_and(|name| BUILT_IN.contains(&name));
    symbol.is_definition() && is_code_or_data && (is_visible(symbol) || is_built_in)
}

/// Whether code of other crates can mean the symbol: the compiler hides what it knows to be of no use to them.
pub fn is_visible<'data>(symbol: &impl ObjectSymbol<'data>) -> bool {
    let SymbolFlags::Elf { st_info, st_other } = symbol.flags() else { return false };
    st_info >> 4 == STB_GLOBAL && st_other & 3 == STV_DEFAULT
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use loader::{Exports as Reader, hash};

    use super::{Exports, version_lines};

    fn exports(entries: &[(&str, u32)]) -> Exports {
        let mut exports =
            Exports { version: "0123456789abcdef".repeat(2), entries: BTreeMap::new(), offered: BTreeSet::new() };
        for (name, offset) in entries {
            exports.add(name, *offset).expect("no collision");
        }
        exports
    }

    #[test]
    fn the_kernel_reads_what_was_written() {
        let table = exports(&[("b", 16), ("a", 32)]).table().expect("a small table");
        let reader = Reader::parse(&table).expect("a table");
        assert_eq!((reader.version(), reader.len()), ("0123456789abcdef0123456789abcdef", 2));
        let found = ["a", "b", "c"].map(|name| reader.find(hash(name.as_bytes())));
        assert_eq!(found, [Some(32), Some(16), None]);
    }

    #[test]
    fn two_names_of_one_hash_are_refused_and_so_is_a_name_with_two_places() {
        let mut exports = exports(&[("a", 16)]);
        exports.add("a", 16).expect("the same again");
        assert!(exports.add("a", 32).is_err());
        exports.entries.insert(hash(b"c"), ("b".into(), 48));
        assert!(exports.add("c", 64).expect_err("a collision").to_string().contains("b and c have one hash"));
    }

    #[test]
    fn a_version_is_two_numbers_to_the_linker() {
        let lines = version_lines("6ed1be7161726430bf235190f30abeaf").expect("a version");
        assert_eq!(lines, "__kernel_version_high = 0x6ed1be7161726430;\n__kernel_version_low = 0xbf235190f30abeaf;\n");
        assert!(version_lines("6ed1").is_none() && version_lines(&"x".repeat(32)).is_none());
    }
}
