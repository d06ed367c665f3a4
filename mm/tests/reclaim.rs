//! Who reclaims, for whom, and who waits for what.
//!
//! Shrinkers stand for caches of disks.

mod common;

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;

use common::{ATOMIC, KERNEL, Kernel, blocks, boot, boot_high, give, hoard};
use mm::pages::{Balance, PageEvent};
use mm::{AllocError, GfpFlags, Holder, Order, Pfn, Platform, Reclaiming, Shrinker, ZoneKind};

const BUFFER: GfpFlags = GfpFlags::BUFFER;
const USER: GfpFlags = GfpFlags::USER;

/// A disk's cache: some pages are clean, and go when they are asked for; dirty ones are written first, if that may be.
struct Disk {
    memory: Kernel,
    clean: Mutex<Vec<Pfn>>,
    dirty: Mutex<Vec<Pfn>>,
    /// Pages that are being written, for ever.
    stuck: AtomicUsize,
    /// Calls that find the disk busy and get nothing.
    seeks: AtomicUsize,
    /// The flags of each call.
    asked: Mutex<Vec<GfpFlags>>,
    /// What it does each time that it is asked.
    work: Mutex<Option<fn(Kernel)>>,
}

impl Disk {
    fn register(memory: Kernel) -> &'static Self {
        let disk = Box::leak(Box::new(Self {
            memory,
            clean: Mutex::default(),
            dirty: Mutex::default(),
            stuck: AtomicUsize::new(0),
            seeks: AtomicUsize::new(0),
            asked: Mutex::default(),
            work: Mutex::default(),
        }));
        memory.pages().register_shrinker(disk).expect("room for a shrinker");
        disk
    }

    fn asked(&self) -> Vec<GfpFlags> {
        core::mem::take(&mut *self.asked.lock().expect("no panic"))
    }

    fn set_work(&self, work: fn(Kernel)) {
        *self.work.lock().expect("no panic") = Some(work);
    }

    fn fill(&self, which: &Mutex<Vec<Pfn>>, pages: impl IntoIterator<Item = Pfn>) {
        which.lock().expect("no panic").extend(pages);
    }
}

impl Shrinker for Disk {
    fn shrink(&'static self, gfp: GfpFlags) -> usize {
        self.asked.lock().expect("no panic").push(gfp);
        if let Some(work) = *self.work.lock().expect("no panic") {
            work(self.memory);
        }
        if self.seeks.fetch_update(SeqCst, SeqCst, |seeks| seeks.checked_sub(1)).is_ok() {
            return 0;
        }
        let mut clean = self.clean.lock().expect("no panic");
        if clean.is_empty() && gfp.contains(GfpFlags::IO) {
            let mut dirty = self.dirty.lock().expect("no panic");
            self.memory.pages().count_pages(PageEvent::Launder, dirty.len());
            self.memory.pages().count_pages(PageEvent::PageOut, dirty.len());
            clean.append(&mut dirty);
        }
        let given = clean.len().min(32);
        self.memory.pages().count_pages(PageEvent::Scan, given);
        give(self.memory, clean.drain(..given));
        given
    }

    fn holder(&self) -> Holder {
        Holder::PageCache
    }

    fn pending(&'static self) -> usize {
        self.stuck.load(SeqCst)
    }
}

static DONE: AtomicBool = AtomicBool::new(false);

#[test]
fn a_task_that_reclaims_takes_the_reserve_and_never_reclaims_again() {
    // Shows: S3
    let memory = boot(8);
    let disk = Disk::register(*memory);
    disk.set_work(|memory| {
        let (platform, before) = (memory.platform(), memory.pages().events());
        assert_eq!(platform.reclaiming(), Reclaiming::Directly);
        let page = memory.alloc_pages(KERNEL, Order::ZERO).expect("the reserve is there");
        let after = memory.pages().events();
        assert_eq!((after.reclaims, after.sleeps), (before.reclaims, before.sleeps));
        assert_eq!((after.reserve - before.reserve, memory.pages().reclaim(KERNEL)), (1, 0));
        memory.free_frames(page, Order::ZERO).expect("a right free");
        DONE.store(true, SeqCst);
    });
    let pages = hoard(*memory, KERNEL);
    assert!(DONE.load(SeqCst), "the last request has asked the disk");
    assert_eq!(memory.platform().reclaiming(), Reclaiming::No);
    give(*memory, pages);
    memory.validate().expect("valid");
}

#[test]
fn with_nothing_left_a_task_that_reclaims_is_refused_at_once() {
    let memory = boot(8);
    let pages = hoard(*memory, ATOMIC);
    let before = memory.pages().events();
    let refused = memory.pages().helps_reclaim(|| memory.alloc_pages(KERNEL, Order::ZERO));
    assert_eq!(refused, Err(AllocError));
    let after = memory.pages().events();
    assert_eq!((after.sleeps, after.reclaims), (before.sleeps, before.reclaims));
    give(*memory, pages);
}

#[test]
fn gfp_buffer_starts_no_writing_and_waits_for_none() {
    // Shows: S7
    let memory = boot(8);
    let disk = Disk::register(*memory);
    let mut pages = hoard(*memory, KERNEL);
    disk.asked();
    disk.fill(&disk.dirty, pages.drain(..100));
    disk.stuck.store(5, SeqCst);
    let before = memory.pages().events();
    assert_eq!(memory.alloc_pages(BUFFER, Order::ZERO), Err(AllocError), "all that is left is dirty");
    let after = memory.pages().events();
    assert_eq!((after.laundered_direct, after.pages_out), (before.laundered_direct, before.pages_out));
    assert_eq!(after.sleeps - before.sleeps, 16, "it has slept, but not for what is being written");
    assert!(disk.asked().iter().all(|gfp| *gfp == BUFFER));
    // The same request, allowed to start I/O.
    disk.stuck.store(0, SeqCst);
    pages.push(memory.alloc_pages(KERNEL, Order::ZERO).expect("dirty pages are written"));
    assert_eq!(memory.pages().events().laundered_direct, before.laundered_direct + 100);
    // Clean pages serve both.
    pages.push(memory.alloc_pages(BUFFER, Order::ZERO).expect("clean pages are given back"));
    give(*memory, pages);
    memory.pages().reclaim(KERNEL);
    memory.pages().reclaim(KERNEL);
    memory.validate().expect("valid");
}

#[test]
fn a_request_waits_longer_while_pages_are_being_written_but_not_for_ever() {
    let memory = boot(8);
    memory.platform().set_nap(core::time::Duration::from_micros(1));
    let disk = Disk::register(*memory);
    let pages = hoard(*memory, KERNEL);
    disk.stuck.store(1, SeqCst);
    let sleeps = memory.pages().events().sleeps;
    assert_eq!(memory.alloc_pages(KERNEL, Order::ZERO), Err(AllocError));
    let naps = memory.pages().events().sleeps - sleeps;
    assert!((4000..5000).contains(&naps), "{naps}");
    give(*memory, pages);
}

#[test]
fn a_request_that_waits_for_itself_fails_when_it_is_told_so() {
    let memory = boot(8);
    let disk = Disk::register(*memory);
    let pages = hoard(*memory, KERNEL);
    disk.stuck.store(1, SeqCst);
    memory.platform().take_slept();
    memory.platform().give_up_after(3);
    memory.platform().take_shortages();
    assert_eq!(memory.alloc_pages(USER, Order::ZERO), Err(AllocError));
    let slept = memory.platform().take_slept();
    assert_eq!((slept.len(), slept[0].waiting.naps, slept[0].result), (1, 3, Err(AllocError)));
    assert_eq!(memory.platform().take_shortages(), 0, "nobody else can help");
    give(*memory, pages);
}

#[test]
fn a_request_that_slept_tells_what_freed_its_memory() {
    // Shows: S3
    let memory = boot(8);
    let disk = Disk::register(*memory);
    let mut pages = hoard(*memory, KERNEL);
    memory.platform().take_slept();
    disk.fill(&disk.dirty, pages.drain(..3));
    disk.seeks.store(2, SeqCst);
    pages.push(memory.alloc_pages(KERNEL, Order::ZERO).expect("written at last"));
    let slept = memory.platform().take_slept();
    assert_eq!((slept.len(), slept[0].waiting.naps, slept[0].result), (1, 2, Ok(())));
    let text = "slept for 0 ticks in alloc_pages (gfp=0x7 GFP_KERNEL, order 0): \
                pages written to disk: 3, freed by the page cache: 3";
    assert_eq!(slept[0].to_string(), text);
    give(*memory, pages);
    memory.validate().expect("valid");
}

#[test]
fn reclaim_asks_no_further_holder_when_one_has_given_enough() {
    let memory = boot(8);
    let (first, second) = (Disk::register(*memory), Disk::register(*memory));
    let mut pages = hoard(*memory, ATOMIC);
    first.asked();
    second.asked();
    first.fill(&first.clean, pages.drain(..40));
    assert_eq!(memory.pages().reclaim(KERNEL), 32);
    assert_eq!((first.asked().len(), second.asked().len()), (1, 0));
    assert_eq!(memory.pages().reclaim(KERNEL), 8);
    assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
    give(*memory, pages);
}

#[test]
fn a_large_block_costs_a_bounded_part_of_what_could_be_given_back() {
    let memory = boot(32);
    let disk = Disk::register(*memory);
    let pages = hoard(*memory, ATOMIC);
    // Every second page: no two of them make a block.
    let mut pages = pages;
    pages.sort_unstable();
    let (odd, even): (Vec<_>, Vec<_>) = pages.into_iter().partition(|page| page.as_u32() % 2 == 1);
    disk.fill(&disk.clean, odd);
    disk.asked();
    assert_eq!(memory.alloc_pages(KERNEL, common::order(1)), Err(AllocError));
    let rounds = disk.asked().len();
    assert!((60..70).contains(&rounds), "{rounds}");
    give(*memory, even);
    while memory.pages().reclaim(KERNEL) > 0 {}
    memory.validate().expect("valid");
}

#[test]
fn kswapd_reclaims_for_the_zone_that_lacks() {
    let memory = boot_high(48, 32);
    let disk = Disk::register(*memory);
    let start = blocks(*memory);
    let mut held = Vec::new();
    let marks = memory.pages().zone_stats(ZoneKind::HighMem).marks;
    while memory.pages().zone_stats(ZoneKind::HighMem).free > marks.low {
        held.push(memory.alloc_pages(GfpFlags::HIGHUSER, Order::ZERO).expect("memory"));
    }
    disk.asked();
    assert_eq!(memory.pages().balance(), Balance::Hopeless);
    assert_eq!(disk.asked(), [KERNEL | GfpFlags::HIGHMEM], "one round, for high memory");
    disk.stuck.store(1, SeqCst);
    assert_eq!(memory.pages().balance(), Balance::Pending);
    disk.stuck.store(0, SeqCst);
    disk.fill(&disk.clean, held.drain(..));
    assert_eq!(memory.pages().balance(), Balance::Restored);
    assert!(memory.pages().zone_stats(ZoneKind::HighMem).free >= marks.high);
    let events = memory.pages().events();
    assert!(events.stolen_background > 0 && events.stolen_background == events.scanned_background);
    assert_eq!((events.stolen_direct, events.background_rounds), (0, 3));
    while memory.pages().reclaim(KERNEL) > 0 {}
    memory.drop_caches();
    assert_eq!(blocks(*memory), start);
}

#[test]
fn kswapd_pauses_though_pages_come_back_and_go_again() {
    let memory = boot(8);
    let disk = Disk::register(*memory);
    let pages = hoard(*memory, ATOMIC);
    disk.asked();
    disk.fill(&disk.clean, pages);
    // Somebody takes each page at once.
    disk.set_work(|memory| while memory.alloc_pages(ATOMIC | GfpFlags::NOWARN, Order::ZERO).is_ok() {});
    memory.pages().balance();
    let rounds = disk.asked().len();
    assert_eq!(rounds, 64, "of 2000 pages that could be had");
}
