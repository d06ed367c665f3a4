//! When memory is short: who stops, who sleeps, who is woken, who gives back.
//!
//! Machine: MEM=32M
//! Machine: MEM=96M APPEND="highmem=64M"
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::test_runner)]
#![reexport_test_harness_main = "test_main"]
#![expect(missing_docs, clippy::unwrap_used, reason = "tests: the name says what is shown, a failure may panic")]

mod common;

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use core::time::Duration;

use common::{ATOMIC, DMA, EVERYTHING, Hoard, KERNEL, Log, conserves, in_interrupt, nap, order};
use kernel::mm::KernelPlatform;
use kernel::sched::{self, Thread, WaitQueue};
use kernel::sync::preempt::preempt_disable;
use kernel::testing::memory;
use kernel::time;
use mm::pages::Watermarks;
use mm::{CacheFlags, CacheRef, CacheSpec, CtorFlags, GfpFlags, Order, PAGE_SIZE, ZoneKind};

kernel::test_kernel!(test_main);

const HIGHMEM: GfpFlags = GfpFlags::HIGHMEM;

/// Free pages of each zone.
fn free() -> [usize; ZoneKind::COUNT] {
    ZoneKind::ALL.map(|kind| memory().pages().zone_stats(kind).free)
}

/// One watermark of each zone.
fn marks(which: impl Fn(Watermarks) -> usize) -> [usize; ZoneKind::COUNT] {
    ZoneKind::ALL.map(|kind| which(memory().pages().zone_stats(kind).marks))
}

/// A thread that allocates one page with GFP_KERNEL when it is told to, and frees it.
struct Customer(Thread);

static GO: AtomicBool = AtomicBool::new(false);
static GO_QUEUE: WaitQueue = WaitQueue::new();
/// How the allocation ended: 0 not yet, 1 with a page, 2 without.
static SERVED: AtomicU32 = AtomicU32::new(0);

impl Customer {
    /// Starts the thread while there is memory for its stack.
    fn new() -> Self {
        GO.store(false, SeqCst);
        SERVED.store(0, SeqCst);
        Self(sched::spawn("customer", buy).unwrap())
    }

    /// Lets it allocate, and waits until it has had time to fall asleep over it.
    fn go(&self) {
        GO.store(true, SeqCst);
        GO_QUEUE.wake_all();
        nap(50);
    }

    fn served(&self) -> u32 {
        SERVED.load(SeqCst)
    }

    fn end(self) -> u32 {
        assert_eq!(self.0.join(), Ok(0));
        SERVED.load(SeqCst)
    }
}

fn buy() -> i32 {
    GO_QUEUE.wait_until(|| GO.load(SeqCst)).unwrap();
    let page = memory().alloc_pages(KERNEL, Order::ZERO);
    SERVED.store(if page.is_ok() { 1 } else { 2 }, SeqCst);
    page.map_or(0, |page| i32::from(memory().free_frames(page, Order::ZERO).is_err()))
}

#[test_case]
fn each_priority_stops_at_its_watermark() {
    // Shows: S4, S5, S8, K1
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(GfpFlags::HIGHUSER);
        assert_eq!(free(), marks(|marks| marks.low));
        hoard.fill(GfpFlags::BUFFER | HIGHMEM);
        assert_eq!(free(), marks(|marks| marks.min));
        let page = memory().alloc_pages(KERNEL | HIGHMEM, Order::ZERO);
        assert!(page.is_err(), "GFP_KERNEL stops where GFP_BUFFER does");
        // The reserve is for those that cannot wait, to the last page.
        let sleeps = memory().pages().events().sleeps;
        hoard.fill(ATOMIC | DMA);
        assert_eq!(free()[0], 0);
        hoard.fill(ATOMIC);
        assert_eq!(free()[..2], [0, 0]);
        hoard.fill(EVERYTHING);
        assert_eq!(free(), [0, 0, 0]);
        assert_eq!(memory().pages().events().sleeps, sleeps, "GFP_ATOMIC never sleeps");
    });
}

#[test_case]
fn gfp_atomic_reaches_the_last_page_in_interrupt_context() {
    // Shows: S4, K1
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(EVERYTHING);
        hoard.release(1, |page| memory().pages().direct().zone_of(page) != ZoneKind::HighMem);
        in_interrupt(|| {
            let last = memory().alloc_pages(ATOMIC, Order::ZERO).unwrap();
            assert_eq!(memory().pages().free_pages_total(), 0);
            assert!(memory().alloc_pages(ATOMIC, Order::ZERO).is_err());
            memory().free_frames(last, Order::ZERO).unwrap();
        });
    });
}

#[test_case]
fn gfp_atomic_reaches_what_freed_areas_left_behind() {
    // Shows: S4, K1
    conserves(|| {
        let mut hoard = Hoard::new();
        let area = memory().vmalloc(64 * PAGE_SIZE).unwrap();
        memory().vfree(area).unwrap();
        assert!(memory().areas().lazy_pages() >= 64, "they wait for a flush");
        // One CPU flushes anywhere, so nobody has to be able to wait.
        let pinned = preempt_disable();
        hoard.fill(EVERYTHING);
        drop(pinned);
        assert_eq!((memory().areas().lazy_pages(), memory().pages().free_pages_total()), (0, 0));
    });
}

#[test_case]
fn a_request_that_may_sleep_fails_in_the_end() {
    // Shows: K17
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(KERNEL);
        for order in [Order::ZERO, order(3), Order::MAX] {
            let (log, events, start) = (Log::from_here(), memory().pages().events(), time::uptime());
            assert!(memory().alloc_pages(KERNEL, order).is_err());
            assert!(memory().pages().events().sleeps > events.sleeps, "it slept before it gave up");
            assert_eq!(memory().pages().events().failures, events.failures + 1);
            assert!(time::uptime() - start < Duration::from_secs(5));
            assert!(log.shows("-order allocation failed."));
        }
    });
}

#[test_case]
fn a_flood_of_failures_is_counted_and_not_printed() {
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(EVERYTHING);
        // What came before is told of by then.
        nap(1100);
        let (log, failures) = (Log::from_here(), memory().pages().events().failures);
        in_interrupt(|| (0..500).for_each(|_| assert!(memory().alloc_pages(ATOMIC, Order::ZERO).is_err())));
        nap(1100);
        assert_eq!(memory().pages().events().failures, failures + 500);
        assert_eq!(log.count("0-order allocation failed."), 10);
        assert!(log.shows("__alloc_pages: 490 more failures"));
        assert!(memory().alloc_pages(ATOMIC, Order::ZERO).is_err());
        assert_eq!(log.count("0-order allocation failed."), 11, "shown again");
    });
}

#[test_case]
fn a_sleeping_request_is_woken_by_a_free() {
    // Shows: S3
    conserves(|| {
        let customer = Customer::new();
        let mut hoard = Hoard::new();
        hoard.fill(KERNEL);
        let sleeps = memory().pages().events().sleeps;
        customer.go();
        assert_eq!(customer.served(), 0);
        assert!(memory().pages().events().sleeps > sleeps, "it sleeps");
        // Begin just behind a tick, so that no clock wakes it before the free does.
        let tick = time::ticks();
        while time::ticks() == tick {}
        hoard.release(1, |_| true);
        sched::yield_now().unwrap();
        assert_eq!((customer.served(), time::ticks().0), (1, tick.0 + 1), "woken at once");
        assert_eq!(customer.end(), 1);
    });
}

#[test_case]
fn without_a_free_a_sleeping_request_gives_up() {
    // Shows: K17
    conserves(|| {
        let customer = Customer::new();
        let mut hoard = Hoard::new();
        hoard.fill(KERNEL);
        customer.go();
        assert_eq!(customer.served(), 0);
        assert_eq!(customer.end(), 2);
    });
}

#[test_case]
fn a_page_of_another_zone_does_not_serve_a_dma_request() {
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(ATOMIC);
        hoard.release(64, |page| memory().pages().direct().zone_of(page) == ZoneKind::Normal);
        assert!(memory().alloc_pages(KERNEL | DMA, Order::ZERO).is_err());
        let page = memory().alloc_pages(KERNEL, Order::ZERO).unwrap();
        memory().free_frames(page, Order::ZERO).unwrap();
    });
}

/// Destructor calls in all, and those made by kswapd.
static DESTROYED: AtomicU32 = AtomicU32::new(0);
static BY_KSWAPD: AtomicU32 = AtomicU32::new(0);

fn construct(_: NonNull<u8>, _: &str, _: CtorFlags) {}

fn destroy(_: NonNull<u8>, _: &str, _: CtorFlags) {
    DESTROYED.fetch_add(1, SeqCst);
    BY_KSWAPD.fetch_add(u32::from(sched::current().name().as_str() == "kswapd"), SeqCst);
}

const SLABS: usize = 200;

fn empty_cache(name: &str, flags: CacheFlags) -> CacheRef<KernelPlatform> {
    let spec = CacheSpec { name, size: 4000, offset: 0, flags, ctor: Some(construct), dtor: Some(destroy) };
    memory().kmem_cache_create(&spec).unwrap()
}

/// As many objects as [`SLABS`] slabs have: one each. A cache with a destructor keeps a slab that gets empty.
fn take_objects(cache: CacheRef<KernelPlatform>) -> [NonNull<u8>; SLABS] {
    [(); SLABS].map(|()| memory().kmem_cache_alloc(cache, KERNEL).unwrap())
}

/// A cache with [`SLABS`] empty slabs of one page.
fn cache_of_empty_slabs(name: &str, flags: CacheFlags) -> CacheRef<KernelPlatform> {
    let cache = empty_cache(name, flags);
    take_objects(cache).iter().for_each(|&object| memory().kmem_cache_free(cache, object).unwrap());
    assert_eq!(slab_pages(name), SLABS);
    cache
}

fn slab_pages(name: &str) -> usize {
    let stats = memory().objects().caches().find(|cache| cache.name.as_str() == name).unwrap();
    stats.slabs * stats.pages_per_slab
}

#[test_case]
fn kswapd_reaps_empty_slabs_when_memory_falls_below_low() {
    // Shows: S3, S22
    conserves(|| {
        let cache = cache_of_empty_slabs("reaped", CacheFlags::empty());
        let spared = cache_of_empty_slabs("spared", CacheFlags::NO_REAP);
        let (held, kept) = (slab_pages("reaped"), slab_pages("spared"));
        BY_KSWAPD.store(0, SeqCst);
        let mut hoard = Hoard::new();
        let above_low = || {
            memory().pages().zone_stats(ZoneKind::Normal).free > memory().pages().zone_stats(ZoneKind::Normal).marks.low
        };
        // A request that never sleeps reclaims nothing by itself: it only says that memory is short.
        let before = memory().pages().free_pages_total();
        hoard.fill_while(ATOMIC, above_low);
        nap(100);
        assert_eq!((slab_pages("reaped"), slab_pages("spared")), (0, kept));
        assert!(memory().pages().free_pages_total() + hoard.pages().len() >= before + held);
        assert!(BY_KSWAPD.load(SeqCst) > 0);
        drop(hoard);
        memory().kmem_cache_destroy(cache).unwrap();
        memory().kmem_cache_destroy(spared).unwrap();
    });
}

#[test_case]
fn a_request_that_may_sleep_reclaims_for_itself() {
    // Shows: S3
    conserves(|| {
        let cache = empty_cache("reaped", CacheFlags::empty());
        let objects = take_objects(cache);
        let mut hoard = Hoard::new();
        hoard.fill(KERNEL);
        nap(50);
        // kswapd has found nothing and sleeps; what comes free now is for the first that needs it.
        objects.iter().for_each(|&object| memory().kmem_cache_free(cache, object).unwrap());
        let (destroyed, by_kswapd) = (DESTROYED.load(SeqCst), BY_KSWAPD.load(SeqCst));
        let sleeps = memory().pages().events().sleeps;
        let page = memory().alloc_pages(KERNEL, Order::ZERO).unwrap();
        assert_eq!(DESTROYED.load(SeqCst), destroyed + SLABS as u32);
        assert_eq!((BY_KSWAPD.load(SeqCst), memory().pages().events().sleeps), (by_kswapd, sleeps));
        memory().free_frames(page, Order::ZERO).unwrap();
        drop(hoard);
        memory().kmem_cache_destroy(cache).unwrap();
    });
}

#[test_case]
fn flags_matter_only_when_a_cache_must_grow() {
    // Shows: S30
    conserves(|| {
        let spec = CacheSpec { name: "roomy", size: 64, offset: 0, flags: CacheFlags::empty(), ctor: None, dtor: None };
        let cache = memory().kmem_cache_create(&spec).unwrap();
        let first = memory().kmem_cache_alloc(cache, KERNEL).unwrap();
        let mut hoard = Hoard::new();
        hoard.fill(ATOMIC);
        let events = memory().pages().events();
        let second = memory().kmem_cache_alloc(cache, KERNEL | DMA).unwrap();
        assert_eq!(
            (memory().pages().events().sleeps, memory().pages().events().failures),
            (events.sleeps, events.failures)
        );
        drop(hoard);
        memory().kmem_cache_free(cache, first).unwrap();
        memory().kmem_cache_free(cache, second).unwrap();
        memory().kmem_cache_destroy(cache).unwrap();
    });
}

#[test_case]
fn every_call_fails_cleanly_when_nothing_is_left() {
    // Shows: S43
    conserves(|| {
        let mut hoard = Hoard::new();
        hoard.fill(EVERYTHING);
        assert!(memory().kmalloc(131_072, KERNEL).is_err());
        assert!(memory().kmalloc(65_536, ATOMIC).is_err());
        assert!(memory().get_free_pages(KERNEL, order(2)).is_err());
        assert!(memory().get_zeroed_page(ATOMIC).is_err());
        assert!(memory().vmalloc(100_000).is_err());
        assert!(sched::spawn("nobody", || 0).is_err());
        assert_eq!(memory().pages().free_pages_total(), 0);
        assert_eq!(memory().validate(), Ok(()));
    });
}
