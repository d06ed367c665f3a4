//! `page_poison=1`: a frame that two think theirs is found.

use mm::testing::HostUser;
use mm::{Order, VirtAddr};

use crate::common::boot_high;
use crate::program::{Program, RW};

const AT: usize = 0x40_0000;

/// A machine whose pages are poisoned, and a program with a page, in this frame.
fn start() -> (mm::testing::Booted, Program, mm::Pfn) {
    let machine = boot_high(24, 18);
    machine.pages().poison_pages();
    let mut program = Program::new();
    program.map(AT, 4, RW);
    program.write(AT, 1).expect("memory");
    let frame = HostUser.access(program.space.root(), VirtAddr::new(AT), mm::space::FaultAccess::Read);
    (machine, program, frame.expect("it shows"))
}

#[test]
fn a_page_that_is_given_back_too_early_stays_with_a_report() {
    let (machine, mut program, frame) = start();
    let mut child = program.fork();
    // As if someone had given back what was not his.
    HostUser.set_references(frame, 1);
    let expected = |mappings| {
        format!("page poison: pfn {:#x} has two owners: mappings: {mappings}, references: 1", frame.as_u32())
    };
    child.unmap(AT, 4);
    assert_eq!(machine.platform().take_reports(), [expected(1)]);
    assert_eq!((program.read(AT), machine.pages().anonymous_pages()), (Ok(1), 1), "it is not lost to the other");
    drop((child, program));
    assert_eq!(machine.platform().take_reports(), Vec::<String>::new());
    machine.drop_caches();
    assert_eq!(machine.validate(), Ok(()));
}

#[test]
fn a_page_that_is_mapped_twice_without_a_reference_is_reported() {
    let (machine, mut program, frame) = start();
    HostUser.set_references(frame, 1);
    let mut child = program.fork();
    HostUser.set_references(frame, 1);
    let mut grandchild = child.fork();
    let reports = machine.platform().take_reports();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].ends_with("has two owners: mappings: 3, references: 2"), "{reports:?}");
    // Put right again, all goes as ever.
    HostUser.set_references(frame, 3);
    assert_eq!([&mut program, &mut child, &mut grandchild].map(|program| program.write(AT, 2)), [Ok(()); 3]);
    drop((program, child, grandchild));
    assert_eq!(machine.platform().take_reports(), Vec::<String>::new());
}

#[test]
fn a_write_by_a_stale_mapping_is_found_when_the_frame_is_used_again() {
    let (machine, mut program, frame) = start();
    program.unmap(AT, 4);
    let byte = HostUser.byte(frame, VirtAddr::new(AT + 8));
    // SAFETY: the frame is free, and only this test uses the machine.
    unsafe { byte.write(5) };
    let mut blocks = Vec::new();
    while let Ok(page) = machine.alloc_pages(mm::GfpFlags::ATOMIC | mm::GfpFlags::HIGHMEM, Order::ZERO) {
        blocks.push(page);
    }
    let reports = machine.platform().take_reports();
    let found = format!("page poison: pfn {:#x} written after free: byte 8: 05", frame.as_u32());
    assert!(reports.iter().any(|report| report.starts_with(&found)), "{reports:?}");
    crate::common::give(*machine, blocks);
}

#[test]
fn a_page_that_is_right_is_not_reported() {
    let (machine, mut program, _) = start();
    for _ in 0..50 {
        let mut child = program.fork();
        child.write(AT, 2).expect("memory");
        child.write(AT + 4096, 3).expect("memory");
        program.write(AT, 4).expect("memory");
        child.unmap(AT, 2);
    }
    drop(program);
    machine.drop_caches();
    crate::common::at_rest(*machine);
    assert_eq!(machine.pages().anonymous_pages(), 0);
}
