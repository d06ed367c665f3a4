//! Disks as files: what is in memory of them, and when it goes to the disk.
//!
//! Machine: MEM=64M APPEND="mem=40M ramdisk=4M,1M"
//! Machine: MEM=96M APPEND="mem=72M ramdisk=4M,1M highmem=24M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

#[path = "common/names.rs"]
mod common;

use core::time::Duration;

use common::{READ, ROOT, WRITE, put, text_of};
use kapi::{Errno, IoBuf, OpenFlags, Whence};
use kernel::fs::block::BlockDevice;
use kernel::fs::{self, Kind, Make, OpenFile};
use kernel::mm::page_cache::page_cache;
use kernel::mm::space::FaultAccess;
use kernel::sched::sleep;
use kernel::testing::memory;
use mm::{Order, PAGE_SIZE};

kernel::test_kernel!(test_main);

const RW: OpenFlags = READ.union(WRITE);
/// The two disks, and the bytes of the first.
const DISK: &str = "/dev/ram0";
const SMALL: &str = "/dev/ram1";
const SIZE: u64 = 4 << 20;

fn open(path: &str, flags: OpenFlags) -> OpenFile {
    fs::open(&ROOT, path, flags, 0).unwrap()
}

fn write_at(file: &OpenFile, at: u64, bytes: &[u8]) -> Result<usize, Errno> {
    file.write_at(at, &mut IoBuf::take(bytes))
}

fn read_at(file: &OpenFile, at: u64, bytes: &mut [u8]) -> Result<usize, Errno> {
    file.read_at(at, &mut IoBuf::fill(bytes))
}

/// Dirty pages, those on their way included.
fn unwritten() -> usize {
    let stats = page_cache().stats();
    stats.dirty + stats.writeback
}

/// Everything is on the disks, and nothing of them in memory.
fn start_afresh() {
    fs::sync().unwrap();
    memory().drop_caches();
}

fn nap(millis: u64) {
    sleep(Duration::from_millis(millis)).unwrap();
}

/// Waits until `is_so`, for ten seconds at most.
fn within_ten_seconds(is_so: impl Fn() -> bool) -> bool {
    for _ in 0..1000 {
        if is_so() {
            return true;
        }
        nap(10);
    }
    false
}

/// Sets the nine numbers back when it is dropped.
struct Numbers(kernel::mm::KString);

impl Numbers {
    fn set(numbers: &str) -> Self {
        let before = text_of(&ROOT, "/proc/sys/vm/bdflush").unwrap();
        put("/proc/sys/vm/bdflush", numbers);
        Self(before)
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        put("/proc/sys/vm/bdflush", &self.0);
    }
}

#[test_case]
fn a_disk_has_a_name_numbers_a_size_and_an_end() {
    let stat = fs::stat(&ROOT, DISK).unwrap();
    assert_eq!((stat.kind(), stat.size), (Kind::Block { major: 1, minor: 0 }, 0));
    assert!(fs::readdir(&ROOT, "/dev").unwrap().iter().any(|entry| entry.name.as_str() == "ram1"));
    let disk = open(DISK, RW);
    assert_eq!(disk.llseek(0, Whence::End), Ok(SIZE));
    assert_eq!(disk.llseek(1, Whence::End), Err(Errno::EINVAL));
    let mut bytes = [1; 100];
    assert_eq!((read_at(&disk, SIZE - 10, &mut bytes), read_at(&disk, SIZE, &mut bytes)), (Ok(10), Ok(0)));
    assert_eq!((write_at(&disk, SIZE - 10, &bytes), write_at(&disk, SIZE, &bytes)), (Ok(10), Err(Errno::ENOSPC)));
    assert_eq!((write_at(&disk, SIZE, &[]), disk.truncate(0)), (Ok(0), Err(Errno::EINVAL)));
    assert_eq!(fs::open(&ROOT, "/dev/ram7", READ, 0).err(), Some(Errno::ENOENT));
}

#[test_case]
fn a_name_made_elsewhere_leads_to_the_same_bytes() {
    let block = |minor| Make::Block { major: 1, minor };
    fs::mknod(&ROOT, "/tmp/disk", 0o600, block(0)).unwrap();
    fs::mknod(&ROOT, "/tmp/none", 0o600, block(9)).unwrap();
    let (here, there) = (open("/tmp/disk", RW), open(DISK, RW));
    let mut bytes = [0; 7];
    assert_eq!(write_at(&here, 4090, b"between"), Ok(7));
    assert_eq!((read_at(&there, 4090, &mut bytes), &bytes), (Ok(7), b"between"));
    assert_eq!(fs::open(&ROOT, "/tmp/none", READ, 0).err(), Some(Errno::ENXIO));
    assert_eq!(fs::open(&ROOT, "/dev/x", RW | OpenFlags::CREATE, 0).err(), Some(Errno::ENOENT));
    fs::unlink(&ROOT, "/tmp/disk").unwrap();
    fs::unlink(&ROOT, "/tmp/none").unwrap();
}

#[test_case]
fn one_at_a_time_claims_a_disk() {
    let claimed = open(DISK, READ | OpenFlags::EXCLUSIVE);
    assert_eq!(fs::open(&ROOT, DISK, READ | OpenFlags::EXCLUSIVE, 0).err(), Some(Errno::EBUSY));
    let device = BlockDevice::of(1, 0).unwrap();
    assert_eq!(device.claim().err(), Some(Errno::EBUSY));
    drop(open(DISK, RW));
    drop(claimed);
    drop(device.claim().unwrap());
    drop(open(DISK, READ | OpenFlags::EXCLUSIVE));
}

#[test_case]
fn what_is_written_is_on_the_disk_after_a_sync() {
    start_afresh();
    let disk = open(DISK, RW);
    let page = |n: u64| [n as u8 ^ 0x5a; PAGE_SIZE];
    for n in 0..100 {
        assert_eq!(write_at(&disk, n * PAGE_SIZE as u64, &page(n)), Ok(PAGE_SIZE));
    }
    assert!(unwritten() >= 100);
    assert_eq!(disk.sync(0..u64::MAX), Ok(()));
    assert_eq!(unwritten(), 0);
    // Nothing of it is in memory any more: it is read.
    memory().drop_caches();
    let (reads, mut bytes) = (page_cache().stats().events.reads, [0; PAGE_SIZE]);
    for n in 0..100 {
        assert_eq!(read_at(&disk, n * PAGE_SIZE as u64, &mut bytes), Ok(PAGE_SIZE));
        assert!(bytes == page(n), "page {n}");
    }
    assert!(page_cache().stats().events.reads >= reads + 100);
}

#[test_case]
fn who_opens_it_to_sync_each_write_leaves_nothing_dirty() {
    start_afresh();
    for flag in [OpenFlags::SYNC, OpenFlags::DATA_SYNC] {
        let disk = open(SMALL, RW | flag | OpenFlags::APPEND);
        disk.write_all(&[7; 10_000]).unwrap();
        assert_eq!(disk.llseek(0, Whence::Current), Ok(10_000), "nothing is appended to a disk");
        assert_eq!(write_at(&disk, 20_000, b"there"), Ok(5));
        assert_eq!(unwritten(), 0);
    }
}

#[test_case]
fn clean_pages_are_given_back_and_dirty_ones_stay() {
    start_afresh();
    let disk = open(DISK, RW);
    let (mut byte, before) = ([0], page_cache().stats());
    assert_eq!(read_at(&disk, 1 << 20, &mut byte), Ok(1));
    assert_eq!(write_at(&disk, 2 << 20, b"dirty"), Ok(5));
    let after = page_cache().stats();
    assert!(after.buffers >= before.buffers + 2 && after.dirty == before.dirty + 1);
    memory().drop_caches();
    let left = page_cache().stats();
    assert_eq!((left.buffers, left.dirty), (1, 1), "the dirty one alone");
    disk.sync(0..u64::MAX).unwrap();
    memory().drop_caches();
    assert_eq!(page_cache().stats().buffers, 0);
}

#[test_case]
fn a_mapped_page_is_the_files_own_and_stays_while_it_is_mapped() {
    start_afresh();
    let disk = open(DISK, RW);
    let source = disk.page_source().unwrap();
    let frame = source.page(3, FaultAccess::Write).unwrap();
    let mut bytes = [0; 3];
    let window = memory().kmap(frame).unwrap();
    assert_eq!(write_at(&disk, 3 * PAGE_SIZE as u64, b"abc"), Ok(3));
    // SAFETY: the page shows there, and we have a reference.
    assert_eq!(unsafe { core::slice::from_raw_parts(window.as_mut_ptr::<u8>(), 3) }, b"abc");
    memory().kunmap(frame).unwrap();
    assert_eq!(source.sync(3..4), Ok(()));
    memory().drop_caches();
    assert_eq!((page_cache().stats().buffers, source.page(3, FaultAccess::Read)), (1, Ok(frame)));
    assert!(source.page(SIZE / PAGE_SIZE as u64, FaultAccess::Read).is_err());
    for _ in 0..2 {
        memory().free_frames(frame, Order::ZERO).unwrap();
    }
    assert_eq!((read_at(&disk, 3 * PAGE_SIZE as u64, &mut bytes), &bytes), (Ok(3), b"abc"));
}

#[test_case]
fn kupdated_writes_what_is_old_and_bdflush_what_is_much() {
    start_afresh();
    let disk = open(DISK, RW);
    {
        // Each second, what is a second old.
        let _numbers = Numbers::set("100 500 0 0 100 100 100 20 0");
        assert_eq!(write_at(&disk, 0, b"old"), Ok(3));
        nap(100);
        assert_eq!(unwritten(), 1);
        assert!(within_ten_seconds(|| unwritten() == 0));
    }
    {
        let _numbers = Numbers::set("1 500 0 0 0 3000 100 0 0");
        for n in 0..SIZE / PAGE_SIZE as u64 {
            assert_eq!(write_at(&disk, n * PAGE_SIZE as u64, &[1; PAGE_SIZE]), Ok(PAGE_SIZE));
        }
        // More than one percent wakes it: two are some 240 pages.
        assert!(within_ten_seconds(|| unwritten() < 300), "{}", unwritten());
    }
}

#[test_case]
fn kupdated_looks_as_often_as_it_is_told_and_never_if_told_so() {
    start_afresh();
    let disk = open(DISK, RW);
    let _numbers = Numbers::set("100 500 0 0 0 100 100 20 0");
    assert_eq!(write_at(&disk, 0, b"old"), Ok(3));
    // Far beyond its age, and the usual five seconds.
    nap(7_000);
    assert_eq!(unwritten(), 1);
    put("/proc/sys/vm/bdflush", "100 500 0 0 50 100 100 20 0");
    assert!(within_ten_seconds(|| unwritten() == 0));
}

#[test_case]
fn the_nine_numbers_are_checked_and_kept() {
    let _numbers = Numbers::set("30 500 0 0 500 3000 60 20 0");
    let file = open("/proc/sys/vm/bdflush", RW);
    for wrong in ["", "101", "30 0", "x", "30 500 0 0 500 3000 60 20 1", "30 500 0 0 500 3000 60 20 0 0", "-1"] {
        assert_eq!(file.write(&mut IoBuf::take(wrong.as_bytes())).err(), Some(Errno::EINVAL), "{wrong}");
    }
    file.write_all(b"40 600\n").unwrap();
    assert_eq!(text_of(&ROOT, "/proc/sys/vm/bdflush").unwrap().as_str(), "40\t600\t0\t0\t500\t3000\t60\t20\t0\n");
}
