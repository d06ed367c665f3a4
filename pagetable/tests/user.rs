//! Entries of processes, against words written by hand from the manuals.

use mm::Pfn;
use mm::mapper::{Entry, Format, Level, Protection, SwapSlot, UserFormat};
use pagetable::{SvUser, X86_64User};

const NONE: Protection = Protection::empty();
const R: Protection = Protection::READ;
const W: Protection = Protection::WRITE;
const X: Protection = Protection::EXEC;

/// A word from its fields, each given by its lowest bit and its value.
fn word(fields: &[(u32, u64)]) -> u64 {
    fields.iter().fold(0, |word, &(shift, value)| word | value << shift)
}

/// Each protection has these bits beside the frame's, is read back as what is said, and loses what it shall.
fn agree<F: UserFormat>(format: &F, frame_shift: u32, table: &[(u32, u64)], cases: &[(Protection, &[(u32, u64)])])
where
    F::Rights: core::fmt::Debug,
{
    let frame = Pfn::new(0x12345);
    for &(protection, fields) in cases {
        let rights = F::user(protection);
        let bits = format.leaf(frame, Level::One, rights);
        assert_eq!(bits, word(fields) | 0x12345 << frame_shift, "{protection:?}: {bits:#x}");
        assert_eq!(format.read(bits, Level::One), Entry::Leaf(frame, rights), "{protection:?}");
        let read = if protection.is_empty() { NONE } else { R };
        assert_eq!(F::protection(rights), protection | read);
        let constant = F::without_write(rights);
        assert_eq!(F::protection(constant), (protection | read).difference(W));
        // Whatever it was before, and back; what was noted of its use stays.
        for &(other, _) in cases {
            let changed = F::with_protection(rights, other);
            assert_eq!(F::protection(changed), F::protection(F::user(other)), "{protection:?} to {other:?}");
            let back = F::with_protection(changed, protection);
            assert_eq!(F::protection(back), protection | read, "{protection:?} by {other:?}");
            let entry = format.leaf(frame, Level::One, changed);
            assert_eq!(format.read(entry, Level::One), Entry::Leaf(frame, changed));
        }
    }
    let entry = format.table(frame);
    assert_eq!(entry, word(table) | 0x12345 << frame_shift);
    assert_eq!(format.read(entry, Level::Two), Entry::Table(frame));
    assert_eq!([Level::One, Level::Two].map(|level| format.read(0, level)), [Entry::Empty; 2]);
    assert_eq!(format.largest(), Level::One);
}

/// AMD64, volume 2, sections 5.3.3 and 5.4.1: P 0, R/W 1, U/S 2, A 5, D 6, bits 9 to 11 the kernel's, base 12, NX 63.
#[test]
fn x86_64_pages_of_programs() {
    agree(
        &X86_64User,
        12,
        &[(0, 1), (1, 1), (2, 1)],
        &[
            (NONE, &[(9, 1)]),
            (R, &[(0, 1), (2, 1), (5, 1), (63, 1)]),
            (W, &[(0, 1), (1, 1), (2, 1), (5, 1), (6, 1), (63, 1)]),
            (R | W, &[(0, 1), (1, 1), (2, 1), (5, 1), (6, 1), (63, 1)]),
            (X, &[(0, 1), (2, 1), (5, 1)]),
            (R | X, &[(0, 1), (2, 1), (5, 1)]),
            (R | W | X, &[(0, 1), (1, 1), (2, 1), (5, 1), (6, 1)]),
        ],
    );
}

/// RISC-V, volume II, section 4.4.1: V 0, R 1, W 2, X 3, U 4, A 6, D 7, RSW 8 and 9 the kernel's, PPN 10.
#[test]
fn riscv64_pages_of_programs() {
    let cases: &[(Protection, &[(u32, u64)])] = &[
        (NONE, &[(8, 1)]),
        (R, &[(0, 1), (1, 1), (4, 1), (6, 1)]),
        (W, &[(0, 1), (1, 1), (2, 1), (4, 1), (6, 1), (7, 1)]),
        (R | W, &[(0, 1), (1, 1), (2, 1), (4, 1), (6, 1), (7, 1)]),
        (X, &[(0, 1), (1, 1), (3, 1), (4, 1), (6, 1)]),
        (R | W | X, &[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (7, 1)]),
    ];
    agree(&SvUser::<3>, 10, &[(0, 1)], cases);
    agree(&SvUser::<4>, 10, &[(0, 1)], cases);
}

#[test]
fn what_is_kept_without_access_is_no_entry_to_the_processor() {
    for bits in [
        X86_64User.leaf(Pfn::new(7), Level::One, X86_64User::user(NONE)),
        SvUser::<3>.leaf(Pfn::new(7), Level::One, SvUser::<3>::user(NONE)),
        X86_64User.leaf(Pfn::new(7), Level::One, X86_64User::with_protection(X86_64User::user(R | W), NONE)),
    ] {
        assert_eq!(bits & 1, 0, "{bits:#x}");
    }
}

/// What the processor has noted is told, and taken away alone; by hand: the bits A and D.
fn notes_use<F: UserFormat>(format: &F, frame_shift: u32, (accessed, dirty): (u32, u32))
where
    F::Rights: core::fmt::Debug,
{
    let frame = Pfn::new(0x12345);
    for protection in [NONE, R, R | W, R | X, R | W | X] {
        let written = format.leaf(frame, Level::One, F::user(R | W));
        let Entry::Leaf(_, used) = format.read(written, Level::One) else { panic!("no leaf: {written:#x}") };
        let rights = F::with_protection(used, protection);
        assert!(F::is_accessed(rights) && F::is_dirty(rights), "{protection:?}");
        let (idle, clean) = (F::without_accessed(rights), F::without_dirty(rights));
        assert!(!F::is_accessed(idle) && F::is_dirty(idle) && F::is_accessed(clean) && !F::is_dirty(clean));
        assert_eq!([F::protection(idle), F::protection(clean)], [F::protection(rights); 2]);
        let bits = format.leaf(frame, Level::One, rights);
        assert_eq!(format.leaf(frame, Level::One, idle), bits & !(1 << accessed), "{protection:?}");
        assert_eq!(format.leaf(frame, Level::One, clean), bits & !(1 << dirty), "{protection:?}");
        assert_eq!(format.leaf(frame, Level::One, F::without_accessed(clean)) >> frame_shift & 0xf_ffff, 0x12345);
        assert_eq!(format.swap_slot(bits), None, "{protection:?}");
    }
}

#[test]
fn what_the_processor_notes_is_told() {
    notes_use(&X86_64User, 12, (5, 6));
    notes_use(&SvUser::<3>, 10, (6, 7));
    notes_use(&SvUser::<4>, 10, (6, 7));
}

/// A slot has this entry, is read back from it, and is nothing to the processor.
fn names<F: UserFormat>(format: &F, swapped: u32, offset_shift: u32)
where
    F::Rights: core::fmt::Debug,
{
    for (area, offset) in [(0, 0), (0, 1), (31, u32::MAX), (17, 0x1234_5678)] {
        let slot = SwapSlot::new(area, offset).expect("an area");
        let bits = format.swapped(slot);
        assert_eq!(bits, 1 << swapped | u64::from(area) << 1 | u64::from(offset) << offset_shift, "{slot:?}");
        assert_eq!((bits & 1, format.swap_slot(bits)), (0, Some(slot)));
        assert_eq!(format.read(bits, Level::One), Entry::Empty, "{slot:?}");
    }
    let others = [0, format.table(Pfn::new(7)), format.leaf(Pfn::new(7), Level::One, F::user(NONE))];
    assert_eq!(others.map(|bits| format.swap_slot(bits)), [None; 3]);
    assert_eq!(SwapSlot::new(32, 0), None);
}

/// Bits that the manuals leave to the kernel: in x86_64, of an entry without P, all others; PROT_NONE has bit 9, bit 7
/// is PAT or PS, and of an entry that is used, the address is from bit 12 on. In riscv64, of an entry without V, all
/// others.
#[test]
fn places_in_swap() {
    names(&X86_64User, 10, 12);
    names(&SvUser::<3>, 9, 10);
    names(&SvUser::<4>, 9, 10);
}
