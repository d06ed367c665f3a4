//! Programs: what lies where, what is refused, and the stack that they find.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loader::program::{
    Auxiliary, HEADER_BYTES, Header, Program, ProgramRefusal, SCRIPT_BYTES, Script, StackTooLarge, StartStack, Strings,
};

mod random;

use random::Random;

const LIMIT: u64 = 0x7fff_ffff_f000;
const LOAD: u32 = 1;
const INTERP: u32 = 3;
const STACK: u32 = 0x6474_e551;

#[derive(Clone, Copy)]
struct TableEntry {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    in_file: u64,
    in_memory: u64,
    alignment: u64,
}

/// The segments of the busybox that Debian has.
const BUSYBOX: [TableEntry; 5] = [
    load(4, 0, 0x400000, 0x6e0, 0x6e0),
    load(5, 0x1000, 0x401000, 0x183989, 0x183989),
    load(4, 0x185000, 0x585000, 0x55017, 0x55017),
    load(6, 0x1da708, 0x5db708, 0x9008, 0x10450),
    TableEntry { kind: STACK, flags: 6, offset: 0, address: 0, in_file: 0, in_memory: 0, alignment: 16 },
];
const BUSYBOX_BYTES: u64 = 1_982_256;
const BUSYBOX_ENTRY: u64 = 0x40ebf0;

const fn load(flags: u32, offset: u64, address: u64, in_file: u64, in_memory: u64) -> TableEntry {
    TableEntry { kind: LOAD, flags, offset, address, in_file, in_memory, alignment: 0x1000 }
}

/// The first bytes of a program: its header and, right behind, its table.
fn file(kind: u16, entry: u64, entries: &[TableEntry]) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(62_u16.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(entry.to_le_bytes());
    bytes.extend(64_u64.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    for half in [64, 56, entries.len() as u16, 0, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for it in entries {
        bytes.extend(it.kind.to_le_bytes());
        bytes.extend(it.flags.to_le_bytes());
        for word in [it.offset, it.address, it.address, it.in_file, it.in_memory, it.alignment] {
            bytes.extend(word.to_le_bytes());
        }
    }
    bytes
}

/// Reads a program as a kernel does, from its first page, and calls `f` with it.
fn read<R>(bytes: &[u8], file_bytes: u64, f: impl FnOnce(&Program<'_>) -> R) -> Result<R, ProgramRefusal> {
    let header = Header::parse(&bytes[..bytes.len().min(HEADER_BYTES)], file_bytes)?;
    let range = header.table();
    let table = bytes.get(range.start as usize..).unwrap_or(&[]);
    let table = &table[..table.len().min((range.end - range.start) as usize)];
    Program::parse(header, table, file_bytes, LIMIT).map(|program| f(&program))
}

fn refusal(bytes: &[u8], file_bytes: u64) -> ProgramRefusal {
    read(bytes, file_bytes, |_| ()).expect_err("it was accepted")
}

#[test]
fn segments_of_a_fixed_program_lie_where_it_says() {
    read(&file(2, BUSYBOX_ENTRY, &BUSYBOX), BUSYBOX_BYTES, |program| {
        assert_eq!(program.placement(0x5555_5555_4000).map(|at| at.place(0x400000)), Some(0x400000));
        assert_eq!(program.entry(), BUSYBOX_ENTRY);
        assert_eq!(program.end(), 0x5ec000);
        assert_eq!(program.table_address(), Some(0x400040));
        assert!(!program.wants_executable_stack());
        let last = program.segments().last().expect("there are four");
        assert_eq!(last.file_pages(), 0x5db000..0x5e5000);
        assert_eq!(last.first_file_page(), 0x1da);
        assert_eq!(last.zero_tail(), 0x5e4710..0x5e5000);
        assert_eq!(last.zero_pages(), 0x5e5000..0x5ec000);
        assert!(last.rights.write && !last.rights.execute);
        let text = program.segments().nth(1).expect("there are four");
        assert!(text.zero_tail().is_empty() && text.zero_pages().is_empty());
    })
    .expect("it is a program");
}

#[test]
fn a_program_that_may_move_is_placed_as_it_is_aligned() {
    let mut entries = [load(5, 0, 0, 0x1000, 0x1000), load(6, 0x1000, 0x3000, 0x10, 0x2000)];
    let place = |entries: &[TableEntry], wanted| {
        let placed = read(&file(3, 0x40, entries), 0x2000, |program| program.placement(wanted).map(|at| at.place(0)));
        placed.expect("it is a program")
    };
    assert_eq!(place(&entries, 0x5555_5555_4000), Some(0x5555_5555_4000));
    entries[0].alignment = 0x20_0000;
    assert_eq!(place(&entries, 0x5555_5555_4000), Some(0x5555_5560_0000));
    assert_eq!(place(&entries, LIMIT - 0x1000), None);
}

#[test]
fn a_segment_without_bytes_of_the_file_is_all_zeros() {
    let entries = [load(5, 0, 0x400000, 0x100, 0x100), load(6, 0x100, 0x402100, 0, 0x1800)];
    read(&file(2, 0x400010, &entries), 0x100, |program| {
        let zeros = program.segments().nth(1).expect("there are two");
        assert!(zeros.file_pages().is_empty() && zeros.zero_tail().is_empty());
        assert_eq!(zeros.zero_pages(), 0x402000..0x404000);
    })
    .expect("it is a program");
}

#[test]
fn what_is_no_program_for_this_machine_is_refused() {
    use ProgramRefusal::*;
    let good = file(2, BUSYBOX_ENTRY, &BUSYBOX);
    assert_eq!(refusal(b"#!/bin/sh\n", 10), NotElf);
    assert_eq!(refusal(b"", 0), NotElf);
    assert_eq!(refusal(&good[..40], 40), NotElf);
    assert_eq!(refusal(&file(1, 0, &BUSYBOX), BUSYBOX_BYTES), Kind(1));
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        refusal(&bytes, BUSYBOX_BYTES)
    };
    assert_eq!(changed(18, 3), Machine(3));
    assert_eq!(changed(54, 32), HeaderLength(32));
    assert_eq!(changed(56, 0), SegmentCount(0));
    assert_eq!(changed(56, 200), SegmentCount(200));
    assert_eq!(refusal(&good, 100), TableCut);
}

#[test]
fn segments_that_do_not_fit_are_refused() {
    use ProgramRefusal::*;
    let with = |entry: TableEntry| refusal(&file(2, 0x400010, &[BUSYBOX[0], entry]), 0x10000);
    assert_eq!(with(load(4, 0x1000, 0x402000, 0x10000, 0x10000)), Cut(1));
    assert_eq!(with(load(4, 0x1000, 0x402000, 0x20, 0x10)), Smaller(1));
    assert_eq!(with(load(4, 0x1000, 0x402010, 0x20, 0x20)), Misplaced(1));
    assert_eq!(with(load(4, 0x1000, 0x400000, 0x20, 0x20)), Order(1));
    assert_eq!(with(load(4, 0, LIMIT, 0x20, 0x20)), TooHigh(1));
    assert_eq!(with(load(4, 0, u64::MAX - 0xfff, 0x20, 0x2000)), TooHigh(1));
    assert_eq!(with(TableEntry { alignment: 0x1800, ..load(4, 0x1000, 0x402000, 0x20, 0x20) }), Alignment(1));
    assert_eq!(with(TableEntry { kind: INTERP, ..BUSYBOX[0] }), Dynamic);
    assert_eq!(refusal(&file(2, 0x400010, &[BUSYBOX[4]]), 0x10000), NothingToLoad);
    assert_eq!(refusal(&file(2, 0x500000, &[BUSYBOX[0]]), 0x10000), Entry);
}

#[test]
fn this_test_is_a_dynamic_program() {
    let bytes = std::fs::read("/proc/self/exe").expect("it runs");
    assert_eq!(refusal(&bytes, bytes.len() as u64), ProgramRefusal::Dynamic);
}

/// What is accepted is consistent, whatever was damaged.
#[test]
fn damaged_programs_are_refused_or_consistent() {
    const SEED: u64 = 0x5eed_0016;
    let mut random = Random::new(SEED);
    let soak: u64 = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let mut accepted = 0;
    for round in 0..100_000 * soak {
        let kind = 2 + (round % 2) as u16;
        let mut bytes = file(kind, BUSYBOX_ENTRY, &BUSYBOX);
        for _ in 0..=random.below(3) {
            damage(&mut bytes, &mut random);
        }
        let judged = catch_unwind(AssertUnwindSafe(|| read(&bytes, BUSYBOX_BYTES, check)));
        let judged = judged.unwrap_or_else(|_| panic!("seed {SEED:#x}, round {round}"));
        accepted += u64::from(judged.is_ok());
        if let Err(refusal) = judged {
            assert!(!refusal.to_string().is_empty());
        }
    }
    assert!(accepted > 1000, "only {accepted} were accepted");
}

/// Changes a bit, a byte, or a whole word, to something that arithmetic may go wrong with.
fn damage(bytes: &mut [u8], random: &mut Random) {
    const EXTREMES: [u64; 8] = [0, 1, 0xfff, 0x1000, LIMIT, 1 << 63, u64::MAX - 0xfff, u64::MAX];
    let at = random.below(bytes.len());
    match random.below(3) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        _ => {
            let at = at & !7;
            let value = random.pick(&EXTREMES).to_le_bytes();
            let len = (bytes.len() - at).min(8);
            bytes[at..at + len].copy_from_slice(&value[..len]);
        }
    }
}

fn check(program: &Program<'_>) {
    let mut last = 0;
    let mut has_entry = false;
    for segment in program.segments() {
        let pages = segment.pages();
        assert!(pages.start >= last && pages.end <= LIMIT && pages.start < pages.end);
        assert!(segment.offset + (segment.file_end - segment.start) <= BUSYBOX_BYTES);
        assert_eq!((segment.file_pages().end, pages.end), (segment.zero_pages().start, segment.zero_pages().end));
        assert!(segment.zero_tail().is_empty() || segment.zero_tail().end == segment.file_pages().end);
        has_entry |= pages.contains(&program.entry());
        last = pages.end;
    }
    assert!(has_entry && last == program.end());
    if let Some(at) = program.placement(0x5555_5555_4000) {
        assert!(at.place(program.end()) <= LIMIT && at.place(program.entry()) < LIMIT);
    }
    program.table_address();
}

#[test]
fn first_lines_of_scripts() {
    let parse = |bytes: &'static [u8]| {
        Script::parse(bytes).map(|script| (script.interpreter, script.argument.unwrap_or(b"none")))
    };
    assert_eq!(parse(b"#!/bin/sh\necho"), Some((&b"/bin/sh"[..], &b"none"[..])));
    assert_eq!(parse(b"#! \t/bin/awk  -f  x \t\n"), Some((&b"/bin/awk"[..], &b"-f  x"[..])));
    assert_eq!(parse(b"#!/bin/sh"), Some((&b"/bin/sh"[..], &b"none"[..])));
    assert_eq!(parse(b"#!  \n/bin/sh"), None);
    assert_eq!(parse(b"#"), None);
    assert!(Script::is_one(b"#!") && !Script::is_one(b"#"));
    let mut long = b"#!/".to_vec();
    long.resize(2 * SCRIPT_BYTES, b'x');
    assert_eq!(Script::parse(&long), None);
    long[100] = b' ';
    assert_eq!(Script::parse(&long).map(|script| script.interpreter.len()), Some(98));
}

const AUXILIARY: Auxiliary = Auxiliary {
    users: [1000, 1001],
    groups: [100, 100],
    table_address: 0x400040,
    table_entry_bytes: 56,
    table_count: 10,
    entry: 0x40ebf0,
    capabilities: 0x0783_fbff,
    ticks_per_second: 100,
    random: *b"sixteen of these",
};
const TOP: u64 = 0x7fff_ffff_e000;

/// Memory that a stack was written to, read as a program reads it.
struct Image {
    start: u64,
    bytes: Vec<u8>,
}

impl Image {
    fn of(stack: &StartStack<'_>) -> Self {
        let mut bytes = Vec::new();
        let written = stack.write(|piece| {
            bytes.extend(piece);
            Ok::<(), ()>(())
        });
        assert_eq!(written, Ok(()));
        Self { start: stack.pointer(), bytes }
    }

    fn word(&self, at: u64) -> u64 {
        let at = (at - self.start) as usize;
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().expect("eight bytes"))
    }

    fn string(&self, at: u64) -> &[u8] {
        let rest = &self.bytes[(at - self.start) as usize..];
        &rest[..rest.iter().position(|byte| *byte == 0).expect("it ends")]
    }
}

#[test]
fn a_program_finds_its_arguments() {
    let (arguments, environment) = (b"sh\0-c\0\0".as_slice(), b"PATH=/bin\0".as_slice());
    let strings = |bytes| Strings::new(bytes).expect("they end with zeros");
    let stack = StartStack::new(TOP, 4096, strings(arguments), strings(environment), b"/bin/sh", AUXILIARY);
    let stack = stack.expect("it fits");
    let image = Image::of(&stack);
    assert_eq!(stack.pointer() % 16, 0);
    assert_eq!(image.start + image.bytes.len() as u64, TOP);
    let mut at = stack.pointer();
    let mut next = || {
        at += 8;
        image.word(at - 8)
    };
    assert_eq!(next(), 3);
    let first = next();
    assert_eq!(stack.arguments_at(), (first, first + arguments.len() as u64));
    assert_eq!([first, next(), next()].map(|at| image.string(at)), [&b"sh"[..], b"-c", b""]);
    assert_eq!(next(), 0);
    assert_eq!(image.string(next()), b"PATH=/bin");
    assert_eq!(next(), 0);
    let mut pairs = std::collections::BTreeMap::new();
    loop {
        let (name, value) = (next(), next());
        pairs.insert(name, value);
        if name == 0 {
            break;
        }
    }
    let known = [(0, 0), (3, 0x400040), (4, 56), (5, 10), (6, 4096), (7, 0), (8, 0), (9, 0x40ebf0), (16, 0x0783_fbff)];
    let who = [(11, 1000), (12, 1001), (13, 100), (14, 100), (23, 1)];
    assert!(who.iter().all(|(name, value)| pairs.get(name) == Some(value)));
    assert!(known.iter().all(|(name, value)| pairs.get(name) == Some(value)));
    assert!(pairs.contains_key(&17));
    let random = (pairs[&25] - image.start) as usize;
    assert_eq!(&image.bytes[random..random + 16], b"sixteen of these");
    assert_eq!(image.string(pairs[&31]), b"/bin/sh");
    assert_eq!(pairs.len(), 17);
}

#[test]
fn stacks_of_all_sizes_are_aligned_and_end_at_the_top() {
    for count in 0..300 {
        let arguments = b"argument\0".repeat(count);
        let arguments = Strings::new(&arguments).expect("they end with zeros");
        let new = |limit| StartStack::new(TOP, limit, arguments, Strings::default(), b"p", AUXILIARY);
        let stack = new(1 << 20).expect("it fits");
        let image = Image::of(&stack);
        assert_eq!((stack.pointer() % 16, image.start + image.bytes.len() as u64), (0, TOP));
        assert_eq!(image.word(stack.pointer()), count as u64);
        let taken = TOP - stack.pointer();
        assert!(new(taken).is_ok());
        assert_eq!(new(taken - 1).err(), Some(StackTooLarge));
    }
    assert!(Strings::new(b"no zero").is_none());
}
