//! Rights of pages: parts of large ones, initial files, kernel image, modules.
//!
//! Machine: FILES=ramdisk
//! Machine: FILES=ramdisk CPU=max APPEND="highmem=64M"
//! Machine: FILES=ramdisk MEM=3G CPU=max FIRMWARE=uefi
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use common::{ATOMIC, KERNEL, Log, conserves, in_interrupt, order};
use kapi::OpenFlags;
use kernel::arch::cpu;
use kernel::arch::layout::direct;
use kernel::arch::paging::builder::image_parts;
use kernel::debug::probe::{Fault, probe_read, probe_write};
use kernel::fs;
use kernel::mm::tables;
use kernel::mm::{CodeArea, KString, KVec, ramdisk};
use kernel::sched::{DIED, spawn};
use kernel::testing::{expect_oops, memory};
use mm::mapper::Level;
use mm::own::Buffer;
use mm::{Access, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};

kernel::test_kernel!(test_main);

/// A gigabyte of addresses in which no RAM lies, but devices do.
const HOLE: PhysAddr = PhysAddr::new(0xc000_0000);
/// The identity of the high precision timer, in that gigabyte: its maker is the upper half of this word.
const HPET: usize = 0x3ed0_0000;
const MAKER: u32 = 0x8086;

/// Writes back the byte that is there.
fn write_back(at: VirtAddr) -> Result<(), Fault> {
    let byte = probe_read(at)?;
    // SAFETY: memory stays as it is, and the devices that these tests look at do not mind.
    unsafe { probe_write(at, byte) }
}

fn maker_of_timer(gigabyte: VirtAddr) -> u32 {
    // SAFETY: the register is mapped there, and reading it changes nothing.
    let identity = unsafe { gigabyte.add(HPET).as_mut_ptr::<u32>().read_volatile() };
    identity >> 16
}

/// The content of a file of /proc.
fn file(path: &str) -> KString {
    let file = fs::open(&fs::Place::root(), path, OpenFlags::READ, 0o666).unwrap();
    let mut bytes = KVec::new();
    bytes.resize(1 << 16, 0, KERNEL).unwrap();
    let mut len = 0;
    while let read @ 1.. = file.read_bytes(&mut bytes[len..]).unwrap() {
        len += read;
    }
    KString::from_str(core::str::from_utf8(&bytes[..len]).unwrap(), KERNEL).unwrap()
}

/// Whether /proc/kpagetables has a line for the range that starts at `at`, with this size and these rights.
fn shown(at: VirtAddr, bytes: usize, rights: &str) -> bool {
    let (start, end) = (at.as_usize(), at.as_usize() + bytes);
    let line = KString::try_format(format_args!("0x{start:016x}-0x{end:016x} {:>9}K {rights}", bytes >> 10)).unwrap();
    file("/proc/kpagetables").as_str().contains(line.as_str())
}

#[test_case]
fn a_gigabyte_of_devices_is_split_where_one_page_changes() {
    conserves(|| {
        let tables = memory().tables().count();
        let gigabyte = memory().ioremap(HOLE, Level::Three.bytes()).unwrap();
        let level = if cpu::has_gigabyte_pages() { Level::Three } else { Level::Two };
        let run = tables::next_run(gigabyte, gigabyte.add(Level::Three.bytes())).unwrap();
        assert_eq!((run.start, run.bytes, run.level), (gigabyte, Level::Three.bytes(), level));
        let size = if level == Level::Three { "1G" } else { "2M" };
        let whole = KString::try_format(format_args!("{size} rw- uncached vmalloc area")).unwrap();
        assert!(shown(gigabyte, Level::Three.bytes(), &whole));
        assert_eq!(maker_of_timer(gigabyte), MAKER);

        let page = gigabyte.add(HPET);
        assert_eq!(memory().set_memory_ro(page, 1), Ok(()));
        // The timer's page is the 257th of its 2 MiB.
        let large = HPET & !(Level::Two.bytes() - 1);
        assert!(shown(gigabyte, large, "2M rw- uncached vmalloc area"));
        assert!(shown(gigabyte.add(large), HPET - large, "4K rw- uncached vmalloc area"));
        assert!(shown(page, PAGE_SIZE, "4K r-- uncached vmalloc area"));
        assert_eq!(maker_of_timer(gigabyte), MAKER);
        assert_eq!(write_back(page), Err(Fault));
        assert_eq!(write_back(page.add(PAGE_SIZE)), Ok(()));

        assert_eq!(memory().areas().set_memory_rw(page, 1), Ok(()));
        assert_eq!(write_back(page), Ok(()));
        assert_eq!(memory().iounmap(gigabyte), Ok(()));
        memory().drop_caches();
        assert_eq!(memory().tables().count(), tables);
    });
}

#[test_case]
fn a_page_of_the_direct_map_is_read_only_and_writable_again() {
    let block = memory().alloc_pages(KERNEL, order(9)).unwrap();
    let page = direct(block.add(77).phys());
    assert_eq!(write_back(page), Ok(()));
    // Twice: the second time nothing is split.
    for _ in 0..2 {
        assert_eq!(memory().set_memory_ro(page, 1), Ok(()));
        assert_eq!(write_back(page), Err(Fault));
        assert_eq!(write_back(page.add(PAGE_SIZE)), Ok(()));
        assert_eq!(memory().areas().set_memory_rw(page, 1), Ok(()));
        assert_eq!(write_back(page), Ok(()));
    }
    // More pages than are flushed one by one, once they are in the TLB.
    let pages = || (0..512).map(|nth| direct(block.add(nth).phys()));
    assert!(pages().all(|page| write_back(page) == Ok(())));
    assert_eq!(memory().set_memory_ro(direct(block.phys()), 512), Ok(()));
    assert!(pages().all(|page| write_back(page) == Err(Fault)));
    assert_eq!(memory().areas().set_memory_rw(direct(block.phys()), 512), Ok(()));
    assert!(pages().all(|page| write_back(page) == Ok(())));
    assert_eq!(memory().free_frames(block, order(9)), Ok(()));
    assert_eq!(memory().validate(), Ok(()));
}

#[test_case]
fn the_initial_files_cannot_be_written() {
    let files = ramdisk();
    assert!(!files.is_empty());
    for byte in [0, files.len() / 2, files.len() - 1] {
        assert_eq!(write_back(VirtAddr::from_ptr(&raw const files[byte])), Err(Fault));
    }
}

#[test_case]
fn the_direct_map_does_not_show_the_kernel_image() {
    for (name, start, end) in image_parts() {
        for page in (start.page_down().as_usize()..end.as_usize()).step_by(PAGE_SIZE).map(VirtAddr::new) {
            if let Some(frame) = tables::translate(page) {
                assert_eq!(probe_read(direct(frame.phys())), Err(Fault), "{name}");
            }
        }
    }
}

/// A function that returns 42: `mov eax, 42; ret`.
const FORTY_TWO: [u8; 6] = [0xb8, 42, 0, 0, 0, 0xc3];

/// Calls the function at `at`.
fn call(at: VirtAddr) -> u32 {
    // SAFETY: the tests' code lies there, or none: then it faults, and that is the point.
    let function: extern "sysv64" fn() -> u32 = unsafe { core::mem::transmute(at.as_usize()) };
    function()
}

/// An area with that function, and the addresses at which the direct map shows its pages.
fn code(bytes: usize) -> (CodeArea, [Option<VirtAddr>; 2]) {
    let mut code = CodeArea::new(bytes).unwrap();
    code.bytes_mut()[..FORTY_TWO.len()].copy_from_slice(&FORTY_TWO);
    let frame = |page: usize| tables::translate(code.addr().add(page * PAGE_SIZE));
    let aliases = [0, 1].map(|page| frame(page).and_then(|frame| memory().page_address(frame)));
    (code, aliases)
}

#[test_case]
fn code_runs_where_it_is_sealed_and_nothing_can_be_written_there() {
    conserves(|| {
        let (code, aliases) = code(2 * PAGE_SIZE);
        let at = code.addr();
        assert!(shown(at, 2 * PAGE_SIZE, "4K rw- module area"));
        assert_eq!(write_back(at), Ok(()));
        assert!(aliases.iter().flatten().all(|&alias| write_back(alias) == Ok(())));
        let code = code.seal(Access::Execute).unwrap();
        assert_eq!(call(at), 42);
        assert!(shown(at, 2 * PAGE_SIZE, "4K r-x module area"));
        for alias in [at, at.add(PAGE_SIZE)].into_iter().chain(aliases.into_iter().flatten()) {
            assert_eq!(write_back(alias), Err(Fault));
        }
        for &alias in aliases.iter().flatten() {
            assert!(memory().areas().set_memory_rw(alias, 1).is_err());
        }
        if aliases[0].is_some() {
            assert!(file("/proc/kpagetables").as_str().contains("K 4K r-- global direct map"));
        }
        let listed = KString::try_format(format_args!("0x{:016x}-0x", at.as_usize())).unwrap();
        assert!(file("/proc/vmallocinfo").as_str().contains(listed.as_str()));
        assert!(file("/proc/vmallocinfo").as_str().contains("pages=2 module"));
        drop(code);
        assert!(aliases.iter().flatten().all(|&alias| write_back(alias) == Ok(())));
        assert_eq!((probe_read(at), file("/proc/vmallocinfo").as_str().contains("module")), (Err(Fault), false));
    });
}

/// Where the next thread runs code.
static TARGET: AtomicUsize = AtomicUsize::new(0);

/// Dies of calling what lies at `at`; the report says `why`.
fn cannot_run(at: VirtAddr, why: &str) {
    TARGET.store(at.as_usize(), SeqCst);
    let log = Log::from_here();
    assert_eq!(spawn("doomed", || call(VirtAddr::new(TARGET.load(SeqCst))) as i32).unwrap().join(), Ok(DIED));
    assert!(log.shows(why), "{why}");
}

#[test_case]
fn what_is_not_sealed_as_code_does_not_run() {
    expect_oops("page fault: execution of ");
    let (filled, _) = code(1);
    let (constants, aliases) = code(1);
    cannot_run(filled.addr(), "(module area, inside memory of a module of kernel/../tests/rights.rs:");
    let constants = constants.seal(Access::Read).unwrap();
    cannot_run(constants.addr(), "not permitted");
    assert_eq!(write_back(constants.addr()), Err(Fault));
    if let Some(alias) = aliases[0] {
        cannot_run(alias, "(direct map)");
    }
    let at = constants.addr();
    cannot_run(at.add(PAGE_SIZE), "(module area, guard page of an area of kernel/../tests/rights.rs:");
    drop((filled, constants));
    cannot_run(at, "not mapped");
}

/// Tries what needs process context.
fn try_in_interrupt() {
    assert!(memory().set_memory_ro(direct(PhysAddr::new(0)), 1).is_err());
}

#[test_case]
fn impossible_changes_are_refused_and_reported() {
    let page = memory().alloc_pages(ATOMIC, order(0)).unwrap();
    let at = direct(page.phys());
    let log = Log::from_here();
    in_interrupt(try_in_interrupt);
    assert!(log.shows("set_memory_ro: may sleep, called in interrupt context"));
    assert!(memory().set_memory_ro(at.add(1), 1).is_err());
    assert!(log.shows("set_memory_ro: the address lies inside a page"));
    let nowhere = direct(Pfn::new(u32::MAX).phys());
    let alias = VirtAddr::new(at.as_usize() & ((1 << 48) - 1) | 1 << 56);
    for (at, pages) in [(VirtAddr::new(0), 1), (VirtAddr::new(0x1000), 1 << 51), (nowhere, 1), (alias, 1)] {
        assert!(memory().areas().set_memory_rw(at, pages).is_err());
    }
    assert!(
        memory().areas().set_memory_rw(at, usize::MAX).is_err() && memory().areas().set_memory_rw(at, 1 << 40).is_err()
    );
    assert!(log.shows("set_memory_rw: a page is not mapped, called from "));
    let area = memory().vmalloc(PAGE_SIZE).unwrap();
    assert!(memory().set_memory_ro(area, 2).is_err(), "the guard page is not mapped");
    assert_eq!(write_back(area), Ok(()));
    assert_eq!(memory().vfree(area), Ok(()));
    assert_eq!(write_back(at), Ok(()));
    assert_eq!(memory().free_frames(page, order(0)), Ok(()));
}
