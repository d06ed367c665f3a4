//! Objects that are right: what their parts take, what lies where.

mod writer;

use loader::{Binding, Object, Part, RelocationKind, Symbol, SymbolKind};

use writer::memory::{BASES, Memory};
use writer::{
    ABSOLUTE, ALLOC, EXEC, FILE, FUNC, GLOBAL, HIDDEN, LOCAL, NOTYPE, OBJECT, R_32S, R_64, R_PC32, R_PLT32, SECTION,
    WEAK, WRITE, Writer, section, symbol, undefined, zeros,
};

/// A module with something in each part; its sections have the numbers of the comments.
fn module() -> Writer {
    Writer::new()
        .section(section(".text", ALLOC | EXEC, &[0x90; 16]).aligned(16).relocated(4, R_PLT32, 5, -4)) // 1
        .section(section(".text.cold", ALLOC | EXEC, &[0x91; 5]).aligned(16)) // 2
        .section(section(".rodata", ALLOC, b"text").aligned(4).relocated(0, R_PC32, 5, 0)) // 3
        .section(section(".data", ALLOC | WRITE, &[1; 8]).aligned(8).relocated(0, R_64, 2, 3)) // 4
        .section(zeros(".bss", ALLOC | WRITE, 100).aligned(32)) // 5
        .section(section(".init.text", ALLOC | EXEC, &[0x92; 8]).relocated(4, R_32S, 3, 0)) // 6
        .section(section(".init.data", ALLOC | WRITE, &[7; 3])) // 7
        .section(section(".init.rodata", ALLOC, &[8; 3])) // 8
        .section(section(".data.rel.ro.vtables", ALLOC | WRITE, &[9; 8]).aligned(8)) // 9
        .section(section(".modinfo", ALLOC, b"name=hello\0about=says hello\0\0license=MIT\0")) // 10
        .section(section(".debug_info", 0, &[0; 40]).relocated(0, 10, 99, 0)) // 11
        .section(section(".eh_frame", ALLOC, &[0; 24]).relocated(0, 10, 1, 0)) // 12
        .section(section(".note.gnu.property", ALLOC, &[0; 32]).kind(7)) // 13
        .section(section(".comment", 0x30, b"rustc\0")) // 14
        .symbol(symbol("", SECTION, 3, 0, 0).binding(LOCAL)) // 1
        .symbol(symbol("start", FUNC, 1, 0, 16)) // 2
        .symbol(symbol("counters", OBJECT, 5, 32, 68).binding(LOCAL)) // 3
        .symbol(symbol("cold", FUNC, 2, 1, 4).other(HIDDEN)) // 4
        .symbol(undefined("printk")) // 5
        .symbol(symbol("hello.c", FILE, ABSOLUTE, 0, 0).binding(LOCAL)) // 6
        .symbol(symbol("entry", NOTYPE, 6, 8, 0).binding(WEAK)) // 7
        .symbol(symbol("number", NOTYPE, ABSOLUTE, 5, 0).binding(GLOBAL)) // 8
}

fn printk(name: &str) -> Option<u64> {
    (name == "printk").then_some(0xffff_ffff_8000_1000)
}

#[test]
fn sections_lie_in_the_parts_of_their_rights_one_behind_the_other() {
    let bytes = module().bytes();
    let object = Object::parse(&bytes).expect("a good module");
    let sizes = Part::ALL.map(|part| object.bytes(part));
    assert_eq!(sizes, [16 + 5, 4 + 4 + 8, 32 + 100, 8, 3 + 3]);

    let mut memory = Memory::for_object(&object);
    memory.link(&object, &BASES, &mut printk).expect("all symbols are known");
    assert!(memory.is_sound());
    let mut data = vec![0; 132];
    data[..8].copy_from_slice(&0xffff_ffff_a000_0003_u64.to_le_bytes());
    assert_eq!(memory.part(Part::Data), data);
    assert_eq!(memory.part(Part::InitData), [7, 7, 7, 8, 8, 8]);
    assert_eq!(memory.part(Part::Constants)[4..], [0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
}

#[test]
fn relocations_have_the_values_computed_by_hand() {
    let bytes = module().bytes();
    let object = Object::parse(&bytes).expect("a good module");
    let mut memory = Memory::for_object(&object);
    memory.link(&object, &BASES, &mut printk).expect("all symbols are known");
    // PLT32: ffffffff80001000 - 4 - ffffffffa0000004 = -20000000 + 1000 - 8.
    assert_eq!(memory.part(Part::Text)[..8], [0x90, 0x90, 0x90, 0x90, 0xf8, 0x0f, 0x00, 0xe0]);
    // PC32: ffffffff80001000 - ffffffffa2000000 = -21fff000.
    assert_eq!(memory.part(Part::Constants)[..4], [0x00, 0x10, 0x00, 0xde]);
    // 32S: ffffffffa4000000, behind it the 32 bytes of .data with its padding, and 32 of .bss.
    assert_eq!(memory.part(Part::InitText)[4..], [0x40, 0x00, 0x00, 0xa4]);
}

#[test]
fn sections_may_have_the_flags_that_ask_nothing_of_a_loader() {
    for flag in [0x10, 0x20, 0x40, 0x80, 0x20_0000] {
        let bytes = Writer::new().section(section(".rodata.str1.1", ALLOC | flag, b"text")).bytes();
        let object = Object::parse(&bytes).expect("a section of constants");
        assert_eq!(object.bytes(Part::Constants), 4, "flag {flag:#x}");
    }
}

#[test]
fn tables_for_unwinding_and_names_of_sources_are_not_looked_at() {
    let bytes = Writer::new()
        .section(section(".eh_frame", ALLOC, &[0; 24]).kind(0x7000_0001))
        .section(section(".unwind", ALLOC, &[0; 24]).kind(0x7000_0001))
        .symbol(symbol("größe.c", FILE, ABSOLUTE, 0, 0).binding(LOCAL))
        .bytes();
    let object = Object::parse(&bytes).expect("an object of nothing");
    assert_eq!(Part::ALL.map(|part| object.bytes(part)), [0; Part::COUNT]);
}

#[test]
fn breakpoints_lie_between_functions() {
    let bytes = Writer::new()
        .section(section(".text.a", ALLOC | EXEC, &[0x90]))
        .section(section(".text.b", ALLOC | EXEC, &[0x90]).aligned(4))
        .bytes();
    let object = Object::parse(&bytes).expect("two functions");
    let mut memory = Memory::for_object(&object);
    memory.link(&object, &BASES, &mut |_| None).expect("nothing to resolve");
    assert_eq!(memory.part(Part::Text), [0x90, 0xcc, 0xcc, 0xcc, 0x90]);
}

#[test]
fn symbols_have_addresses_kinds_and_bindings() {
    let bytes = module().bytes();
    let object = Object::parse(&bytes).expect("a good module");
    let symbols: Vec<_> = object.symbols(&BASES).collect();
    let expected = [
        ("start", BASES[0], Part::Text, 16, SymbolKind::Function, Binding::Global),
        ("counters", BASES[2] + 64, Part::Data, 68, SymbolKind::Data, Binding::Local),
        ("cold", BASES[0] + 17, Part::Text, 4, SymbolKind::Function, Binding::Local),
        ("entry", BASES[3] + 8, Part::InitText, 0, SymbolKind::Function, Binding::Global),
    ];
    let expected =
        expected.map(|(name, address, part, size, kind, binding)| Symbol { name, address, part, size, kind, binding });
    assert_eq!(symbols, expected);
    assert_eq!(object.undefined().collect::<Vec<_>>(), ["printk"]);
}

#[test]
fn what_a_module_says_of_itself_is_read_in_the_files_order() {
    let bytes = module().bytes();
    let object = Object::parse(&bytes).expect("a good module");
    assert_eq!(object.modinfo("about"), Some("says hello"));
    assert_eq!(object.modinfo("abou"), None);
    let all: Vec<_> = object.modinfo_all().collect();
    assert_eq!(all, [("name", "hello"), ("about", "says hello"), ("license", "MIT")]);
    assert!(object.ksyms().is_empty());

    let bare = Writer::new().bytes();
    let bare = Object::parse(&bare).expect("an object without anything");
    assert_eq!(bare.modinfo_all().count() + bare.symbols(&BASES).count() + bare.undefined().count(), 0);
}

#[test]
fn an_object_is_small_enough_for_a_kernels_stack() {
    assert!(size_of::<Object<'_>>() < 2 << 10);
}

#[test]
fn kinds_have_their_names_and_widths() {
    let kinds = [(1, "R_X86_64_64", 8), (2, "R_X86_64_PC32", 4), (4, "R_X86_64_PLT32", 4), (11, "R_X86_64_32S", 4)];
    for (number, name, width) in kinds {
        let kind = RelocationKind::of(number).expect("one of the four");
        assert_eq!((kind.name(), kind.width()), (name, width));
    }
    assert_eq!((0..100).filter(|number| RelocationKind::of(*number).is_some()).count(), 4);
}
