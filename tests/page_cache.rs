//! The initial files by DMA and from memory, and the page cache over them.
//!
//! Machine: FILES=ramdisk MEM=24M CPU=max
//! Machine: APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};

use common::{EVERYTHING, Hoard, nap};
use kapi::{Errno, IoBuf};
use kernel::board::fw_cfg::{self, DmaError};
use kernel::fs::archive;
use kernel::fs::cached_file::CachedFile;
use kernel::fs::content::Content;
use kernel::fs::source::{HostFile, Ramdisk, Source};
use kernel::mm::page_cache::page_cache;
use kernel::mm::space::{FaultAccess, ObjectError, PageSource};
use kernel::mm::{PageBlock, VmArea, ramdisk};
use kernel::sched::spawn;
use kernel::testing::memory;
use mm::own::Buffer;
use mm::{GfpFlags, Order, PAGE_SIZE, Pfn, PhysAddr, Tag, ZoneKind};
use services::tar::{Kind, Member};

kernel::test_kernel!(test_main);

/// Bytes of the file that tests make up: the last page is not full.
const SIZE: u64 = 10 * PAGE_SIZE as u64 + 100;
/// Where it begins in its source: not at a page.
const START: u64 = 512;
/// An address without RAM or device.
const NOWHERE: PhysAddr = PhysAddr::new(0x80_0000_0000);

/// A source whose bytes count up, that takes its time, that counts how often it is read, and fails when told.
struct Counting {
    reads: AtomicUsize,
    /// Whatever reaches behind this byte fails.
    fails_at: AtomicU64,
    is_slow: AtomicBool,
}

static COUNTING: Counting =
    Counting { reads: AtomicUsize::new(0), fails_at: AtomicU64::new(u64::MAX), is_slow: AtomicBool::new(false) };

fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9) >> 11) as u8
}

impl Source for Counting {
    fn len(&self) -> u64 {
        START + SIZE
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), Errno> {
        self.reads.fetch_add(1, SeqCst);
        if self.is_slow.load(SeqCst) {
            nap(20);
        }
        if offset + into.len() as u64 > self.fails_at.load(SeqCst) {
            return Err(Errno::EIO);
        }
        into.iter_mut().zip(offset..).for_each(|(byte_there, at)| *byte_there = byte(at));
        Ok(())
    }
}

/// The made-up file.
fn counted() -> Arc<CachedFile> {
    COUNTING.reads.store(0, SeqCst);
    CachedFile::new("counted", &COUNTING, START, SIZE).unwrap()
}

fn reads() -> usize {
    COUNTING.reads.load(SeqCst)
}

/// Whether what is read at `position` is right to the end of `bytes`, or of the file.
fn is_right(file: &CachedFile, position: u64, bytes: &mut [u8]) -> bool {
    let expected = bytes.len().min((SIZE - position) as usize);
    let read = file.read(position, &mut IoBuf::fill(bytes)).unwrap();
    read == expected && bytes[..read].iter().zip(START + position..).all(|(&found, at)| found == byte(at))
}

/// Pages that are free once all caches are empty.
fn free_pages() -> usize {
    nap(30);
    while memory().drop_caches() > 0 {}
    memory().pages().free_pages_total()
}

/// Pages of files in the page cache.
fn pages() -> usize {
    page_cache().stats().cached
}

/// A page as a mapping gets it.
fn shared(file: &CachedFile, index: u64) -> Result<Pfn, ObjectError> {
    file.page(index, FaultAccess::Read)
}

fn give_back(frame: Pfn) {
    memory().free_frames(frame, Order::ZERO).unwrap();
}

fn host_file() -> Option<fw_cfg::FileRef> {
    fw_cfg::file(fw_cfg::ROOTFS)
}

/// All of `source`, for good.
fn whole(source: &dyn Source) -> &'static [u8] {
    let mut area = VmArea::new(source.len() as usize).unwrap();
    for (nth, chunk) in area.bytes_mut()[..source.len() as usize].chunks_mut(PAGE_SIZE).enumerate() {
        source.read((nth * PAGE_SIZE) as u64, chunk).unwrap();
    }
    let start = area.addr().as_mut_ptr::<u8>();
    core::mem::forget(area);
    // SAFETY: the area is never freed, and nobody else knows it.
    unsafe { core::slice::from_raw_parts(start, source.len() as usize) }
}

/// Calls `visit` with each file of the archive in `source`.
fn each_file(source: &dyn Source, visit: &mut dyn FnMut(&Member<'_>)) {
    archive::for_each(source, &mut |member| {
        if member.kind == Kind::File {
            visit(member);
        }
    })
    .unwrap();
}

#[test_case]
fn the_archive_is_the_same_by_ports_by_dma_and_in_memory() {
    let Some(file) = host_file() else {
        // Without the host's help the files are where the bootloader put them.
        assert!(!ramdisk().is_empty());
        return;
    };
    assert!(ramdisk().is_empty() && fw_cfg::has_dma());
    let size = (file.size as usize).min(300 << 10);
    let mut by_ports = VmArea::new(size).unwrap();
    assert_eq!(fw_cfg::read_at(file, 0, &mut by_ports.bytes_mut()[..size]), size);
    let mut by_dma = PageBlock::new(Order::ZERO, GfpFlags::KERNEL).unwrap();
    for start in (0..size).step_by(PAGE_SIZE) {
        let len = PAGE_SIZE.min(size - start);
        HostFile(file).read(start as u64, &mut by_dma.bytes_mut()[..len]).unwrap();
        assert!(by_dma.bytes()[..len] == by_ports.bytes()[start..start + len], "at {start}");
    }
}

#[test_case]
fn members_and_their_contents_are_the_same_from_either_source() {
    static HOST: spin::Once<HostFile> = spin::Once::new();
    static MEMORY: spin::Once<Ramdisk> = spin::Once::new();
    let Some(file) = host_file().filter(|_| memory().pages().managed_pages() > 16 << 8) else { return };
    let host = HOST.call_once(|| HostFile(file));
    let copied = MEMORY.call_once(|| Ramdisk(whole(host)));
    let mut members = 0;
    each_file(host, &mut |member| {
        let same = archive::find(copied.0, member.name.unwrap()).unwrap();
        let file = CachedFile::new("x", host, member.start, member.size).unwrap();
        let mut chunk = PageBlock::new(Order::ZERO, GfpFlags::KERNEL).unwrap();
        let mut at = 0;
        while at < same.len() {
            let read = file.read(at as u64, &mut IoBuf::fill(chunk.bytes_mut())).unwrap();
            assert!(read > 0 && chunk.bytes()[..read] == same[at..at + read], "{:?} at {at}", member.name);
            at += read;
        }
        members += 1;
    });
    let mut count = 0;
    each_file(copied, &mut |_| count += 1);
    assert!(members == count && count > 5, "{members} {count}");
}

#[test_case]
fn a_request_that_cannot_be_carried_out_says_so_and_the_next_one_works() {
    let Some(file) = host_file() else { return };
    let mut page = PageBlock::new(Order::ZERO, GfpFlags::KERNEL).unwrap();
    let mut first = [0; 64];
    assert_eq!(fw_cfg::read_at(file, 0, &mut first), first.len());
    let to = memory().frame_of(page.addr()).unwrap().phys();
    let read = |offset, to, length| {
        // SAFETY: the page is ours, and elsewhere nothing is there.
        unsafe { fw_cfg::read_dma(file, offset, to, length) }
    };
    for (offset, at, length) in [(0, NOWHERE, 4096), (file.size, to, 1), (file.size - 1, to, 2), (u32::MAX, to, 4096)] {
        assert_eq!(read(offset, at, length), Err(DmaError), "{offset} {at:?} {length}");
        assert_eq!(read(0, to, 64), Ok(()));
        assert_eq!(page.bytes()[..64], first);
        page.bytes_mut().fill(0);
    }
    assert_eq!(HostFile(file).read(u64::MAX, &mut first), Err(Errno::EIO));
    assert_eq!(HostFile(file).read(file.size.into(), &mut first), Err(Errno::EIO));
}

#[test_case]
fn what_is_read_is_kept_with_zeros_behind_the_end_in_pages_of_the_page_cache() {
    let file = counted();
    let (mut bytes, before) = ([0; 3000], pages());
    for position in [0, 1, 4000, 5000, 9 * PAGE_SIZE as u64 + 4090, SIZE - 1] {
        assert!(is_right(&file, position, &mut bytes), "{position}");
    }
    // Each page was read once, and some ahead.
    let read = reads();
    assert!((4..=11).contains(&read) && pages() - before == read, "{read}");
    assert!(is_right(&file, 0, &mut bytes) && reads() == read);
    assert_eq!(file.read(SIZE, &mut IoBuf::fill(&mut bytes)), Ok(0));
    assert_eq!(file.read(u64::MAX, &mut IoBuf::fill(&mut bytes)), Ok(0));
    let last = shared(&file, 10).unwrap();
    assert_eq!(memory().pages().map().get(last).unwrap().tag(), Tag::PageCache);
    let zone = memory().pages().direct().zone_of(last);
    let has_high = memory().pages().zone_stats(ZoneKind::HighMem).managed > 0;
    assert_eq!(zone == ZoneKind::HighMem, has_high);
    let window = memory().kmap(last).unwrap();
    // SAFETY: the page shows there, and we have a reference.
    let shown = unsafe { core::slice::from_raw_parts(window.as_mut_ptr::<u8>(), PAGE_SIZE) };
    assert!(shown[..100].iter().zip(START + SIZE - 100..).all(|(&found, at)| found == byte(at)));
    assert!(shown[100..].iter().all(|&byte| byte == 0));
    memory().kunmap(last).unwrap();
    give_back(last);
    assert_eq!(shared(&file, 11), Err(ObjectError::Beyond));
}

#[test_case]
fn those_that_want_a_missing_page_read_it_once() {
    let (file, before) = (counted(), pages());
    COUNTING.is_slow.store(true, SeqCst);
    let readers = [(); 4].map(|()| {
        let file = file.clone();
        spawn("reader", move || i32::from(!is_right(&file, 100, &mut [0; 200]))).unwrap()
    });
    assert_eq!(readers.map(|reader| reader.join().unwrap()), [0; 4]);
    COUNTING.is_slow.store(false, SeqCst);
    // Each of those that are there, of which some were read ahead.
    assert_eq!(reads(), pages() - before);
}

#[test_case]
fn what_cannot_be_read_is_an_error_and_is_tried_again() {
    let file = counted();
    let mut bytes = [0; 200];
    let (before, kept) = (free_pages(), pages());
    COUNTING.fails_at.store(0, SeqCst);
    assert_eq!(file.read(0, &mut IoBuf::fill(&mut bytes)), Err(Errno::EIO));
    assert_eq!(shared(&file, 3), Err(ObjectError::Io));
    assert_eq!((free_pages(), pages()), (before, kept));
    // What comes before the failure counts.
    COUNTING.fails_at.store(START + PAGE_SIZE as u64, SeqCst);
    assert!(is_right(&file, 0, &mut bytes));
    let near_end = PAGE_SIZE as u64 - 50;
    assert_eq!(file.read(near_end, &mut IoBuf::fill(&mut bytes)), Ok(50));
    COUNTING.fails_at.store(u64::MAX, SeqCst);
}

#[test_case]
fn only_what_nobody_maps_is_given_back_and_all_of_it_in_the_end() {
    let start = free_pages();
    let file = counted();
    let mapped = [0, 5].map(|page| shared(&file, page).unwrap());
    let mut bytes = [0; 100];
    for page in 0..10 {
        assert!(is_right(&file, page * PAGE_SIZE as u64, &mut bytes));
    }
    let kept = pages();
    free_pages();
    assert!(kept >= 10 && pages() >= 2 && pages() <= kept - 8);
    // Those that stayed need no reading.
    COUNTING.reads.store(0, SeqCst);
    assert!(is_right(&file, 0, &mut bytes) && is_right(&file, 5 * PAGE_SIZE as u64, &mut bytes) && reads() == 0);
    assert_eq!(shared(&file, 0), Ok(mapped[0]));
    give_back(mapped[0]);
    mapped.into_iter().for_each(give_back);
    drop(file);
    assert_eq!(free_pages(), start);
}

#[test_case]
fn short_memory_takes_the_page_cache_before_a_process_goes_without() {
    let file = counted();
    for page in 0..10 {
        assert!(is_right(&file, page * PAGE_SIZE as u64, &mut [0; 10]));
    }
    let before = pages();
    let mut hoard = Hoard::new();
    // As urgent as it gets, so without reclaim; then as a process asks.
    hoard.fill(EVERYTHING);
    let full = hoard.pages().len();
    hoard.release(8, |_| true);
    hoard.fill(GfpFlags::HIGHUSER);
    let (got, after) = (hoard.pages().len(), pages());
    drop(hoard);
    assert!(before >= 10 && after < before, "{before} {after} {full} {got}");
    assert!(is_right(&file, 0, &mut [0; 10]));
}
