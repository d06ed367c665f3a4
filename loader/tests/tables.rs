//! The tables of symbols that an image carries, and what damage does to them.

use loader::{Exports, Ksyms, hash};

/// Functions `a` at 0, `long` at 16, `a` again at 32: equal names are stored once.
fn ksyms() -> Vec<u8> {
    let mut table = b"KSYM".to_vec();
    for word in [3u32, 7, 0, 0, 16, 2, 32, 0] {
        table.extend_from_slice(&word.to_le_bytes());
    }
    table.extend_from_slice(b"\x01a\x04long");
    table
}

fn exports(names: &[&str]) -> Vec<u8> {
    let mut hashes: Vec<u64> = names.iter().map(|name| hash(name.as_bytes())).collect();
    hashes.sort_unstable();
    let mut table = b"KEXP".to_vec();
    table.extend_from_slice(&u32::try_from(names.len()).expect("few names").to_le_bytes());
    table.extend_from_slice(&7u32.to_le_bytes());
    table.extend_from_slice(b"version");
    hashes.iter().for_each(|hash| table.extend_from_slice(&hash.to_le_bytes()));
    (0..names.len()).for_each(|n| table.extend_from_slice(&(0x1000 + 16 * n as u32).to_le_bytes()));
    table
}

#[test]
fn an_address_has_the_name_of_the_function_before_it() {
    let bytes = ksyms();
    let table = Ksyms::parse(&bytes).expect("a whole table");
    assert_eq!((table.len(), table.is_empty()), (3, false));
    assert_eq!(table.find(0), Some((0, "a")));
    assert_eq!(table.find(15), Some((0, "a")));
    assert_eq!(table.find(16), Some((16, "long")));
    assert_eq!(table.find(u32::MAX), Some((32, "a")));
    assert_eq!(table.iter().collect::<Vec<_>>(), [(0, "a"), (16, "long"), (32, "a")]);
}

#[test]
fn an_address_before_the_first_function_has_no_name() {
    let mut bytes = ksyms();
    bytes[12] = 1;
    assert_eq!(Ksyms::parse(&bytes).and_then(|table| table.find(0)), None);
    assert_eq!(Ksyms::parse(b"KSYM\0\0\0\0\0\0\0\0").and_then(|table| table.find(0)), None);
}

#[test]
fn two_tables_lie_one_behind_the_other() {
    let mut bytes = ksyms();
    bytes.extend(exports(&["start"]));
    let (functions, rest) = Ksyms::split(&bytes).expect("a whole table");
    assert_eq!(functions.len(), 3);
    assert_eq!(Exports::parse(rest).and_then(|table| table.find(hash(b"start"))), Some(0x1000));
}

#[test]
fn each_export_is_found_and_nothing_else() {
    let names: Vec<String> = (0..1000).map(|n| format!("_RNv{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for count in [0, 1, 2, 3, 1000] {
        let bytes = exports(&names[..count]);
        let table = Exports::parse(&bytes).expect("a whole table");
        assert_eq!((table.len(), table.is_empty(), table.version()), (count, count == 0, "version"));
        let mut hashes: Vec<u64> = names[..count].iter().map(|name| hash(name.as_bytes())).collect();
        hashes.sort_unstable();
        for (n, hash) in hashes.into_iter().enumerate() {
            assert_eq!(table.find(hash), Some(0x1000 + 16 * n as u32));
        }
        assert_eq!([0, 1, u64::MAX, hash(b"none")].map(|hash| table.find(hash)), [None; 4]);
    }
}

#[test]
fn a_table_that_is_cut_is_none() {
    let bytes = ksyms();
    assert!((0..bytes.len()).all(|len| Ksyms::parse(&bytes[..len]).is_none()));
    let bytes = exports(&["a", "b"]);
    assert!((0..bytes.len()).all(|len| Exports::parse(&bytes[..len]).is_none()));
}

#[test]
fn a_damaged_table_finds_nothing_wrong() {
    for at in 0..ksyms().len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = ksyms();
            bytes[at] = value;
            if let Some(table) = Ksyms::parse(&bytes) {
                let _ = (table.find(20), table.iter().count());
            }
        }
    }
    let names = ["a", "b", "c"];
    for at in 0..exports(&names).len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = exports(&names);
            bytes[at] = value;
            if let Some(table) = Exports::parse(&bytes) {
                let _ = (table.find(hash(b"b")), table.version());
            }
        }
    }
}
