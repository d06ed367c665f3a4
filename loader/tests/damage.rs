//! Objects that are damaged at random: nothing panics or writes astray.
//!
//! 100,000 damaged objects, `SOAK=n` times as many; a failure names the seed, and the number of the one. The objects
//! are small ones written here, and all `*.ko` of the directory that `SCULLERY_MODULES` names. What is still accepted
//! has to be consistent: each symbol within its part, the memory around the parts as it was.

mod damager;
mod random;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use loader::{Ksyms, Object, Part};

use damager::Damager;
use random::Random;
use writer::memory::{BASES, Memory};
use writer::{
    ABSOLUTE, ALLOC, EXEC, FILE, FUNC, LOCAL, OBJECT, R_32S, R_64, R_PC32, R_PLT32, SECTION, WRITE, Writer, section,
    symbol, undefined, zeros,
};

const SEED: u64 = 0x5eed_0014;
const ROUNDS: u64 = 100_000;
/// Larger parts are not linked: to fill them would be all that the test does.
const LINKED_LIMIT: usize = 1 << 20;

/// Code, constants, data and init sections that refer to each other.
fn rust_like() -> Vec<u8> {
    let code = section(".text", ALLOC | EXEC, &[0x90; 64]).aligned(16);
    let code = code.relocated(4, R_PLT32, 5, -4).relocated(20, R_32S, 1, 8).relocated(36, R_PC32, 2, -4);
    let data = section(".data", ALLOC | WRITE, &[1; 24]).aligned(8).relocated(0, R_64, 3, 0).relocated(16, R_64, 5, 1);
    let init = section(".init.text", ALLOC | EXEC, &[0x92; 16]).relocated(4, R_32S, 4, 0).relocated(8, R_PLT32, 6, -4);
    Writer::new()
        .section(code)
        .section(section(".rodata", ALLOC, b"some constants").aligned(4))
        .section(data)
        .section(zeros(".bss", ALLOC | WRITE, 100).aligned(32))
        .section(init)
        .section(section(".modinfo", ALLOC, b"name=hello\0about=says hello\0kernel=0123456789abcdef\0"))
        .section(section(".ksyms", 0, b"KSYM\x01\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x01a"))
        .symbol(symbol("", SECTION, 2, 0, 0).binding(LOCAL))
        .symbol(symbol("counter", OBJECT, 4, 32, 8).binding(LOCAL))
        .symbol(symbol("start", FUNC, 1, 0, 64))
        .symbol(symbol("MODULE", OBJECT, 3, 0, 24))
        .symbol(undefined("printk"))
        .symbol(undefined("kmalloc"))
        .symbol(symbol("hello.rs", FILE, ABSOLUTE, 0, 0).binding(LOCAL))
        .bytes()
}

/// One function, as C has it.
fn c_like() -> Vec<u8> {
    Writer::new()
        .section(section(".text", ALLOC | EXEC, &[0xe8, 0, 0, 0, 0, 0xc3]).aligned(16).relocated(1, R_PLT32, 2, -4))
        .section(section(".eh_frame", ALLOC, &[0; 24]))
        .symbol(symbol("init_module", FUNC, 1, 0, 6))
        .symbol(undefined("printk"))
        .bytes()
}

/// The objects to damage: small ones, and real ones if there are any.
fn originals() -> Vec<Vec<u8>> {
    let mut originals = vec![rust_like(), c_like()];
    if let Some(directory) = std::env::var_os("SCULLERY_MODULES") {
        let files = std::fs::read_dir(Path::new(&directory)).expect("the directory of SCULLERY_MODULES");
        let paths = files.map(|file| file.expect("an entry").path());
        let mut modules: Vec<_> = paths.filter(|path| path.extension().is_some_and(|name| name == "ko")).collect();
        modules.sort();
        originals.extend(modules.iter().map(|path| std::fs::read(path).expect("a readable module")));
    }
    originals
}

/// Some names are known, some are far away, some are not there.
fn resolve(name: &str) -> Option<u64> {
    match name.len() % 8 {
        7 => None,
        6 => Some(u64::MAX),
        _ => Some(0xffff_ffff_8000_0000 + name.len() as u64),
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    NotLinked,
    Linked,
}

/// Takes a file as a kernel would, and checks all that is then said of it.
fn load(bytes: &[u8]) -> Outcome {
    let object = match Object::parse(bytes) {
        Ok(object) => object,
        Err(refusal) => {
            assert_one_line(&refusal.to_string());
            return Outcome::Refused;
        }
    };
    assert!(object.undefined().all(|name| name.is_ascii()));
    assert!(object.modinfo_all().all(|(key, value)| !key.is_empty() && !value.contains('\0')));
    if let Some(table) = Ksyms::parse(object.ksyms()) {
        let _ = (table.find(17), table.iter().count());
    }
    if Part::ALL.iter().map(|part| object.bytes(*part)).sum::<usize>() > LINKED_LIMIT {
        return Outcome::NotLinked;
    }
    for symbol in object.symbols(&BASES) {
        let base = BASES[symbol.part.index()];
        assert!(symbol.address >= base, "{symbol:?}");
        assert!(symbol.address - base + symbol.size <= object.bytes(symbol.part) as u64, "{symbol:?}");
    }
    let mut memory = Memory::for_object(&object);
    let result = memory.link(&object, &BASES, &mut resolve);
    assert!(memory.is_sound(), "bytes outside of the parts were changed");
    match result {
        Ok(()) => Outcome::Linked,
        Err(refusal) => {
            assert_one_line(&refusal.to_string());
            Outcome::NotLinked
        }
    }
}

fn assert_one_line(text: &str) {
    assert!(!text.is_empty() && text.chars().all(|c| !c.is_control()), "{text:?}");
}

#[test]
fn objects_as_they_are_written_are_linked() {
    for original in originals() {
        let object = Object::parse(&original).expect("a good object");
        let mut memory = Memory::for_object(&object);
        memory.link(&object, &BASES, &mut |_| Some(0xffff_ffff_8000_0000)).expect("all is within reach");
        assert!(memory.is_sound());
    }
}

#[test]
fn damaged_objects_are_refused_or_loaded_within_their_memory() {
    let soak = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let originals = originals();
    let mut outcomes = [0u64; 3];
    for round in 0..ROUNDS * soak {
        // Each has a seed of its own, so that one can be made again without those before it.
        let mut random = Random::new(SEED ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let damaged = Damager::new(&originals, &mut random).damaged();
        match catch_unwind(AssertUnwindSafe(|| load(&damaged))) {
            Ok(outcome) => outcomes[outcome as usize] += 1,
            Err(_) => panic!("seed {SEED:#x}, damaged object {round}"),
        }
    }
    println!("refused, not linked, linked: {outcomes:?}");
    // Damage that all of it would refuse at the door would test nothing behind it.
    assert!(outcomes.iter().all(|count| *count > ROUNDS * soak / 50), "{outcomes:?}");
}

#[test]
fn an_object_cut_anywhere_is_refused() {
    for original in [rust_like(), c_like()] {
        for len in 0..original.len() {
            assert_eq!(load(&original[..len]), Outcome::Refused, "cut after {len} bytes");
        }
    }
}

#[test]
fn a_byte_of_any_value_anywhere_does_no_harm() {
    let original = c_like();
    for at in 0..original.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = original.clone();
            damaged[at] = value;
            load(&damaged);
        }
    }
}
