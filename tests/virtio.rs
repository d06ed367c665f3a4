//! Disks of QEMU's, by virtio.
//!
//! They are read, written and flushed; two share an interrupt line, one does not answer.
//!
//! Each sector of a disk that is `stamped` holds its own number; what the tests write turns all bits of that over, and
//! the runner looks at the file when the machine is off. The device takes the time of the host, so nothing here
//! depends on it.
//!
//! Machine: ICOUNT=0 DISK=stamped,ro SWAP=stamped,modern APPEND="highmem=64M"
//! Machine: ICOUNT=0 DISK=stamped,modern SWAP=stamped BOARD=q35 CPU=max MEM=24M
//! Machine: ICOUNT=0 DISK=stamped SWAP=stamped,ro BOARD=q35 FIRMWARE=uefi
//! Machine: ICOUNT=0 DISK=stamped SWAP=silent
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;

use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use core::time::Duration;

use blocks::{Completion, Done, Patience};
use common::{KERNEL, Log, conserves};
use kapi::block::{BlockError, BlockOp, PAGE_SECTORS, SECTOR_SIZE, Segment};
use kernel::block::{self, Disk};
use kernel::irq::{self, Irq};
use kernel::mm::{KString, KVec, UserPage};
use kernel::resource::MEMORY;
use kernel::{println, sched};
use mm::GfpFlags;

kernel::test_kernel!(test_main);

const WORDS: usize = SECTOR_SIZE / 8;
/// Sectors of a disk that does not answer until it is reset, which tells it from others.
const SILENT_SECTORS: u64 = 2048;
/// Where on a disk which test writes.
const FIRST_RANGE: Range<u64> = 0..64;
const PAIR_RANGE: Range<u64> = 128..1152;
const CROWD_RANGE: Range<u64> = 2048..4096;

fn vda() -> Arc<Disk> {
    block::find("vda").unwrap()
}

/// The disks that answer.
fn disks() -> impl Iterator<Item = Arc<Disk>> {
    ["vda", "vdb"].into_iter().filter_map(block::find).filter(|disk| disk.sectors() != SILENT_SECTORS)
}

fn writable() -> impl Iterator<Item = Arc<Disk>> {
    disks().filter(|disk| !disk.is_read_only())
}

fn page() -> UserPage {
    UserPage::zeroed(GfpFlags::HIGHUSER).unwrap()
}

fn part(page: &UserPage, sectors: u64) -> Segment {
    Segment::new(page.frame(), 0, sectors as usize * SECTOR_SIZE).unwrap()
}

/// What sector `number` holds at first.
fn stamp(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5ca1_1e5c
}

/// Turns the stamps of `sectors` over, on the disk, by a page at a time.
fn invert(disk: &Disk, sectors: Range<u64>) -> Result<(), BlockError> {
    let mut page = page();
    for first in sectors.clone().step_by(PAGE_SECTORS as usize) {
        let count = PAGE_SECTORS.min(sectors.end - first);
        fill(&mut page, first, count);
        disk.transfer(BlockOp::Write, first, part(&page, count))?;
    }
    Ok(())
}

fn fill(page: &mut UserPage, first: u64, count: u64) {
    page.show_mut(|bytes| {
        for (sector, number) in bytes.chunks_mut(SECTOR_SIZE).zip(first..first + count) {
            sector.chunks_mut(8).for_each(|word| word.copy_from_slice(&(!stamp(number)).to_le_bytes()));
        }
    })
    .unwrap();
}

/// How many of the page's first `count` sectors are turned over.
///
/// # Panics
/// When one is neither as at first nor turned over.
fn turned(page: &UserPage, first: u64, count: u64) -> u64 {
    page.show(|bytes| {
        let mut turned = 0;
        for (sector, number) in bytes.chunks(SECTOR_SIZE).zip(first..first + count) {
            let mut words = sector.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
            let first = words.next().unwrap();
            assert!(first == stamp(number) || first == !stamp(number), "sector {number}");
            assert_eq!(words.filter(|&word| word == first).count(), WORDS - 1, "sector {number}");
            turned += u64::from(first != stamp(number));
        }
        turned
    })
    .unwrap()
}

/// How many sectors of a range are turned over on the disk.
fn turned_of(disk: &Disk, sectors: Range<u64>) -> u64 {
    let page = page();
    let mut all = 0;
    for first in sectors.clone().step_by(PAGE_SECTORS as usize) {
        let count = PAGE_SECTORS.min(sectors.end - first);
        disk.transfer(BlockOp::Read, first, part(&page, count)).unwrap();
        all += turned(&page, first, count);
    }
    all
}

#[test_case]
fn every_sector_is_where_it_should_be() {
    for disk in disks() {
        // Not whole pages: the image ends three sectors behind one.
        assert_eq!(disk.sectors() % PAGE_SECTORS, 3, "{}", disk.name());
        assert!(turned_of(&disk, 0..disk.sectors()) < disk.sectors());
        assert!(disk.counts().reads.ended > 0);
    }
}

#[test_case]
fn what_is_written_is_there_and_nothing_else_changes() {
    conserves(|| {
        for disk in writable() {
            // Sectors one by one, then by pages that no page of the disk is.
            for sector in FIRST_RANGE.start..FIRST_RANGE.start + 13 {
                invert(&disk, sector..sector + 1).unwrap();
            }
            invert(&disk, FIRST_RANGE.start + 13..FIRST_RANGE.end).unwrap();
            disk.flush().unwrap();
            assert_eq!(turned_of(&disk, 0..PAIR_RANGE.start), FIRST_RANGE.end - FIRST_RANGE.start);
        }
    });
}

#[test_case]
fn pages_of_any_zone_are_read_into() {
    let disk = vda();
    for flags in [GfpFlags::DMA | KERNEL, KERNEL, GfpFlags::HIGHUSER] {
        let page = UserPage::zeroed(flags).unwrap();
        disk.transfer(BlockOp::Read, 1200, part(&page, PAGE_SECTORS)).unwrap();
        assert_eq!(turned(&page, 1200, PAGE_SECTORS), 0);
    }
}

/// Counts ends, and errors among them.
struct Ends {
    ended: AtomicUsize,
    failed: AtomicUsize,
}

static ENDS: Ends = Ends { ended: AtomicUsize::new(0), failed: AtomicUsize::new(0) };

impl Completion for Ends {
    fn completed(&self, _token: usize, result: Result<(), BlockError>) {
        self.failed.fetch_add(usize::from(result.is_err()), SeqCst);
        self.ended.fetch_add(1, SeqCst);
    }
}

/// Submits, behind one another and from the end, a page for each of `pages`, and waits for all; says how many failed.
fn crowd(disk: &Disk, op: BlockOp, first: u64, pages: &[UserPage]) -> usize {
    let (ended, failed) = (ENDS.ended.load(SeqCst), ENDS.failed.load(SeqCst));
    let run = disk.queue().run();
    for (index, page) in pages.iter().enumerate().rev() {
        let done = Done { completion: &ENDS, token: index };
        let sector = first + index as u64 * PAGE_SECTORS;
        disk.queue().submit(op, sector, part(page, PAGE_SECTORS), done, Patience::Wait).unwrap();
    }
    drop(run);
    while ENDS.ended.load(SeqCst) < ended + pages.len() {
        common::nap(1);
    }
    ENDS.failed.load(SeqCst) - failed
}

#[test_case]
fn a_crowd_of_requests_ends_and_neighbours_travel_together() {
    conserves(|| {
        for disk in writable() {
            let count = ((CROWD_RANGE.end - CROWD_RANGE.start) / PAGE_SECTORS) as usize;
            let mut pages = KVec::with_capacity(count, KERNEL).unwrap();
            for first in CROWD_RANGE.step_by(PAGE_SECTORS as usize) {
                let mut page = page();
                fill(&mut page, first, PAGE_SECTORS);
                pages.push(page, KERNEL).unwrap();
            }
            let before = disk.counts().writes.ended;
            assert_eq!(crowd(&disk, BlockOp::Write, CROWD_RANGE.start, &pages), 0);
            let requests = disk.counts().writes.ended - before;
            assert!((8..=64).contains(&requests), "{requests} requests for {count} pages");
            assert_eq!(crowd(&disk, BlockOp::Read, CROWD_RANGE.start, &pages), 0);
            for (page, first) in pages.iter().zip(CROWD_RANGE.step_by(PAGE_SECTORS as usize)) {
                assert_eq!(turned(page, first, PAGE_SECTORS), PAGE_SECTORS);
            }
        }
    });
}

#[test_case]
fn two_disks_on_one_line_work_side_by_side() {
    let Some(other) = block::find("vdb").filter(|disk| disk.sectors() != SILENT_SECTORS) else { return };
    let shared = (0..16).filter_map(Irq::new).find(|&irq| irq::is_served(irq) && has_both(irq));
    let line = shared.expect("one line for both");
    let before = irq::count(line);
    let worker = sched::spawn("worker", move || i32::from(back_and_forth(&other).is_err())).unwrap();
    let here = back_and_forth(&vda());
    assert_eq!((here.is_err(), worker.join().unwrap()), (false, 0));
    assert!(irq::count(line) > before);
}

fn has_both(irq: Irq) -> bool {
    let text = KString::try_format(format_args!("{}", irq::names(irq)));
    text.is_ok_and(|names| names.as_str().contains("vda") && names.as_str().contains("vdb"))
}

/// Reads all of a range, and writes it, if that may be.
fn back_and_forth(disk: &Disk) -> Result<(), BlockError> {
    let turns = if disk.is_read_only() { 1 } else { 3 };
    for turn in 0..turns {
        if turn > 0 {
            invert(disk, PAIR_RANGE)?;
            disk.flush()?;
        }
        let expected = if turn > 0 { PAIR_RANGE.end - PAIR_RANGE.start } else { 0 };
        if turned_of(disk, PAIR_RANGE) != expected {
            return Err(BlockError::Io);
        }
    }
    Ok(())
}

#[test_case]
fn what_a_disk_does_not_do_is_refused() {
    let page = page();
    for disk in disks() {
        let beyond = disk.transfer(BlockOp::Read, disk.sectors() - 7, part(&page, PAGE_SECTORS));
        assert_eq!(beyond, Err(BlockError::Beyond));
        assert_eq!(disk.transfer(BlockOp::Read, u64::MAX, part(&page, 1)), Err(BlockError::Beyond));
        if disk.is_read_only() {
            assert_eq!(disk.transfer(BlockOp::Write, 0, part(&page, 1)), Err(BlockError::ReadOnly));
        }
    }
}

#[test_case]
fn its_registers_are_claimed() {
    struct Found(usize);
    impl core::fmt::Write for Found {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            self.0 += text.matches("virtio-blk").count();
            Ok(())
        }
    }
    let mut found = Found(0);
    MEMORY.write(&mut found).unwrap();
    let all = ["vda", "vdb"].into_iter().filter_map(block::find).count();
    assert_eq!(found.0, 2 * all, "interrupt table and registers of each");
}

#[test_case]
fn a_disk_that_does_not_answer_is_given_up_and_disturbs_no_other() {
    let Some(silent) = block::find("vdb").filter(|disk| disk.sectors() == SILENT_SECTORS) else { return };
    let log = Log::from_here();
    silent.queue().set_timeout(Duration::from_secs(1));
    let reader = sched::spawn("reader", || {
        let silent = block::find("vdb").unwrap();
        let page = page();
        (0..2).map(|index| i32::from(silent.transfer(BlockOp::Read, index * 8, part(&page, 8)).is_err())).sum()
    });
    // Meanwhile the other one works.
    assert!(turned_of(&vda(), 0..vda().sectors()) < vda().sectors());
    assert_eq!(silent.counts().reads.ended, 0);
    // QEMU does what it was asked for when it is to forget it.
    assert_eq!(reader.unwrap().join().unwrap(), 0);
    assert_eq!(log.count("vdb: no answer to a request: the device is reset"), 2);
    assert!(!silent.queue().is_busy());
}

#[test_case]
fn when_all_is_done_the_host_is_told() {
    for disk in disks() {
        println!("stamps: {} of {} are turned over", turned_of(&disk, 0..disk.sectors()), disk.name());
    }
}
