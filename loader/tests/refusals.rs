//! Objects that are refused: each says in one line what of it is wrong.

mod writer;

use loader::{MAX_GLOBALS, MAX_NAME, MAX_SECTIONS, Object, Part};

use writer::memory::{BASES, Memory};
use writer::{
    ABSOLUTE, ALLOC, COMMON, EXEC, FUNC, LOCAL, NOTYPE, R_32S, R_64, R_PC32, R_PLT32, SECTION, UNDEFINED, WEAK, WRITE,
    Writer, section, symbol, undefined, zeros,
};

/// What parsing says of these bytes.
fn said(bytes: &[u8]) -> String {
    match Object::parse(bytes) {
        Ok(_) => "accepted".to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

/// What linking says of this object, where nothing else defines a symbol than `kernel`.
fn linked(writer: &Writer) -> String {
    let bytes = writer.bytes();
    let object = Object::parse(&bytes).expect("an object that parses");
    let mut memory = Memory::for_object(&object);
    let result = memory.link(&object, &BASES, &mut |name| (name == "kernel").then_some(0xffff_ffff_8000_0000));
    assert!(memory.is_sound());
    result.map_or_else(|refusal| refusal.to_string(), |()| "linked".to_owned())
}

fn text() -> Writer {
    Writer::new().section(section(".text", ALLOC | EXEC, &[0x90; 16]))
}

/// The text with one symbol `start`, and what is done to the file's bytes.
fn changed(change: impl FnOnce(&Writer, &mut Vec<u8>)) -> String {
    let writer = text().symbol(symbol("start", FUNC, 1, 0, 16));
    let mut bytes = writer.bytes();
    change(&writer, &mut bytes);
    said(&bytes)
}

fn put16(bytes: &mut [u8], at: usize, word: u16) {
    bytes[at..at + 2].copy_from_slice(&word.to_le_bytes());
}

fn put32(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

fn put64(bytes: &mut [u8], at: usize, word: u64) {
    bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
}

#[test]
fn a_file_that_is_no_object_is_refused() {
    assert_eq!(said(b""), "not an ELF object");
    assert_eq!(said(b"a text\n"), "not an ELF object");
    assert_eq!(said(b"\x7fEL"), "not an ELF object");
    assert_eq!(said(b"\x7fELF"), "truncated: it ends after 4 bytes, within the ELF header");
    assert_eq!(changed(|_, bytes| bytes.truncate(63)), "truncated: it ends after 63 bytes, within the ELF header");
    let formats = "not a 64-bit little-endian ELF object of version 1";
    assert_eq!(changed(|_, bytes| bytes[4] = 3), formats);
    assert_eq!(changed(|_, bytes| bytes[5] = 2), formats);
    assert_eq!(changed(|_, bytes| bytes[6] = 2), formats);
    assert_eq!(changed(|_, bytes| put32(bytes, 20, 2)), formats);
}

#[test]
fn an_object_for_another_machine_is_refused() {
    let machine = |number| changed(|_, bytes| put16(bytes, 18, number));
    assert_eq!(machine(40), "an object for arm, not for x86-64");
    assert_eq!(machine(183), "an object for aarch64, not for x86-64");
    assert_eq!(machine(243), "an object for riscv, not for x86-64");
    assert_eq!(machine(2), "an object for machine 2, not for x86-64");
    let narrow = |number| {
        changed(|_, bytes| {
            bytes[4] = 1;
            put16(bytes, 18, number);
        })
    };
    assert_eq!(narrow(3), "an object for i386, not for x86-64");
    assert_eq!(narrow(62), "an object for x86-64 with 32-bit addresses");
}

#[test]
fn a_file_that_is_linked_already_is_refused() {
    let kind = |number| changed(|_, bytes| put16(bytes, 16, number));
    assert_eq!(kind(2), "an executable, not a relocatable object");
    assert_eq!(kind(3), "a shared object, not a relocatable one");
    assert_eq!(kind(4), "a core dump, not a relocatable object");
    assert_eq!(kind(0), "a file of type 0, not a relocatable object");
}

#[test]
fn a_truncated_object_says_where_it_ends() {
    let bytes = text().bytes();
    let len = bytes.len();
    let cut = format!("truncated: its table of sections ends at byte {len}, the file after {}", len - 1);
    assert_eq!(said(&bytes[..len - 1]), cut);
    let far = changed(|_, bytes| put64(bytes, 0x28, u64::MAX));
    assert_eq!(far, format!("truncated: its table of sections ends at byte {}, the file after 489", u64::MAX));

    let size = |size| changed(|writer, bytes| put64(bytes, writer.header_of(".text") + 32, size));
    assert_eq!(size(426), "section .text: truncated: 426 bytes from byte 64 on, the file ends after 489");
    let most = format!("section .text: truncated: {} bytes from byte 64 on, the file ends after 489", u64::MAX);
    assert_eq!(size(u64::MAX), most);
    let offset = changed(|writer, bytes| put64(bytes, writer.header_of(".symtab") + 24, 450));
    assert_eq!(offset, "section .symtab: truncated: 48 bytes from byte 450 on, the file ends after 489");
}

#[test]
fn a_table_of_sections_that_is_not_right_is_refused() {
    assert_eq!(changed(|_, bytes| put64(bytes, 0x28, 0)), "an object without sections");
    assert_eq!(changed(|_, bytes| put16(bytes, 0x3a, 40)), "section headers of another length than 64 bytes");
    assert_eq!(changed(|_, bytes| put16(bytes, 0x3c, 0)), "more than 256 sections");
    assert_eq!(changed(|_, bytes| put16(bytes, 0x3e, 1)), "no names of sections");
    assert_eq!(changed(|_, bytes| put16(bytes, 0x3e, 0xffff)), "no names of sections");
    let many = (0..MAX_SECTIONS).fold(Writer::new(), |writer, _| writer.section(section("", 0, &[])));
    assert_eq!(said(&many.bytes()), "more than 256 sections");
    let many = (0..MAX_SECTIONS - 3).fold(Writer::new(), |writer, _| writer.section(section("", 0, &[])));
    assert_eq!(said(&many.bytes()), "more than 256 sections");
    let many = (0..MAX_SECTIONS - 4).fold(Writer::new(), |writer, _| writer.section(section("", 0, &[])));
    assert_eq!(said(&many.bytes()), "accepted");
}

#[test]
fn a_name_that_is_no_name_is_refused() {
    let name = |at| changed(|writer, bytes| put32(bytes, writer.header_of(".text"), at));
    assert_eq!(name(u32::MAX), "the name of section 1 lies outside of the table of names");
    let endless = changed(|writer, bytes| {
        let size = writer.header_of(".shstrtab") + 32;
        put64(bytes, size, 3);
    });
    assert_eq!(endless, "the name of section 1 does not end");
    let strings = section(".strings", 0, &[b'n'; MAX_NAME]).kind(3);
    let unfinished = text().section(strings).symbol(undefined("x"));
    let mut bytes = unfinished.bytes();
    put32(&mut bytes, unfinished.header_of(".symtab") + 40, 2);
    put32(&mut bytes, unfinished.contents_of(".symtab") + 24, 0);
    assert_eq!(said(&bytes), "the name of symbol 1 does not end");
    let control = changed(|writer, bytes| bytes[writer.contents_of(".shstrtab") + 1] = b'\n');
    assert_eq!(control, "the name of section 1 is not printable ASCII");

    let symbol_name = |at| changed(|writer, bytes| put32(bytes, writer.contents_of(".symtab") + 24, at));
    assert_eq!(symbol_name(100), "the name of symbol 1 lies outside of the table of names");
    let longest = text().symbol(undefined(&"n".repeat(MAX_NAME)));
    assert_eq!(said(&longest.bytes()), "accepted");
    let long = text().symbol(undefined(&"n".repeat(MAX_NAME + 1)));
    assert_eq!(said(&long.bytes()), "the name of symbol 1 is longer than 2048 bytes");
    let foreign = text().symbol(undefined("größe"));
    assert_eq!(said(&foreign.bytes()), "the name of symbol 1 is not printable ASCII");
}

#[test]
fn sections_that_nobody_loads_are_refused_by_name() {
    let alone = |section| said(&Writer::new().section(section).bytes());
    let data = |name, flags| section(name, ALLOC | flags, &[0; 8]);
    let constructors = "constructors and destructors are not called";
    assert_eq!(alone(data(".init_array", WRITE).kind(14)), format!("section .init_array: {constructors}"));
    assert_eq!(alone(data(".fini_array", WRITE).kind(15)), format!("section .fini_array: {constructors}"));
    assert_eq!(alone(data(".preinit_array", WRITE).kind(16)), format!("section .preinit_array: {constructors}"));
    assert_eq!(alone(data(".ctors.1", WRITE)), format!("section .ctors.1: {constructors}"));
    assert_eq!(alone(data(".dtors", WRITE)), format!("section .dtors: {constructors}"));
    let thread_local = "thread-local variables are not supported";
    assert_eq!(alone(data(".tdata", WRITE | 0x400)), format!("section .tdata: {thread_local}"));
    assert_eq!(alone(zeros(".tbss", ALLOC | WRITE | 0x400, 8)), format!("section .tbss: {thread_local}"));
    let group = "section groups are not supported: link it with ld -r";
    assert_eq!(alone(section(".group", 0, &[0; 8]).kind(17)), format!("section .group: {group}"));
    assert_eq!(alone(data(".text.f", EXEC | 0x200)), format!("section .text.f: {group}"));
    assert_eq!(alone(data(".zdata", WRITE | 0x800)), "section .zdata: compressed sections are not loaded");
    assert_eq!(alone(data(".both", WRITE | EXEC)), "section .both: both writable and executable");
    assert_eq!(alone(data(".large", 0x1000_0000)), "section .large: flags 0x10000000 are not supported");
    assert_eq!(alone(data(".dynsym", 0).kind(11)), "section .dynsym: type 0xb is not supported");
    assert_eq!(alone(data(".rel.x", 0).kind(9)), "section .rel.x: relocations without addends are not supported");
    assert_eq!(alone(section(".symtab_shndx", 0, &[]).kind(18)), "section .symtab_shndx: too many sections");
}

#[test]
fn alignments_and_sizes_have_limits() {
    let aligned = |align| said(&Writer::new().section(section(".data", ALLOC | WRITE, &[0]).aligned(align)).bytes());
    assert_eq!([0, 1, 2, 4096].map(aligned), ["accepted"; 4]);
    for align in [3, 8192, 1 << 63, u64::MAX] {
        let refusal = format!("section .data: alignment {align}, not a power of two up to 4096");
        assert_eq!(aligned(align), refusal);
    }
    let sized = |bytes| said(&Writer::new().section(zeros(".bss", ALLOC | WRITE, bytes)).bytes());
    assert_eq!(sized(16 << 20), "accepted");
    for bytes in [(16 << 20) + 1, 1 << 32, u64::MAX] {
        assert_eq!(sized(bytes), "more than 16777216 bytes of memory");
    }
    let two = Writer::new().section(zeros(".bss", ALLOC | WRITE, 9 << 20)).section(zeros(".zeros", ALLOC, 9 << 20));
    assert_eq!(said(&two.bytes()), "more than 16777216 bytes of memory");
    let wrapped = Writer::new().section(zeros(".a", ALLOC, 1)).section(zeros(".b", ALLOC, u64::MAX));
    assert_eq!(said(&wrapped.bytes()), "more than 16777216 bytes of memory");
}

#[test]
fn tables_that_are_not_right_are_refused() {
    let field = |name: &'static str, at, word| changed(|writer, bytes| put32(bytes, writer.header_of(name) + at, word));
    assert_eq!(field(".symtab", 4, 0), "no table of symbols: stripped of too much");
    assert_eq!(field(".symtab", 56, 25), "section .symtab: not a whole number of entries");
    assert_eq!(field(".symtab", 32, 47), "section .symtab: not a whole number of entries");
    let link = "it refers to section 77, which is not there or of a wrong type";
    assert_eq!(field(".symtab", 40, 77), format!("section .symtab: {link}"));
    let none = "it refers to section 1, which is not there or of a wrong type";
    assert_eq!(field(".symtab", 40, 1), format!("section .symtab: {none}"));
    let second = text().section(section(".symtab", 0, &[0; 24]).kind(2));
    let mut bytes = second.bytes();
    let header = second.header_of(".symtab");
    put32(&mut bytes, header + 40, 4);
    put64(&mut bytes, header + 56, 24);
    assert_eq!(said(&bytes), "two sections .symtab");

    let modinfo = |text: &[u8]| said(&Writer::new().section(section(".modinfo", ALLOC, text)).bytes());
    for wrong in ["=hello\0", "name\0", "a=b\0c", "a=\n\0"] {
        assert_eq!(modinfo(wrong.as_bytes()), "section .modinfo: not entries key=value");
    }
    assert_eq!(modinfo(b"a=\xff\0"), "section .modinfo: not entries key=value");
    let twice = section(".modinfo", ALLOC, b"a=b");
    assert_eq!(said(&Writer::new().section(twice.clone()).section(twice).bytes()), "two sections .modinfo");
    let ksyms = |bytes| said(&Writer::new().section(section(".ksyms", 0, bytes)).bytes());
    assert_eq!(ksyms(b"KSYM\xff\0\0\0\0\0\0\0"), "section .ksyms: not a table of functions");
    assert_eq!(ksyms(b"KSYM\0\0\0\0\0\0\0\0"), "accepted");
}

#[test]
fn symbols_that_are_not_right_are_refused_by_name() {
    let with = |symbol| said(&text().symbol(symbol).bytes());
    assert_eq!(with(symbol("x", NOTYPE, COMMON, 8, 8)), "symbol x: a common symbol: compile with -fno-common");
    assert_eq!(with(symbol("x", 5, 1, 0, 0)), "symbol x: a common symbol: compile with -fno-common");
    assert_eq!(with(undefined("x").binding(WEAK)), "symbol x: weak and undefined");
    assert_eq!(with(undefined("x").binding(LOCAL)), "symbol x: local and undefined");
    assert_eq!(with(symbol("x", 6, 1, 0, 0)), "symbol x: thread-local variables are not supported");
    assert_eq!(with(symbol("x", 10, 1, 0, 0)), "symbol x: type 10 is not supported");
    assert_eq!(with(symbol("x", FUNC, 1, 0, 0).binding(10)), "symbol x: binding 10 is not supported");
    assert_eq!(with(symbol("x", FUNC, 9, 0, 0)), "symbol x: section 9 is not there");
    assert_eq!(with(symbol("x", FUNC, 0xffff, 0, 0)), "symbol x: section 65535 is not there");
    assert_eq!(with(symbol("x", FUNC, 1, 16, 0)), "accepted");
    for (value, size) in [(16, 1), (0, 17), (17, 0), (u64::MAX, 1), (1, u64::MAX)] {
        assert_eq!(with(symbol("x", FUNC, 1, value, size)), "symbol x: outside of its section");
    }
    assert_eq!(with(symbol("", SECTION, 200, 0, 0)), "symbol #1: section 200 is not there");
}

#[test]
fn a_name_has_one_global_definition() {
    let start = || symbol("start", FUNC, 1, 0, 1);
    let two = |first, second| said(&text().symbol(first).symbol(second).bytes());
    assert_eq!(two(start(), start()), "symbol start: defined twice");
    assert_eq!(two(start(), start().binding(LOCAL)), "accepted");
    assert_eq!(two(start(), start().binding(WEAK)), "accepted");
    let define = |count| {
        let symbols = (0..count).map(|n| symbol(&format!("f{n}"), FUNC, 1, 0, 1));
        said(&symbols.fold(text(), Writer::symbol).bytes())
    };
    assert_eq!(define(MAX_GLOBALS), "accepted");
    assert_eq!(define(MAX_GLOBALS + 1), "more than 512 global symbols");
}

#[test]
fn kinds_of_relocations_beyond_the_four_are_refused_by_name() {
    let kind = |kind| {
        let code = section(".text", ALLOC | EXEC, &[0; 16]).relocated(3, kind, 1, 0);
        said(&Writer::new().section(code).symbol(undefined("printk")).bytes())
    };
    let refusal = |name| format!("relocation at .text+0x3: kind {name} against printk is not supported");
    assert_eq!(kind(0), refusal("R_X86_64_NONE"));
    assert_eq!(kind(9), refusal("R_X86_64_GOTPCREL"));
    assert_eq!(kind(10), refusal("R_X86_64_32"));
    assert_eq!(kind(24), refusal("R_X86_64_PC64"));
    assert_eq!(kind(30), refusal("R_X86_64_GOTPLT64"));
    assert_eq!(kind(42), refusal("R_X86_64_REX_GOTPCRELX"));
    assert_eq!(kind(43), refusal("43"));
    let accepted: Vec<u32> = (0..300).filter(|number| kind(*number) == "accepted").collect();
    assert_eq!(accepted, [R_64, R_PC32, R_PLT32, R_32S]);
}

#[test]
fn relocations_that_are_not_right_are_refused() {
    let writer = |offset, kind, symbol_index| {
        Writer::new()
            .section(section(".data", ALLOC | WRITE, &[0; 16]).relocated(offset, kind, symbol_index, 0))
            .section(section(".debug_info", 0, &[0; 16]))
            .symbol(undefined("printk"))
            .symbol(symbol("number", NOTYPE, ABSOLUTE, 5, 0))
            .symbol(symbol("", SECTION, 2, 0, 0).binding(LOCAL))
    };
    let with = |offset, kind, symbol_index| said(&writer(offset, kind, symbol_index).bytes());
    assert_eq!(with(8, R_64, 1), "accepted");
    assert_eq!(with(12, R_PC32, 1), "accepted");
    assert_eq!(with(9, R_64, 1), "relocation at .data+0x9: outside of the section");
    assert_eq!(with(13, R_PC32, 1), "relocation at .data+0xd: outside of the section");
    assert_eq!(with(u64::MAX, R_64, 1), "relocation at .data+0xffffffffffffffff: outside of the section");
    assert_eq!(with(0, R_64, 0), "relocation at .data+0x0: symbol 0 is not there");
    assert_eq!(with(0, R_64, 4), "relocation at .data+0x0: symbol 4 is not there");
    assert_eq!(with(0, R_64, 2), "relocation at .data+0x0: number has no address: absolute, or not loaded");
    assert_eq!(with(0, R_64, 3), "relocation at .data+0x0: .debug_info has no address: absolute, or not loaded");
    let bss = zeros(".bss", ALLOC | WRITE, 16).relocated(0, R_64, 1, 0);
    let bss = Writer::new().section(bss).symbol(undefined("printk"));
    assert_eq!(said(&bss.bytes()), "relocation at .bss+0x0: outside of the section");

    let field = |at, word| {
        let writer = writer(0, R_64, 1);
        let mut bytes = writer.bytes();
        let header = writer.header_of(".rela.data");
        put32(&mut bytes, header + at, word);
        said(&bytes)
    };
    let link =
        |index| format!("section .rela.data: it refers to section {index}, which is not there or of a wrong type");
    assert_eq!(field(40, 1), link(1));
    assert_eq!(field(44, 0), link(0));
    assert_eq!(field(44, 99), link(99));
    assert_eq!(field(44, 2), "accepted");
    assert_eq!(field(56, 16), "section .rela.data: not a whole number of entries");
    assert_eq!(field(32, 23), "section .rela.data: not a whole number of entries");
    assert_eq!(field(32, 0), "accepted");
}

#[test]
fn values_that_do_not_fit_are_refused_with_the_symbol() {
    let with = |kind, addend| {
        let code = section(".text", ALLOC | EXEC, &[0; 16]).relocated(4, kind, 1, addend);
        linked(&Writer::new().section(code).symbol(undefined("kernel")))
    };
    let refusal = |kind| format!("relocation at .text+0x4: {kind} against kernel: too far away");
    // The symbol lies at -80000000, what is changed at -5ffffffc: a distance of -20000004.
    assert_eq!(with(R_32S, 0), "linked");
    assert_eq!(with(R_32S, -1), refusal("R_X86_64_32S"));
    assert_eq!(with(R_32S, 0xffff_ffff), "linked");
    assert_eq!(with(R_32S, 0x1_0000_0000), refusal("R_X86_64_32S"));
    assert_eq!(with(R_PC32, -0x5fff_fffc), "linked");
    assert_eq!(with(R_PC32, -0x5fff_fffd), refusal("R_X86_64_PC32"));
    assert_eq!(with(R_PLT32, 0xa000_0003), "linked");
    assert_eq!(with(R_PLT32, 0xa000_0004), refusal("R_X86_64_PLT32"));
    assert_eq!(with(R_64, i64::MIN), refusal("R_X86_64_64"));
    assert_eq!(with(R_PC32, i64::MIN), refusal("R_X86_64_PC32"));
    assert_eq!(with(R_64, i64::MAX), "linked");
}

#[test]
fn an_unknown_symbol_is_named() {
    let code = section(".text", ALLOC | EXEC, &[0; 16]).relocated(0, R_PC32, 2, 0).relocated(4, R_PC32, 1, 0);
    let object = Writer::new().section(code).symbol(undefined("no_such_thing")).symbol(undefined("kernel"));
    assert_eq!(linked(&object), "symbol no_such_thing: unknown");
    let unused = text().symbol(symbol("no_such_thing", NOTYPE, UNDEFINED, 0, 0));
    assert_eq!(linked(&unused), "linked");
}

#[test]
fn memory_that_does_not_suit_is_refused() {
    let bytes = text().section(section(".data", ALLOC | WRITE, &[1]).aligned(64)).bytes();
    let object = Object::parse(&bytes).expect("an object that parses");
    let mut bases = BASES;
    let link = |bases: &[u64; Part::COUNT]| {
        let mut memory = Memory::for_object(&object);
        memory.link(&object, bases, &mut |_| None).map_or_else(|refusal| refusal.to_string(), |()| "linked".to_owned())
    };
    bases[Part::Data.index()] += 32;
    assert_eq!(link(&bases), "the memory for data cannot lie at 0xffffffffa4000020");
    bases[Part::Data.index()] += 32;
    assert_eq!(link(&bases), "linked");
    bases[Part::Constants.index()] += 1;
    assert_eq!(link(&bases), "linked");
    bases[Part::Text.index()] = u64::MAX - 14;
    assert_eq!(link(&bases), "the memory for text cannot lie at 0xfffffffffffffff1");

    let mut text = [0; 15];
    let parts: [&mut [u8]; Part::COUNT] = [&mut text, &mut [], &mut [], &mut [], &mut []];
    let refusal = object.link(&BASES, parts, &mut |_| None).expect_err("too little memory");
    assert_eq!(refusal.to_string(), "the memory for text has another length than the part");
}
