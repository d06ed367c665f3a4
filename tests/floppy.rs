//! The floppy disk, read by a real 8237 and 82077 (QEMU's).
//!
//! The disk holds the numbers from 1 on, a line each.
//!
//! Machine: FLOPPY=counting
//! Machine: FLOPPY=counting MEM=24M CPU=max
//! Machine: FLOPPY=counting APPEND="mem=126M highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use common::{DMA, DMA_LIMIT, KERNEL, Log, order};
use kapi::mm::own::{Buffer, KBytes};
use kapi::{Errno, FloppyBus, OpenFlags, Param, Whence};
use kernel::fs::{self, OpenFile};
use kernel::irq::{self, Irq};
use kernel::mm::{Kernel, PageBlock, VmArea, hidden_ram};
use kernel::modules::{insmod, rmmod};
use kernel::testing::memory;
use mm::PAGE_SIZE;
use services::isa::{DmaError, Transfer};

kernel::test_kernel!(test_main);

const TRACK: u64 = 18 * 512;
const DISK: u64 = 160 * TRACK;

fn open() -> OpenFile {
    fs::open(&fs::Place::root(), "/dev/fd0", OpenFlags::READ, 0o666).unwrap()
}

/// The number whose line begins at `position`, or behind the line that covers it, and where that line begins.
fn next_line(position: u64) -> (u64, u64) {
    let (mut first, mut start, mut digits) = (1, 0, 1);
    loop {
        let bytes = first * 9 * (digits + 1);
        if position <= start + bytes {
            let lines = (position - start).div_ceil(digits + 1);
            return (first + lines, start + lines * (digits + 1));
        }
        (first, start, digits) = (first * 10, start + bytes, digits + 1);
    }
}

/// Reads from `position` on and checks every number there.
fn check(file: &OpenFile, position: u64, bytes: usize) {
    let mut buf = [0; 1024];
    let buf = &mut buf[..bytes];
    file.llseek(position as i64, Whence::Start).unwrap();
    let mut done = 0;
    while done < bytes {
        let n = file.read_bytes(&mut buf[done..]).unwrap();
        if n == 0 {
            assert_eq!(position + done as u64, DISK);
            break;
        }
        done += n;
    }
    let (mut number, start) = next_line(position);
    let text = core::str::from_utf8(&buf[(start - position) as usize..done]).unwrap();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        assert_eq!(line.trim_end().parse(), Ok(number), "at {position}");
        number += 1;
    }
}

#[test_case]
fn every_place_of_the_disk_reads_what_is_there() {
    // Shows: S10, S39
    let file = open();
    for track in [0, 1, 2, 3, 79, 80, 158, 159] {
        check(&file, track * TRACK, 1024);
        check(&file, (track + 1) * TRACK - 600, 1024);
    }
    for position in (0..DISK).step_by(97 * 512 + 13) {
        check(&file, position, 700);
    }
}

#[test_case]
fn one_interrupt_tells_of_a_whole_track() {
    let file = open();
    check(&file, 10 * TRACK, 512);
    let before = irq::count(Irq::FLOPPY);
    check(&file, 10 * TRACK + 4096, 1024);
    assert_eq!(irq::count(Irq::FLOPPY), before, "the track is there already");
    check(&file, 11 * TRACK, 512);
    assert_eq!(irq::count(Irq::FLOPPY), before + 1, "the other side of the same cylinder");
    check(&file, 12 * TRACK, 512);
    assert_eq!(irq::count(Irq::FLOPPY), before + 3, "a seek and a track");
}

#[test_case]
fn memory_of_the_wrong_kind_is_refused() {
    // Shows: S10, S39, S54, S75
    let of = |addr, bytes| Transfer::of_buffer(memory(), addr, bytes);
    for log2 in 0..=4 {
        let pages = PageBlock::new(order(log2), KERNEL | DMA).unwrap();
        assert!(of(pages.addr(), order(log2).bytes()).is_ok());
        let object = KBytes::<Kernel>::new(PAGE_SIZE << log2, KERNEL | DMA).unwrap();
        assert!(of(object.addr(), PAGE_SIZE << log2).is_ok());
    }
    let area = VmArea::new(PAGE_SIZE).unwrap();
    assert_eq!(of(area.addr(), 512), Err(DmaError::NotDirect));
    let on_the_stack = 0_u8;
    assert_eq!(of(mm::VirtAddr::from_ptr(&raw const on_the_stack), 1), Err(DmaError::NotDirect));
    let normal = PageBlock::new(order(0), KERNEL).unwrap();
    assert!(normal.frame().unwrap().phys().as_u64() >= DMA_LIMIT);
    assert_eq!(of(normal.addr(), 512), Err(DmaError::TooHigh));
    for hidden in hidden_ram() {
        assert_eq!(Transfer::new(hidden.start.phys(), 512), Err(DmaError::TooHigh));
    }
}

#[test_case]
fn the_driver_refuses_buffers_that_dma_does_not_reach() {
    // Shows: S54, S75
    assert_eq!(rmmod("fd"), Ok(()));
    let log = Log::from_here();
    for source in ["vmalloc", "kmalloc"] {
        assert_eq!(insmod("fd", &[Param { name: "fd_memory", value: source }]), Err(Errno::EINVAL));
    }
    assert!(log.shows("(vmalloc): it has no physical address of its own"));
    assert!(log.shows("(kmalloc): it lies above 16 MiB"));
    for source in ["dma_pages", "kmalloc_dma"] {
        assert_eq!(insmod("fd", &[Param { name: "fd_memory", value: source }]), Ok(()));
        check(&open(), 33 * TRACK, 1024);
        assert_eq!(rmmod("fd"), Ok(()));
    }
    assert_eq!(insmod("fd", &[]), Ok(()));
}

#[test_case]
fn two_drivers_do_not_have_the_controller() {
    assert_eq!(Kernel::claim_floppy().err(), Some(Errno::EBUSY));
    assert_eq!(rmmod("fd"), Ok(()));
    let claim = Kernel::claim_floppy().unwrap();
    assert_eq!(insmod("fd", &[]), Err(Errno::EBUSY));
    drop(claim);
    assert_eq!(insmod("fd", &[]), Ok(()));
    check(&open(), 0, 512);
}
