//! Disks: requests that sleep as long as the disk takes, and may fail.
//!
//! Machine: MEM=96M APPEND="mem=64M ramdisk=8M,513K nullb=1M"
//! Machine: MEM=512M APPEND="mem=24M ramdisk=384M,1M nullb=1M"
//! Machine: APPEND="mem=126M highmem=64M ramdisk=1M,64K nullb=64K"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;
#[path = "common/disks.rs"]
mod disks;

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use core::time::Duration;

use blocks::{Patience, Refused};
use common::modules::{contains, line_of};
use common::{KERNEL, Log, conserves, in_interrupt};
use disks::{DONE, ENDS, disk, filled, has, is_all, order, page, whole};
use kapi::block::{MAX_SEGMENTS, PAGE_SECTORS, SECTOR_SIZE, Segment};
use kapi::{BlockError, BlockOp, Errno, Param};
use kernel::block;
use kernel::mm::{KVec, PageRef};
use kernel::modules::{insmod, rmmod};
use kernel::testing::memory;
use kernel::{klog, sched, time};
use mm::{PAGE_SIZE, Pfn};

kernel::test_kernel!(test_main);

#[test_case]
fn disks_have_names_numbers_and_sizes() {
    let (first, second, null) = (disk("ram0"), disk("ram1"), disk("nullb0"));
    assert_eq!([&first, &second, &null].map(|disk| (disk.major(), disk.minor())), [(1, 0), (1, 1), (253, 0)]);
    assert!(block::find_number(1, 1).is_some_and(|found| found.name() == "ram1"));
    assert!(block::find("ram2").is_none() && block::find_number(1, 2).is_none() && block::nth(3).is_none());
    assert!(contains("/proc/partitions", "major minor  #blocks  name\n\n   1        0 "));
    for disk in [first, second, null] {
        assert!(contains("/proc/partitions", disk.name()) && !disk.is_read_only());
    }
    assert!(contains("/proc/iomem", "ramdisk"));
}

#[test_case]
fn what_is_written_is_read_back() {
    let disk = disk("ram0");
    let last = disk.sectors() / PAGE_SECTORS - 1;
    for (index, byte) in [(0, 0x11), (7, 0x22), (last, 0x33)] {
        assert_eq!(disk.transfer(BlockOp::Write, index * PAGE_SECTORS, whole(&filled(byte))), Ok(()));
    }
    for (index, byte) in [(0, 0x11), (7, 0x22), (last, 0x33)] {
        let page = filled(0xee);
        assert_eq!(disk.transfer(BlockOp::Read, index * PAGE_SECTORS, whole(&page)), Ok(()));
        assert!(is_all(&page, byte), "page {index}");
    }
    // One sector in the middle, to the middle of a page.
    let page = filled(0xee);
    let sector = Segment::new(page.frame(), 1024, SECTOR_SIZE).unwrap();
    assert_eq!(disk.transfer(BlockOp::Read, 7 * PAGE_SECTORS + 3, sector), Ok(()));
    let is_right = page.show(|bytes| bytes[1024..1536].iter().all(|&b| b == 0x22) && bytes[1536] == 0xee);
    assert_eq!(is_right, Ok(true));
}

#[test_case]
fn what_cannot_be_is_refused() {
    let disk = disk("ram1");
    let page = page();
    assert_eq!(disk.transfer(BlockOp::Read, disk.sectors(), whole(&page)), Err(BlockError::Beyond));
    assert_eq!(disk.transfer(BlockOp::Write, disk.sectors() - 7, whole(&page)), Err(BlockError::Beyond));
    assert_eq!(disk.transfer(BlockOp::Read, u64::MAX - 3, whole(&page)), Err(BlockError::Beyond));
    // A page that is nobody's content is not written to.
    let block = memory().alloc_pages(KERNEL, mm::Order::ZERO).unwrap();
    let segment = Segment::new(block, 0, PAGE_SIZE).unwrap();
    assert_eq!(disk.transfer(BlockOp::Read, 0, segment), Err(BlockError::Io));
    memory().free_frames(block, mm::Order::ZERO).unwrap();
    for line in ["", "ram1", "ram1 nonsense", "ram1 fail 0", "ram1 timeout x"] {
        assert_eq!(block::control(line), Err(Errno::EINVAL), "{line}");
    }
    assert_eq!(block::control("ram9 clear"), Err(Errno::ENXIO));
}

#[test_case]
fn a_request_sleeps_as_long_as_the_disk_takes() {
    let disk = disk("ram0");
    let page = page();
    for latency in [1, 2, 5, 20] {
        order(match latency {
            1 => "ram0 latency 1",
            2 => "ram0 latency 2",
            5 => "ram0 latency 5",
            _ => "ram0 latency 20",
        });
        // Behind a tick, so that the next one is whole.
        sched::sleep(Duration::ZERO).unwrap();
        let before = time::ticks().0;
        assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Ok(()));
        assert_eq!(time::ticks().0 - before, latency);
    }
    order("ram0 latency 1");
}

#[test_case]
fn others_run_while_a_thread_sleeps_for_the_disk() {
    static STOP: AtomicBool = AtomicBool::new(false);
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);
    let other = sched::spawn("other", || {
        while !STOP.load(SeqCst) {
            ROUNDS.fetch_add(1, SeqCst);
            sched::yield_now().unwrap();
        }
        0
    })
    .unwrap();
    let (disk, page) = (disk("ram0"), page());
    sched::sleep(Duration::ZERO).unwrap();
    let before = ROUNDS.load(SeqCst);
    assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Ok(()));
    assert!(ROUNDS.load(SeqCst) > before + 100, "{} rounds", ROUNDS.load(SeqCst) - before);
    STOP.store(true, SeqCst);
    assert_eq!(other.join(), Ok(0));
}

#[test_case]
fn ends_are_told_in_interrupt_context_or_at_once() {
    let (disk, page) = (disk("ram0"), page());
    ENDS.reset();
    assert_eq!(disk.queue().submit(BlockOp::Read, 0, whole(&page), DONE, Patience::Wait), Ok(()));
    assert_eq!(ENDS.ended(), 0, "the disk takes a tick");
    ENDS.wait(1);
    assert_eq!(ENDS.in_interrupt.load(SeqCst), 1);
    order("ram0 latency 0");
    assert_eq!(disk.queue().submit(BlockOp::Read, 0, whole(&page), DONE, Patience::Wait), Ok(()));
    assert_eq!((ENDS.ended(), ENDS.in_interrupt.load(SeqCst)), (2, 1));
    order("ram0 latency 1");
}

#[test_case]
fn interrupts_submit_without_waiting() {
    static FRAME: AtomicUsize = AtomicUsize::new(0);
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    let page = page();
    FRAME.store(page.frame().index(), SeqCst);
    ENDS.reset();
    in_interrupt(|| {
        let segment = Segment::new(Pfn::new(FRAME.load(SeqCst) as u32), 0, PAGE_SIZE).unwrap();
        let disk = disk("ram0");
        let submit = |sector, patience| disk.queue().submit(BlockOp::Write, sector, segment, DONE, patience);
        // Neighbours would travel together.
        TAKEN.store((0..100).take_while(|nth| submit(nth * 16, Patience::None).is_ok()).count(), SeqCst);
        assert_eq!(submit(2000, Patience::Wait), Err(Refused::Busy), "nobody sleeps in an interrupt");
    });
    assert_eq!(TAKEN.load(SeqCst), 48, "all but those that are kept for reads");
    ENDS.wait(48);
}

#[test_case]
fn neighbours_travel_together() {
    let disk = disk("ram0");
    let mut pages = KVec::new();
    (0..MAX_SEGMENTS).for_each(|nth| pages.push(filled(nth as u8), KERNEL).unwrap());
    ENDS.reset();
    let before = disk.counts().writes;
    let run = disk.queue().run();
    for (nth, page) in pages.iter().enumerate().rev() {
        let sector = nth as u64 * PAGE_SECTORS;
        assert_eq!(disk.queue().submit(BlockOp::Write, sector, whole(page), DONE, Patience::Wait), Ok(()));
    }
    drop(run);
    ENDS.wait(MAX_SEGMENTS);
    let after = disk.counts().writes;
    assert_eq!((after.ended - before.ended, after.merged - before.merged), (1, MAX_SEGMENTS as u64 - 1));
    assert_eq!(after.sectors - before.sectors, MAX_SEGMENTS as u64 * PAGE_SECTORS);
    let page = page();
    for nth in [0, 1, 30, 31] {
        assert_eq!(disk.transfer(BlockOp::Read, nth * PAGE_SECTORS, whole(&page)), Ok(()));
        assert!(is_all(&page, nth as u8), "page {nth}");
    }
}

#[test_case]
fn when_a_module_goes_its_disks_go() {
    // Nobody has opened them.
    assert_eq!(rmmod("ramdisk"), Ok(()));
    assert!(block::find("ram0").is_none() && !contains("/proc/iomem", "ramdisk"));
    let of = |name, value| Param { name, value };
    conserves(|| {
        assert_eq!(insmod("ramdisk", &[of("sizes", "64K"), of("memory", "vmalloc"), of("cache", "8")]), Ok(()));
        let disk = disk("ram0");
        assert_eq!(rmmod("ramdisk"), Err(Errno::EBUSY), "somebody has the disk");
        assert_eq!(disk.transfer(BlockOp::Write, 0, whole(&filled(1))), Ok(()));
        assert_eq!(disk.flush(), Ok(()));
        assert_eq!(disk.counts().flushes.ended, 1);
        drop(disk);
        assert_eq!(rmmod("ramdisk"), Ok(()));
    });
    assert_eq!(insmod("ramdisk", &[of("sizes", "1M,64K")]), Ok(()));
}

#[test_case]
fn who_finds_all_requests_taken_sleeps_for_one() {
    let (disk, page) = (disk("ram0"), page());
    ENDS.reset();
    let before = time::ticks().0;
    for nth in 0..200 {
        let sector = nth * 13 % 128 * 16;
        assert_eq!(disk.queue().submit(BlockOp::Write, sector, whole(&page), DONE, Patience::Wait), Ok(()));
    }
    assert!(time::ticks().0 - before > 5, "so many requests take time");
    ENDS.wait(200);
    assert_eq!(ENDS.failed.load(SeqCst), 0);
    assert!(disk.queue().validate());
}

#[test_case]
fn failures_are_told_and_logged_and_the_disk_goes_on() {
    let (disk, page) = (disk("ram0"), filled(0x77));
    let log = Log::from_here();
    let write = || disk.transfer(BlockOp::Write, 64, whole(&page));
    order("ram0 fail 2");
    assert_eq!([write(), write(), write()], [Ok(()), Err(BlockError::Io), Ok(())]);
    has(&log, "ram0: write of 8 sectors from 64 on failed: the disk reports an error");
    order("ram0 short 1");
    assert_eq!(write(), Err(BlockError::Io));
    order("ram0 busy 1");
    assert_eq!(write(), Ok(()), "it is asked again");
    order("ram0 readonly 1");
    assert!(disk.is_read_only());
    assert_eq!(write(), Err(BlockError::ReadOnly));
    order("ram0 readonly 0");
    order("ram0 fail sectors 70 71");
    assert_eq!(write(), Err(BlockError::Io));
    assert_eq!(disk.transfer(BlockOp::Write, 72, whole(&page)), Ok(()));
    order("ram0 clear");
    assert_eq!(write(), Ok(()));
}

#[test_case]
fn a_bad_sector_costs_its_own_page() {
    let (disk, page) = (disk("ram0"), page());
    order("ram0 fail sectors 20 20");
    ENDS.reset();
    let run = disk.queue().run();
    for nth in 0..8 {
        let sector = nth * PAGE_SECTORS;
        assert_eq!(disk.queue().submit(BlockOp::Read, sector, whole(&page), DONE, Patience::Wait), Ok(()));
    }
    drop(run);
    ENDS.wait(8);
    assert_eq!(ENDS.failed.load(SeqCst), 1);
    order("ram0 clear");
}

#[test_case]
fn a_request_without_answer_ends_in_time() {
    let (disk, page) = (disk("ram0"), page());
    let log = Log::from_here();
    order("ram0 timeout 2");
    order("ram0 hang 1");
    let before = time::ticks().0;
    assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Err(BlockError::Timeout));
    assert!((200..=320).contains(&(time::ticks().0 - before)), "{} ticks", time::ticks().0 - before);
    has(&log, "ram0: read of 8 sectors from 0 on failed: no answer in time");
    assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Ok(()));
    order("ram0 timeout 30");
    assert!(disk.queue().validate());
}

#[test_case]
fn many_failures_have_a_few_lines() {
    let (disk, page) = (disk("ram1"), page());
    order("ram1 fail sectors 0 7");
    order("ram1 latency 0");
    let log = Log::from_here();
    for _ in 0..100 {
        assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Err(BlockError::Io));
    }
    let lines = log.count("ram1: read of 8 sectors from 0 on failed");
    assert_eq!(lines, 5);
    sched::sleep(Duration::from_secs(7)).unwrap();
    has(&log, "ram1: 95 more requests failed: the disk reports an error");
    order("ram1 clear");
    order("ram1 latency 1");
}

#[test_case]
fn diskstats_count_what_was_done() {
    let disk = disk("ram1");
    let before = disk.counts();
    let page = page();
    (0..3).for_each(|_| assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Ok(())));
    let after = disk.counts();
    assert_eq!((after.reads.ended - before.reads.ended, after.reads.sectors - before.reads.sectors), (3, 24));
    let millis = after.reads.millis - before.reads.millis;
    assert!((30..=60).contains(&millis), "{millis} ms");
    assert!(after.busy_millis - before.busy_millis >= 30 && after.in_flight == 0);
    let line = line_of("/proc/diskstats", "   1       1 ram1 ").unwrap();
    assert_eq!(line.split_ascii_whitespace().count(), 20, "{}", line.as_str());
}

#[test_case]
fn a_null_disk_reads_zeros() {
    let (disk, page) = (disk("nullb0"), filled(0xaa));
    assert_eq!(disk.transfer(BlockOp::Write, 0, whole(&page)), Ok(()));
    assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Ok(()));
    assert!(is_all(&page, 0));
}

/// Pages of one request: as many as the smallest disk has.
const TOGETHER: usize = 16;

#[test_case]
fn a_request_costs_few_instructions() {
    let disk = disk("nullb0");
    let pages: [PageRef; MAX_SEGMENTS] = core::array::from_fn(|_| page());
    order("ram0 latency 0");
    let ram = block::find("ram0").unwrap();
    for (name, disk) in [("nullb0", disk), ("ram0", ram)] {
        let queue = disk.queue();
        let (mut single, mut merged) = (u64::MAX, u64::MAX);
        for _ in 0..5 {
            let start = time::cycles_since_entry();
            queue.submit(BlockOp::Read, 0, whole(&pages[0]), DONE, Patience::Wait).unwrap();
            single = single.min(time::cycles_since_entry() - start);
            let start = time::cycles_since_entry();
            let run = queue.run();
            for (sector, page) in (0..).step_by(8).zip(&pages).take(TOGETHER) {
                queue.submit(BlockOp::Read, sector, whole(page), DONE, Patience::Wait).unwrap();
            }
            drop(run);
            merged = merged.min(time::cycles_since_entry() - start);
        }
        klog!("{name}: {single} cycles a read of 4 KiB, {merged} one of {TOGETHER} pages");
        assert!(single < 4000 && merged / TOGETHER as u64 <= single, "instructions, where these are counted");
    }
    order("ram0 latency 1");
}

#[test_case]
fn a_driver_goes_though_a_request_gets_no_answer() {
    let (hung, page) = (disk("ram0"), page());
    ENDS.reset();
    order("ram0 timeout 2");
    order("ram0 hang 1");
    assert_eq!(hung.queue().submit(BlockOp::Read, 0, whole(&page), DONE, Patience::Wait), Ok(()));
    drop(hung);
    let before = time::ticks().0;
    assert_eq!(rmmod("ramdisk"), Ok(()));
    assert_eq!(ENDS.failed.load(SeqCst), 1);
    assert!((200..=320).contains(&(time::ticks().0 - before)), "{} ticks", time::ticks().0 - before);
    let of = |name, value| Param { name, value };
    assert_eq!(insmod("ramdisk", &[of("sizes", "1M,64K")]), Ok(()));
}

#[test_case]
fn a_disk_that_goes_away_fails_what_comes_after() {
    let (disk, page) = (disk("ram1"), page());
    ENDS.reset();
    order("ram1 latency 50");
    assert_eq!(disk.queue().submit(BlockOp::Read, 0, whole(&page), DONE, Patience::Wait), Ok(()));
    order("ram1 gone");
    ENDS.wait(1);
    assert_eq!(ENDS.failed.load(SeqCst), 1);
    order("ram1 latency 1");
    assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Err(BlockError::Gone));
    assert_eq!(disk.flush(), Ok(()), "it has no write cache");
    order("ram1 clear");
    assert_eq!(disk.transfer(BlockOp::Read, 0, whole(&page)), Ok(()));
}
