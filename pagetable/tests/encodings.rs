//! Each format bit by bit, against entries written by hand from the manuals.

use mm::mapper::{Entry, Format, Level};
use mm::{Access, Mapping, Pfn};
use pagetable::riscv64::{ByAddress, ByEntry, Flags as Riscv};
use pagetable::x86_64::Flags as X86;
use pagetable::{Sv39, Sv48, X86_64};

/// A word from its fields, each given by its lowest bit and its value.
fn word(fields: &[(u32, u64)]) -> u64 {
    fields.iter().fold(0, |word, &(shift, value)| {
        assert_eq!(word >> shift, 0, "fields in order");
        word | value << shift
    })
}

/// The entry is written, and read again as what it says.
fn both_ways<F: Format>(format: &F, level: Level, frame: u32, rights: F::Rights, fields: &[(u32, u64)])
where
    F::Rights: core::fmt::Debug,
{
    let bits = word(fields);
    let entry = format.leaf(Pfn::new(frame), level, rights);
    assert_eq!(entry, bits, "{level:?}: {entry:#x}, not {bits:#x}");
    assert_eq!(format.read(bits, level), Entry::Leaf(Pfn::new(frame), rights));
}

/// Whatever a page could be used for before, it can be used for what is said, and for nothing else.
fn each_access_excludes_the_others<F: Format>(rights: F::Rights)
where
    F::Rights: core::fmt::Debug,
{
    let all = [Access::Read, Access::ReadWrite, Access::Execute];
    for (first, second) in all.into_iter().flat_map(|first| all.map(|second| (first, second))) {
        let changed = F::with_access(F::with_access(rights, first), second);
        assert_eq!(changed, F::with_access(rights, second), "{first:?}, then {second:?}");
    }
}

const GIB: X86_64 = X86_64::new(Level::Three);

/// AMD64, volume 2, section 5.3.3, "4-Kbyte Page Translation": P 0, R/W 1, U/S 2, PWT 3, PCD 4, A 5, D 6, PAT 7, G 8,
/// base 12, NX 63.
#[test]
fn x86_64_pages_of_4_kib() {
    let memory = X86_64::rights(Mapping::Memory);
    both_ways(&GIB, Level::One, 0x12345, memory, &[(0, 1), (1, 1), (5, 1), (6, 1), (12, 0x12345), (63, 1)]);
    let constant = X86_64::with_access(memory, Access::Read);
    both_ways(&GIB, Level::One, 0x12345, constant, &[(0, 1), (5, 1), (6, 1), (12, 0x12345), (63, 1)]);
    assert_eq!(X86_64::with_access(constant, Access::ReadWrite), memory);
    let code = X86_64::with_access(memory, Access::Execute);
    both_ways(&GIB, Level::One, 0x12345, code, &[(0, 1), (5, 1), (6, 1), (12, 0x12345)]);
    each_access_excludes_the_others::<X86_64>(memory);
    let device = X86_64::rights(Mapping::Device);
    let uncached = [(0, 1), (1, 1), (3, 1), (4, 1), (5, 1), (6, 1), (12, 0xfee00), (63, 1)];
    both_ways(&GIB, Level::One, 0xfee00, device, &uncached);
    let code = X86::PRESENT | X86::USER | X86::GLOBAL;
    both_ways(&GIB, Level::One, u32::MAX, code, &[(0, 1), (2, 1), (8, 1), (12, 0xffff_ffff)]);
    both_ways(&GIB, Level::One, 1, X86::PRESENT | X86::PAT, &[(0, 1), (7, 1), (12, 1)]);
}

/// Sections 5.3.4, "2-Mbyte Page Translation", and 5.3.5, "1-Gbyte Page Translation": PS 7 is set, PAT is bit 12, the
/// base begins at bit 21 and bit 30.
#[test]
fn x86_64_large_pages() {
    let memory = X86_64::rights(Mapping::Memory);
    let flags = [(0, 1), (1, 1), (5, 1), (6, 1), (7, 1)];
    both_ways(&GIB, Level::Two, 5 << 9, memory, &[&flags[..], &[(21, 5), (63, 1)]].concat());
    both_ways(&GIB, Level::Three, 5 << 18, memory, &[&flags[..], &[(30, 5), (63, 1)]].concat());
    let combined = X86::PRESENT | X86::PAT;
    both_ways(&GIB, Level::Two, 3 << 9, combined, &[(0, 1), (7, 1), (12, 1), (21, 3)]);
    // Bits 13 to 20 are reserved: they are no part of the address.
    let stray = word(&[(0, 1), (7, 1), (13, 0xff), (21, 3)]);
    assert_eq!(GIB.read(stray, Level::Two), Entry::Leaf(Pfn::new(3 << 9), X86::PRESENT));
}

/// Section 5.3.3: a table's entry has PS clear, and its rights limit all below.
#[test]
fn x86_64_tables() {
    let bits = word(&[(0, 1), (1, 1), (12, 0xabcde)]);
    assert_eq!(GIB.table(Pfn::new(0xabcde)), bits);
    for level in [Level::Two, Level::Three, Level::Four] {
        assert_eq!(GIB.read(bits, level), Entry::Table(Pfn::new(0xabcde)));
        assert_eq!(GIB.read(bits & !1, level), Entry::Empty, "not present");
    }
    // Bits 52 to 62 are for the kernel, or protection keys: they stay.
    let kept = word(&[(0, 1), (9, 7), (12, 1), (52, 0x7ff)]);
    let Entry::Leaf(frame, rights) = GIB.read(kept, Level::One) else { panic!("a leaf") };
    assert_eq!(GIB.leaf(frame, Level::One, rights), kept);
}

const SV39: Sv39 = Sv39::NEW;
const SV48: Sv48<ByEntry> = Sv48::NEW;

/// RISC-V, volume II, section 4.4.1, of Sv39 "Addressing and Memory Protection": V 0, R 1, W 2, X 3, U 4, G 5, A 6, D
/// 7, RSW 8, PPN 10, PBMT 61, N 63.
#[test]
fn riscv64_pages_of_4_kib() {
    let memory = Sv39::<ByAddress>::rights(Mapping::Memory);
    let used = [(0, 1), (1, 1), (2, 1), (6, 1), (7, 1)];
    both_ways(&SV39, Level::One, 0x80200, memory, &[&used[..], &[(10, 0x80200)]].concat());
    assert_eq!(Sv39::<ByAddress>::rights(Mapping::Device), memory, "the machine knows where devices are");
    let constant = Sv39::<ByAddress>::with_access(memory, Access::Read);
    both_ways(&SV39, Level::One, 0x80200, constant, &[(0, 1), (1, 1), (6, 1), (7, 1), (10, 0x80200)]);
    assert_eq!(Sv39::<ByAddress>::with_access(constant, Access::ReadWrite), memory);
    let code = Sv39::<ByAddress>::with_access(memory, Access::Execute);
    both_ways(&SV39, Level::One, 0x80200, code, &[(0, 1), (1, 1), (3, 1), (6, 1), (7, 1), (10, 0x80200)]);
    each_access_excludes_the_others::<Sv39>(memory);
    each_access_excludes_the_others::<Sv48<ByEntry>>(Sv48::<ByEntry>::rights(Mapping::Device));
    let code = Riscv::VALID | Riscv::READ | Riscv::EXECUTE | Riscv::USER | Riscv::GLOBAL;
    both_ways(&SV39, Level::One, u32::MAX, code, &[(0, 1), (1, 1), (3, 1), (4, 1), (5, 1), (10, 0xffff_ffff)]);
    both_ways(&SV39, Level::One, 7, Riscv::VALID | Riscv::EXECUTE, &[(0, 1), (3, 1), (10, 7)]);
}

/// Section 4.4.1: PPN[0] of a megapage, and PPN[1] of a gigapage, must be 0, or the processor faults. Svpbmt (chapter
/// 6): NC is 1, IO is 2, in bits 61 and 62.
#[test]
fn riscv64_large_pages_and_memory_types() {
    let memory = Sv48::<ByEntry>::rights(Mapping::Memory);
    let used = [(0, 1), (1, 1), (2, 1), (6, 1), (7, 1)];
    both_ways(&SV48, Level::Two, 5 << 9, memory, &[&used[..], &[(19, 5)]].concat());
    both_ways(&SV48, Level::Three, 5 << 18, memory, &[&used[..], &[(28, 5)]].concat());
    let device = Sv48::<ByEntry>::rights(Mapping::Device);
    both_ways(&SV48, Level::Two, 5 << 9, device, &[&used[..], &[(19, 5), (61, 2)]].concat());
    both_ways(&SV48, Level::One, 5, memory | Riscv::NO_CACHE, &[&used[..], &[(10, 5), (61, 1)]].concat());
}

/// Section 4.3.1, the encodings of R, W and X: an entry without R, W and X leads to a table; its U, A and D are
/// reserved (4.4.1).
#[test]
fn riscv64_tables() {
    let bits = word(&[(0, 1), (10, 0x80201)]);
    assert_eq!(SV39.table(Pfn::new(0x80201)), bits);
    assert_eq!(SV39.read(bits, Level::Three), Entry::Table(Pfn::new(0x80201)));
    assert_eq!(SV48.read(bits, Level::Four), Entry::Table(Pfn::new(0x80201)));
    assert_eq!(SV39.read(bits & !1, Level::Two), Entry::Empty);
    let kept = word(&[(0, 1), (1, 1), (8, 3), (10, 1), (63, 1)]);
    let Entry::Leaf(frame, rights) = SV39.read(kept, Level::One) else { panic!("a leaf") };
    assert_eq!(SV39.leaf(frame, Level::One, rights), kept);
}
