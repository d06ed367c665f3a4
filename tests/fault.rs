//! Faults: accesses that may fail, protected memory, a stack used up.
//!
//! Machine:
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use core::time::Duration;

use common::Log;
use kernel::arch::layout::{Area, KERNEL_IMAGE, VMALLOC_END};
use kernel::arch::stacks;
use kernel::debug::probe::{Fault, probe_read, probe_write};
use kernel::fault::Described;
use kernel::mm::KString;
use kernel::mm::tables;
use kernel::sched;
use kernel::testing::memory;
use mm::{Frames, GfpFlags, KernelTables, MapError, Mapping, PAGE_SIZE, Pfn, PhysAddr, Platform, VirtAddr};

kernel::test_kernel!(test_main);

static CONSTANT: u8 = 42;

#[test_case]
fn memory_that_is_there_is_read_and_written() {
    let mut byte = 1;
    let addr = VirtAddr::from_ptr(&raw mut byte);
    assert_eq!(probe_read(addr), Ok(1));
    // SAFETY: the byte is ours.
    assert_eq!(unsafe { probe_write(addr, 2) }, Ok(()));
    assert_eq!(probe_read(addr), Ok(2));
    assert_eq!(probe_read(VirtAddr::from_ptr(&raw const CONSTANT)), Ok(42));
}

#[test_case]
fn addresses_without_memory_fault_and_are_survived() {
    let nowhere = [0, 0xfff, 0x40_0000, 0x1234_5678_9abc_def0, VMALLOC_END.as_usize() - 1, usize::MAX];
    for addr in nowhere.map(VirtAddr::new) {
        assert_eq!(probe_read(addr), Err(Fault), "{addr:?}");
        // SAFETY: nothing is there.
        assert_eq!(unsafe { probe_write(addr, 0) }, Err(Fault), "{addr:?}");
    }
}

#[test_case]
fn constants_and_text_cannot_be_written() {
    let text = VirtAddr::from_ptr(probe_read as *const u8);
    for addr in [VirtAddr::from_ptr(&raw const CONSTANT), text, KERNEL_IMAGE] {
        let before = probe_read(addr);
        assert!(before.is_ok());
        // SAFETY: the write is expected to fail; writing back what is there harms nobody if it does not.
        assert_eq!(unsafe { probe_write(addr, before.unwrap()) }, Err(Fault), "{addr:?}");
    }
}

#[test_case]
fn guard_pages_below_the_first_stacks_are_unmapped() {
    for page in stacks::guard_pages() {
        assert_eq!(tables::translate(page), None);
        assert_eq!(probe_read(page), Err(Fault));
        assert!(tables::translate(page.add(mm::PAGE_SIZE)).is_some());
    }
}

/// A zeroed page, and its frame.
fn fresh_page() -> (VirtAddr, Pfn) {
    let page = memory().get_zeroed_page(GfpFlags::KERNEL).unwrap();
    (page, memory().frame_of(page).unwrap())
}

#[test_case]
fn pages_are_mapped_and_unmapped() {
    let (data, frame) = fresh_page();
    let at = VirtAddr::new(VMALLOC_END.as_usize() - (8 << 30));
    let tables = memory().platform().tables();
    // SAFETY: nobody else uses these addresses, and the frames are ours.
    let map = |table: &mut Option<Pfn>| unsafe { tables.map(at, Frames::Each(&[frame]), Mapping::Memory, table) };
    let unmap = || {
        let mut found = None;
        // SAFETY: nobody else uses these addresses.
        tables.flush(unsafe { tables.unmap(at, 1, |frame, pages| found = Some((frame, pages))) });
        found
    };
    // The level-3 table exists; two levels are missing below it, and each call takes one.
    let mut table = None;
    assert_eq!(map(&mut table), Err(MapError::TableMissing));
    for _ in 0..2 {
        table = Some(fresh_page().1);
        let result = map(&mut table);
        assert!(matches!(result, Ok(1) | Err(MapError::TableMissing)));
        assert_eq!(table, None);
    }
    assert_eq!(tables::translate(at), Some(frame));
    // SAFETY: the page is ours.
    assert_eq!(unsafe { probe_write(at.add(5), 77) }, Ok(()));
    assert_eq!(probe_read(data.add(5)), Ok(77));
    assert_eq!(map(&mut None), Err(MapError::AlreadyMapped));
    assert_eq!(unmap(), Some((frame, 1)));
    assert_eq!(probe_read(at), Err(Fault));
    assert_eq!(unmap(), None);
    // The tables stay: mapping again needs none.
    assert_eq!(map(&mut None), Ok(1));
    assert_eq!(probe_read(at.add(5)), Ok(77));
    assert_eq!(unmap(), Some((frame, 1)));
    assert_eq!(probe_read(at), Err(Fault));
    memory().free_page(data).unwrap();
}

#[test_case]
fn addresses_are_named() {
    let cases = [
        (0, Area::NullPage),
        (0x40_0000, Area::User),
        (0x0000_8000_0000_0000, Area::NonCanonical),
        (0xffff_8880_0000_1000, Area::DirectMap),
        (0xffff_c900_0000_0000, Area::Vmalloc),
        (0xffff_ea00_0000_0000, Area::PageArray),
        (0xffff_ffff_8000_0000, Area::KernelImage),
        (0xffff_ffff_a000_0000, Area::Modules),
        (0xffff_f000_0000_0000, Area::Unused),
    ];
    for (addr, area) in cases {
        assert_eq!(Area::of(VirtAddr::new(addr)), area);
    }
}

/// What a fault report says of an address.
fn described(addr: VirtAddr) -> KString {
    KString::try_format(format_args!("{}", Described(addr))).unwrap()
}

#[test_case]
fn reports_name_what_an_address_belonged_to() {
    let says = |addr: VirtAddr, what: &str| {
        let text = described(addr);
        assert!(text.contains(what), "{what}: {}", text.as_str());
    };
    says(VirtAddr::new(8), "null page");
    says(VirtAddr::new(0x40_0000), "user half");
    let area = memory().vmalloc(2 * PAGE_SIZE).unwrap();
    says(area, ", inside an area of kernel/../tests/fault.rs:");
    says(area.add(2 * PAGE_SIZE), ", guard page of an area of kernel/../tests/fault.rs:");
    memory().vfree(area).unwrap();
    says(area, ", freed area of kernel/../tests/fault.rs:");
    let device = memory().ioremap(PhysAddr::new(0xfed0_0000), 8).unwrap();
    says(device, ", inside a device mapping of kernel/../tests/fault.rs:");
    memory().iounmap(device).unwrap();
}

#[test_case]
fn reports_name_the_thread_of_a_stack() {
    static STACK: AtomicUsize = AtomicUsize::new(0);
    let thread = sched::spawn("owner", || {
        let word = black_box(1);
        STACK.store((&raw const word).addr(), SeqCst);
        while STACK.load(SeqCst) != 0 {
            sched::sleep(Duration::from_millis(1)).unwrap();
        }
        0
    });
    let thread = thread.unwrap();
    while STACK.load(SeqCst) == 0 {
        sched::sleep(Duration::from_millis(1)).unwrap();
    }
    let area = memory().areas().area_at(VirtAddr::new(STACK.load(SeqCst))).unwrap();
    let texts = [area.start, area.guard()].map(described);
    STACK.store(0, SeqCst);
    assert_eq!(thread.join(), Ok(0));
    assert!(texts[0].contains(", inside an area, the stack of thread ") && texts[0].contains(" (owner))"));
    assert!(texts[1].contains(", guard page of an area, the stack of thread "));
}

#[expect(unconditional_recursion, reason = "it is to use up its stack")]
fn recurse(depth: u64) -> u64 {
    let words = black_box([depth; 16]);
    recurse(depth + 1) + words[7]
}

#[test_case]
fn stack_overflow_ends_its_thread_alone() {
    kernel::testing::expect_oops("stack overflow at ");
    let log = Log::from_here();
    for _ in 0..2 {
        let glutton = sched::spawn("glutton", || recurse(0) as i32).unwrap();
        assert_eq!(glutton.join(), Ok(sched::DIED));
    }
    assert_eq!(log.count("stack overflow at "), 2);
    assert_eq!(log.count("(glutton) ends with status 139"), 2);
    // All is as before.
    assert_eq!(sched::spawn("next", || 5).unwrap().join(), Ok(5));
}
