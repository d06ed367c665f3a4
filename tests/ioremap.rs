//! ioremap: a real device's registers, video memory, refused ranges.
//!
//! The device is QEMU's HPET.
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

use common::{KERNEL, Log, conserves};
use kernel::arch::layout::PAGE_ARRAY;
use kernel::debug::probe::{Fault, probe_read};
use kernel::mm::IoMem;
use kernel::mm::tables;
use kernel::testing::memory;
use mm::mapper::Level;
use mm::{FreeError, Order, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use x86_64::registers::control::Cr3;

kernel::test_kernel!(test_main);

/// The registers of the high precision event timer: identity, configuration, counter.
const HPET: PhysAddr = PhysAddr::new(0xfed0_0000);
const HPET_BYTES: usize = 0x400;
const IDENTITY: usize = 0x00;
const CONFIGURATION: usize = 0x10;
const COUNTER: usize = 0xf0;
/// The frame buffer of QEMU's graphics card: 16 MiB.
const FRAME_BUFFER: PhysAddr = PhysAddr::new(0xfd00_0000);
static CONSTANT: u8 = 42;
/// Legacy video memory: 32 pages.
const VIDEO: PhysAddr = PhysAddr::new(0xa_0000);
const VIDEO_BYTES: usize = 0x2_0000;

#[test_case]
fn registers_of_a_device_are_read_and_written() {
    // Shows: S57
    conserves(|| {
        let hpet = IoMem::map(HPET, HPET_BYTES).unwrap();
        let identity = hpet.readq(IDENTITY).unwrap();
        assert_eq!(identity >> 16 & 0xffff, 0x8086, "the vendor: {identity:x}");
        let femtoseconds = identity >> 32;
        assert!((1..=100_000_000).contains(&femtoseconds), "the period of a tick");
        assert_eq!(hpet.readl(IDENTITY), Some(identity as u32));
        let counter = || hpet.readq(COUNTER).unwrap();
        hpet.writeq(CONFIGURATION, 0).unwrap();
        let stopped = counter();
        assert_eq!(counter(), stopped);
        hpet.writeq(CONFIGURATION, 1).unwrap();
        assert_eq!(hpet.readq(CONFIGURATION), Some(1));
        common::nap(20);
        let passed = counter() - stopped;
        hpet.writeq(CONFIGURATION, 0).unwrap();
        assert!(passed * femtoseconds >= 10_000_000_000_000, "ten milliseconds: {passed} ticks");
    });
}

#[test_case]
fn accesses_outside_of_the_mapping_are_refused() {
    conserves(|| {
        let hpet = IoMem::map(HPET, HPET_BYTES).unwrap();
        assert!(hpet.readl(HPET_BYTES - 4).is_some());
        for offset in [HPET_BYTES - 3, HPET_BYTES, usize::MAX - 2, usize::MAX, 2] {
            assert_eq!(hpet.readl(offset), None, "{offset:x}");
            assert_eq!(hpet.writel(offset, 0), None, "{offset:x}");
        }
    });
}

#[test_case]
fn the_offset_in_the_page_is_kept() {
    // Shows: S60
    conserves(|| {
        let whole = IoMem::map(HPET, HPET_BYTES).unwrap();
        for offset in [0x4, 0xf0, 0x123, 0xfff] {
            let at = memory().ioremap(PhysAddr::new(HPET.as_u64() + offset), 1).unwrap();
            assert_eq!(at.page_offset() as u64, offset);
            assert_eq!(tables::translate(at.page_down()), HPET.frame());
            assert_eq!(memory().iounmap(at), Ok(()));
        }
        // The high half of the identity, seen at its own offset.
        let period = IoMem::map(PhysAddr::new(HPET.as_u64() + 4), 4).unwrap();
        assert_ne!(period.readl(0), Some(0));
        assert_eq!(period.readl(0), whole.readl(4));
        assert_eq!(period.readl(4), None);
    });
}

#[test_case]
fn every_page_of_the_range_is_mapped_and_no_other() {
    // Shows: K12
    conserves(|| {
        let ranges = [(VIDEO.as_u64(), VIDEO_BYTES, 32), (HPET.as_u64() + 0xffe, 4, 2), (HPET.as_u64() + 1, 4096, 2)];
        for (phys, bytes, pages) in ranges {
            let at = memory().ioremap(PhysAddr::new(phys), bytes).unwrap();
            let first = PhysAddr::new(phys).frame().unwrap();
            for page in 0..pages {
                let here = at.page_down().add(page * PAGE_SIZE);
                assert_eq!(tables::translate(here), Some(first.add(page as u32)));
                assert!(probe_read(here).is_ok());
            }
            assert_eq!(probe_read(at.page_down().add(pages * PAGE_SIZE)), Err(Fault));
            assert_eq!(memory().iounmap(at), Ok(()));
        }
    });
}

#[test_case]
fn nothing_is_allocated_but_page_tables() {
    // Shows: S56
    conserves(|| {
        let first = IoMem::map(HPET, HPET_BYTES).unwrap();
        let (free, tables) = (memory().pages().free_pages_total(), memory().tables().count());
        // So long that tables are missing, and at no large page's boundary.
        let wide = IoMem::map(PhysAddr::new((1 << 40) + 4096), 4 << 20).unwrap();
        let added = memory().tables().count() - tables;
        assert!(added >= 2);
        assert_eq!(memory().pages().free_pages_total(), free - added);
        let (free, tables) = (memory().pages().free_pages_total(), memory().tables().count());
        let small = IoMem::map(VIDEO, VIDEO_BYTES).unwrap();
        assert_eq!((memory().pages().free_pages_total(), memory().tables().count()), (free, tables));
        drop((first, wide, small));
    });
}

#[test_case]
fn after_iounmap_the_address_faults() {
    conserves(|| {
        for (phys, bytes) in [(HPET, HPET_BYTES), (VIDEO, VIDEO_BYTES)] {
            let at = memory().ioremap(phys, bytes).unwrap();
            for page in 0..bytes.div_ceil(PAGE_SIZE) {
                assert!(probe_read(at.add(page * PAGE_SIZE)).is_ok());
            }
            assert_eq!(memory().iounmap(at), Ok(()));
            memory().vm_unmap_aliases();
            for page in 0..bytes.div_ceil(PAGE_SIZE) {
                assert_eq!(probe_read(at.add(page * PAGE_SIZE)), Err(Fault));
            }
        }
    });
}

#[test_case]
fn memory_of_the_allocators_is_refused() {
    conserves(|| {
        let page = memory().alloc_pages(KERNEL, Order::ZERO).unwrap();
        let log = Log::from_here();
        let ranges = [
            (page.phys().as_u64(), 1),
            (page.phys().as_u64() + 4095, 1),
            // Begins at a device, ends in memory.
            (VIDEO.as_u64(), 64 << 20),
            // All there is.
            (0, 1 << 40),
        ];
        for (phys, bytes) in ranges {
            assert!(memory().ioremap(PhysAddr::new(phys), bytes).is_err(), "{phys:x}");
        }
        assert!(log.shows("ioremap: the range is memory of the allocators, called from "));
        memory().free_frames(page, Order::ZERO).unwrap();
        // Free memory is no device either.
        assert!(memory().ioremap(page.phys(), 1).is_err());
    });
}

#[test_case]
fn frames_that_the_kernel_lies_in_are_refused() {
    conserves(|| {
        let log = Log::from_here();
        let text = VirtAddr::from_ptr(probe_read as *const u8).page_down();
        let entries = PAGE_ARRAY.add(PAGE_SIZE);
        for page in [text, VirtAddr::from_ptr(&raw const CONSTANT), entries] {
            let frame = tables::translate(page.page_down()).unwrap();
            assert!(memory().ioremap(frame.phys(), PAGE_SIZE).is_err());
        }
        let root = Cr3::read().0.start_address().as_u64();
        assert!(memory().ioremap(PhysAddr::new(root), 8).is_err());
        assert!(log.shows("ioremap: the range is memory of the kernel, called from "));
    });
}

#[test_case]
fn large_device_memory_is_mapped_by_large_pages() {
    // Shows: K16
    conserves(|| {
        let tables = memory().tables().count();
        let at = memory().ioremap(FRAME_BUFFER, 4 << 20).unwrap();
        assert!(at.is_aligned(2 << 20));
        let run = tables::next_run(at, at.add(4 << 20)).unwrap();
        assert_eq!((run.start, run.bytes, run.level), (at, 4 << 20, Level::Two));
        assert!(memory().tables().count() <= tables + 1, "none of level one");
        assert_eq!(probe_read(at.add(4 << 20)), Err(Fault));
        assert_eq!(memory().iounmap(at), Ok(()));
    });
}

#[test_case]
fn blocks_are_copied_to_and_from_a_device() {
    // Shows: S57
    conserves(|| {
        // Nobody looks at the screen.
        let screen = IoMem::map(FRAME_BUFFER, VIDEO_BYTES).unwrap();
        let mut bytes = [0; 37];
        for (offset, len) in [(3, 37), (8, 32), (0, 0), (5, 2), (VIDEO_BYTES - 1, 1)] {
            let from: [u8; 37] = core::array::from_fn(|at| (at * 5 + offset) as u8);
            screen.memset_io(offset, 0, len).unwrap();
            assert_eq!(screen.memcpy_toio(offset, &from[..len]), Some(()));
            assert_eq!(screen.memcpy_fromio(&mut bytes[..len], offset), Some(()));
            assert!((0..len).all(|at| screen.readb(offset + at) == Some(bytes[at])));
        }
        for (offset, len) in [(VIDEO_BYTES, 1), (VIDEO_BYTES - 36, 37), (usize::MAX, 2)] {
            assert_eq!(screen.memcpy_fromio(&mut bytes[..len], offset), None);
            assert_eq!(screen.memcpy_toio(offset, &bytes[..len]), None);
            assert_eq!(screen.memset_io(offset, 1, len), None);
        }
    });
}

#[test_case]
fn the_last_frames_of_memory_are_refused_too() {
    conserves(|| {
        let map = memory().pages().map();
        let last = (0..map.frames()).rev().map(Pfn::new).find(|&frame| map.block_of(frame).is_some()).unwrap();
        assert!(memory().ioremap(last.phys(), 1).is_err());
        assert!(memory().ioremap(last.phys(), 64 << 20).is_err());
    });
}

#[test_case]
fn impossible_ranges_are_refused() {
    conserves(|| {
        let log = Log::from_here();
        for (phys, bytes) in [(HPET.as_u64(), 0), (u64::MAX, 2), (HPET.as_u64(), usize::MAX)] {
            assert!(memory().ioremap(PhysAddr::new(phys), bytes).is_err());
        }
        assert!(log.shows("ioremap: size is zero or the range leaves the physical address space"));
    });
}

#[test_case]
fn wrong_unmappings_are_refused_and_reported() {
    // Shows: K4
    conserves(|| {
        let at = memory().ioremap(VIDEO, VIDEO_BYTES).unwrap();
        let area = memory().vmalloc(PAGE_SIZE).unwrap();
        let log = Log::from_here();
        assert_eq!(memory().vfree(at), Err(FreeError::NoArea));
        assert_eq!(memory().iounmap(area), Err(FreeError::NoArea));
        assert_eq!(memory().iounmap(at.add(PAGE_SIZE)), Err(FreeError::NoArea));
        assert!(log.shows("Trying to vfree() nonexistent vm area ("));
        assert!(probe_read(at).is_ok() && probe_read(area).is_ok());
        assert_eq!(memory().iounmap(at), Ok(()));
        assert_eq!(memory().iounmap(at), Err(FreeError::NoArea));
        assert_eq!(memory().vfree(area), Ok(()));
    });
}
