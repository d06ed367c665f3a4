//! Who sleeps for memory, for how long, and what brings it back.
//!
//! Machine: ICOUNT=1 MEM=512M APPEND="mem=32M ramdisk=64M"
//! Machine: ICOUNT=1 MEM=512M APPEND="mem=56M highmem=16M ramdisk=64M"
#![no_std]
#![no_main]
#![feature(allocator_api, custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

extern crate alloc;

mod common;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use core::time::Duration;

use common::modules::{content, write};
use common::{ATOMIC, DMA, Hoard, KERNEL, Log, conserves, nap};
use kapi::{Errno, IoBuf, OpenFlags};
use kernel::fs::OpenFile;
use kernel::mm::{pressure, sleepers};
use kernel::sched::{self, Served, Thread, WaitQueue};
use kernel::sync::preempt::preempt_disable;
use kernel::testing::memory;
use kernel::{fs, time};
use mm::{GfpFlags, Order, PAGE_SIZE, Reclaiming, Shrinker, ZoneKind};
use services::options::Switch;

kernel::test_kernel!(test_main);

/// Whether one page can be had with these flags, and for how long that was tried.
fn request(gfp: GfpFlags) -> (bool, Duration) {
    let start = time::uptime();
    let page = memory().alloc_pages(gfp, Order::ZERO);
    let took = time::uptime() - start;
    page.iter().for_each(|&page| memory().free_frames(page, Order::ZERO).unwrap());
    (page.is_ok(), took)
}

#[test_case]
fn a_line_in_the_log_tells_who_slept_and_what_freed_the_page() {
    // Shows: S3
    conserves(|| {
        let (customer, mut hoard) = (Customer::new("customer"), Hoard::new());
        hoard.fill(KERNEL);
        let log = Log::from_here();
        assert!(!request(KERNEL).0);
        assert!(!log.shows("slept"), "nobody has asked for it");
        sleepers::set_trace(Switch::On);
        assert!(!request(KERNEL).0);
        assert!(log.shows("] slept in vain for "), "with how long, in ticks");
        customer.go();
        nap(50);
        hoard.release(1, |_| true);
        assert_eq!(customer.end(), 1);
        sleepers::set_trace(Switch::Off);
        drop(hoard);
        let line = log.line_after("memory: customer[");
        let line = line.as_str();
        assert!(
            line.contains("] slept for ") && line.contains(" ticks in alloc_pages (gfp=0x7 GFP_KERNEL, order 0): ")
        );
        assert!(line.contains("freed by who had it; called from ") && line.contains("/tests/reclaim.rs:"), "{line}");
    });
}

#[test_case]
fn the_trace_is_switched_by_a_file() {
    const FILE: &str = "/proc/sys/vm/trace_sleep";
    for (text, shown) in [("1", "1\n"), ("0\n", "0\n")] {
        write(FILE, text.as_bytes());
        assert_eq!(&content(FILE)[..], shown.as_bytes());
    }
    let file = fs::open(&fs::Place::root(), FILE, OpenFlags::WRITE, 0).unwrap();
    assert_eq!(file.write_all(b"2\n"), Err(Errno::EINVAL));
    assert_eq!(&content(FILE)[..], b"0\n");
}

/// A thread that asks for one page when it is told to.
struct Customer(Thread);

static GO: AtomicBool = AtomicBool::new(false);
static GO_QUEUE: WaitQueue = WaitQueue::new();

impl Customer {
    /// Starts the thread while there is memory for its stack.
    fn new(name: &str) -> Self {
        GO.store(false, SeqCst);
        let run = || {
            GO_QUEUE.wait_until(|| GO.load(SeqCst)).unwrap();
            i32::from(request(KERNEL).0)
        };
        Self(sched::spawn(name, run).unwrap())
    }

    fn go(&self) {
        GO.store(true, SeqCst);
        GO_QUEUE.wake_all();
    }

    /// 1 if it got the page.
    fn end(self) -> i32 {
        self.0.join().unwrap()
    }
}

/// What the task of a shrinker's caller was said to be, as a number.
static SAID: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Asks for memory when it is asked for some.
struct Asker;

impl Shrinker for Asker {
    fn shrink(&'static self, _: GfpFlags) -> usize {
        let (sleeps, reserve) = (memory().pages().events().sleeps, memory().pages().events().reserve);
        assert!(request(KERNEL).0, "the reserve is there");
        assert_eq!(memory().pages().events().sleeps, sleeps);
        assert!(memory().pages().events().reserve > reserve);
        let said = sched::task::current().reclaiming();
        if said == Reclaiming::Directly {
            SAID.store(said as usize, SeqCst);
        }
        0
    }
}

#[test_case]
fn who_reclaims_for_himself_may_take_the_reserve() {
    // Shows: S5
    static ASKER: Asker = Asker;
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(KERNEL);
        memory().pages().register_shrinker(&ASKER).unwrap();
        assert!(!request(KERNEL).0);
        assert!(memory().pages().unregister_shrinker(&ASKER));
        assert_eq!(SAID.load(SeqCst), Reclaiming::Directly as usize);
        assert_eq!(sched::task::current().reclaiming(), Reclaiming::No);
        drop(hoard);
    });
}

/// A disk that has requests and ends none.
struct Stuck;

impl Served for Stuck {
    fn name(&self) -> &str {
        "stuck0"
    }

    fn open_requests(&self) -> usize {
        7
    }
}

impl Shrinker for Stuck {
    fn shrink(&'static self, _: GfpFlags) -> usize {
        0
    }

    fn pending(&'static self) -> usize {
        7
    }
}

#[test_case]
fn who_serves_a_disk_and_waits_for_it_is_found_out() {
    // Shows: S7
    static STUCK: Stuck = Stuck;
    conserves(|| {
        let (waiter, mut hoard) = (Customer::new("waiter"), Hoard::new());
        let disk: Arc<dyn Served> = Arc::try_new(Stuck).unwrap();
        hoard.fill(KERNEL);
        memory().pages().register_shrinker(&STUCK).unwrap();
        let log = Log::from_here();
        let serving = sched::serving(disk);
        let (granted, took) = request(KERNEL);
        assert!(!granted && took >= Duration::from_secs(1) && took < Duration::from_secs(2));
        assert!(log.shows("which serves stuck0, has waited for memory for"));
        assert!(log.shows("waits for memory: alloc_pages (gfp=0x7 GFP_KERNEL, order 0), called from "));
        assert!(log.shows("memory waits for stuck0, which is to write pages: open requests: 7"));
        assert_eq!(log.count("I/O waits for itself: "), 1);
        // Whoever starts no I/O and waits for none tries a while and goes on.
        let (granted, took) = request(GfpFlags::BUFFER);
        assert!(!granted && took < Duration::from_secs(1));
        assert_eq!(log.count("I/O waits for itself: "), 1);
        drop(serving);
        assert!(sched::served().is_none());
        // Others wait for the disk as long as it takes.
        waiter.go();
        nap(2500);
        hoard.release(2, |_| true);
        assert_eq!(waiter.end(), 1);
        assert_eq!(log.count("I/O waits for itself: "), 1);
        assert!(memory().pages().unregister_shrinker(&STUCK));
        assert!(request(ATOMIC).0);
    });
}

/// The disk, which takes a tick to answer.
fn disk() -> OpenFile {
    fs::open(&fs::Place::root(), "/dev/ram0", OpenFlags::READ | OpenFlags::WRITE, 0).unwrap()
}

/// The byte of which page `index` of the disk consists after round `round`.
fn pattern(index: usize, round: u8) -> u8 {
    (index * 7) as u8 ^ round
}

/// Makes `pages` pages of the disk dirty, from its start on. They lie where all requests can get them.
fn dirty(disk: &OpenFile, pages: usize, round: u8) {
    let _high = pressure::hold_high_memory().unwrap();
    for index in 0..pages {
        let bytes = [pattern(index, round); PAGE_SIZE];
        let written = disk.write_at((index * PAGE_SIZE) as u64, &mut IoBuf::take(&bytes));
        assert_eq!(written, Ok(PAGE_SIZE));
    }
}

/// Checks what the disk holds when nothing of it is in memory any more.
fn check(disk: &OpenFile, pages: usize, round: u8) {
    disk.sync(0..u64::MAX).unwrap();
    memory().drop_caches();
    let mut bytes = [0; PAGE_SIZE];
    for index in 0..pages {
        let read = disk.read_at((index * PAGE_SIZE) as u64, &mut IoBuf::fill(&mut bytes));
        assert_eq!(read, Ok(PAGE_SIZE));
        assert!(bytes.iter().all(|&byte| byte == pattern(index, round)), "page {index}");
    }
}

/// An eighth of memory: less than wakes bdflush.
fn some_pages() -> usize {
    memory().pages().managed_pages() / 8
}

#[test_case]
fn gfp_kernel_sleeps_and_buffers_are_written_until_there_is_memory() {
    // Shows: S3
    let (disk, pages, mut hoard) = (disk(), some_pages(), Hoard::new());
    memory().drop_caches();
    dirty(&disk, pages, 1);
    sleepers::set_trace(Switch::On);
    let (log, before) = (Log::from_here(), memory().pages().events());
    let zones = ZoneKind::ALL.map(|kind| memory().pages().zone_stats(kind));
    let alone = preempt_disable();
    for (zone, flags) in zones.iter().zip([DMA, GfpFlags::empty(), GfpFlags::HIGHMEM]) {
        let is_above = || memory().pages().zone_stats(zone.kind).free > zone.marks.min;
        hoard.fill_while(ATOMIC | flags, is_above);
    }
    drop(alone);
    let start = time::ticks();
    let objects = [(); 64].map(|()| memory().kmalloc(4096, KERNEL).unwrap());
    let (after, took) = (memory().pages().events(), time::ticks().0 - start.0);
    drop(hoard);
    sleepers::set_trace(Switch::Off);
    objects.iter().for_each(|object| memory().kfree(object.as_ptr()).unwrap());
    assert!((1..300).contains(&took), "{took} ticks");
    assert!(after.laundered_direct + after.laundered_background >= before.laundered_direct + 64);
    assert!(after.pages_out >= before.pages_out + 64, "{} pages", after.pages_out - before.pages_out);
    assert_eq!(after.failures, before.failures);
    let line = log.line_after("] slept for ");
    let line = line.as_str();
    assert!(line.contains(" ticks in kmalloc (gfp=0x7 GFP_KERNEL, order 0): pages written to disk: "), "{line}");
    check(&disk, pages, 1);
}

/// What sixteen requests do while some pages of the disk are dirty and nothing else can be had.
fn observed(gfp: GfpFlags, round: u8) -> pressure::Observed {
    let (disk, pages) = (disk(), some_pages());
    memory().drop_caches();
    dirty(&disk, pages, round);
    nap(50);
    let seen = pressure::observe(gfp, 16).unwrap();
    check(&disk, pages, round);
    seen
}

#[test_case]
fn the_flags_decide_who_writes_who_sleeps_and_who_takes_the_reserve() {
    // Shows: S3, S4, S7, S8
    let [kernel, buffer, atomic, user] =
        [KERNEL, GfpFlags::BUFFER, ATOMIC, GfpFlags::USER].map(|gfp| observed(gfp, gfp.bits() as u8));
    for seen in [kernel, user] {
        assert_eq!((seen.granted, seen.failed, seen.from_reserve), (16, 0, 0), "{seen:?}");
        assert!(seen.laundered > 0 && seen.took > Duration::ZERO, "it writes, and waits for that: {seen:?}");
    }
    assert_eq!((buffer.granted, buffer.laundered, buffer.from_reserve), (16, 0, 0), "kswapd writes: {buffer:?}");
    assert!(buffer.sleeps > 0 && buffer.by_kswapd > 0, "{buffer:?}");
    assert_eq!((atomic.granted, atomic.from_reserve), (16, 16), "{atomic:?}");
    assert!(atomic.sleeps + atomic.laundered == 0 && atomic.took < time::TICK, "{atomic:?}");
}
