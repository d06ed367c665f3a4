//! GFP flags and zones: which zones serve a request, down to which floor.
//!
//! And what happens when memory is short.

mod common;

use core::cell::Cell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use core::time::Duration;
use std::time::Instant;

use common::{ATOMIC, DMA, KERNEL, Kernel, blocks, boot, boot_high, give, hoard, order};
use mm::pages::AtomicFloor;
use mm::testing::{Machine, TestKernel};
use mm::{AllocError, CacheFlags, CacheRef, CacheSpec, Context, CtorFlags, GfpFlags, Order, Pfn, Platform, ZoneKind};

const BUFFER: GfpFlags = GfpFlags::BUFFER;
const USER: GfpFlags = GfpFlags::USER;
const HIGHUSER: GfpFlags = GfpFlags::HIGHUSER;

/// The zones that serve `gfp` until it gets no more, in turn, and the pages left free in each zone.
fn drain(memory: Kernel, gfp: GfpFlags) -> (Vec<ZoneKind>, [usize; ZoneKind::COUNT]) {
    let pages = hoard(memory, gfp);
    let mut turns: Vec<_> = pages.iter().map(|&page| memory.pages().direct().zone_of(page)).collect();
    turns.dedup();
    let free = ZoneKind::ALL.map(|kind| memory.pages().zone_stats(kind).free);
    give(memory, pages);
    (turns, free)
}

#[test]
fn each_collection_drains_its_zones_down_to_its_floor() {
    // Shows: S4, S5, S8, S9, S10, S12, S13, K1, K5
    use ZoneKind::{Dma, HighMem, Normal};
    let memory = boot_high(48, 32);
    let stats = ZoneKind::ALL.map(|kind| memory.pages().zone_stats(kind));
    let [full, min, low] =
        [stats.map(|zone| zone.free), stats.map(|zone| zone.marks.min), stats.map(|zone| zone.marks.low)];
    assert!(full.iter().zip(low).all(|(&full, low)| full > low));
    let rows: [(GfpFlags, &[ZoneKind], [usize; 3]); 10] = [
        (KERNEL, &[Normal, Dma], [min[0], min[1], full[2]]),
        (BUFFER, &[Normal, Dma], [min[0], min[1], full[2]]),
        (USER, &[Normal, Dma], [low[0], low[1], full[2]]),
        (HIGHUSER, &[HighMem, Normal, Dma], low),
        (KERNEL | GfpFlags::HIGHMEM, &[HighMem, Normal, Dma], min),
        (ATOMIC, &[Normal, Dma], [0, 0, full[2]]),
        (ATOMIC | GfpFlags::HIGHMEM, &[HighMem, Normal, Dma], [0, 0, 0]),
        (ATOMIC | DMA, &[Dma], [0, full[1], full[2]]),
        (KERNEL | DMA, &[Dma], [min[0], full[1], full[2]]),
        (HIGHUSER | DMA, &[Dma], [low[0], full[1], full[2]]),
    ];
    for (gfp, turns, left) in rows {
        assert_eq!(drain(*memory, gfp), (turns.to_vec(), left), "{gfp:?}");
    }
    common::at_rest(*memory);
}

#[test]
fn dma_requests_fail_while_normal_memory_is_free() {
    // Shows: S13, S10
    let memory = boot(32);
    let pages = hoard(*memory, ATOMIC | DMA);
    assert!(memory.pages().zone_stats(ZoneKind::Normal).free > 1000);
    assert_eq!(memory.alloc_pages(ATOMIC | DMA, Order::ZERO), Err(AllocError));
    assert_eq!(memory.get_dma_pages(KERNEL, Order::ZERO), Err(AllocError));
    assert_eq!(memory.kmalloc(100, ATOMIC | DMA), Err(AllocError));
    assert!(memory.kmalloc(100, ATOMIC).is_ok());
    assert_eq!(memory.platform().take_reports().len(), 3);
    give(*memory, pages);
    let page = memory.get_dma_pages(KERNEL, order(4)).expect("memory");
    assert!(memory.frame_of(page).is_some_and(|frame| memory.pages().direct().zone_of(frame) == ZoneKind::Dma));
}

#[test]
fn plain_requests_fall_back_to_dma_memory() {
    // Shows: S13
    let memory = boot(20);
    while memory.pages().zone_stats(ZoneKind::Normal).free > memory.pages().zone_stats(ZoneKind::Normal).marks.min {
        memory.alloc_pages(KERNEL, Order::ZERO).expect("memory");
    }
    let frame = memory.alloc_pages(KERNEL, Order::ZERO).expect("there is DMA memory");
    assert!(frame < mm::DMA_END);
}

#[test]
fn without_high_memory_its_flag_changes_nothing() {
    // Shows: S11, K5
    let memory = boot(32);
    for (with, without) in
        [(HIGHUSER, USER), (ATOMIC | GfpFlags::HIGHMEM, ATOMIC), (KERNEL | GfpFlags::HIGHMEM, KERNEL)]
    {
        assert_eq!(drain(*memory, with), drain(*memory, without));
        assert!(memory.get_free_pages(with, Order::ZERO).is_ok_and(|page| memory.free_page(page).is_ok()));
        assert!(memory.kmalloc(10, with).is_ok_and(|object| memory.kfree(object.as_ptr()).is_ok()));
        memory.drop_caches();
    }
}

#[test]
fn the_atomic_floor_of_2_4_ends_below_a_quarter_of_min() {
    // Shows: K1
    let memory = TestKernel::boot(&Machine { atomic_floor: AtomicFloor::QuarterOfMin, ..Machine::with_mib(128) });
    let expected = [memory.pages().zone_stats(ZoneKind::Dma).marks.min / 4 - 1, 55, 0];
    assert_eq!(drain(*memory, ATOMIC).1, expected);
}

#[test]
fn a_block_is_granted_only_if_the_floor_remains() {
    // Shows: K1
    let memory = boot(8);
    let min = memory.pages().zone_stats(ZoneKind::Dma).marks.min;
    let mut held = Vec::new();
    while memory.pages().zone_stats(ZoneKind::Dma).free > min + 512 + 100 {
        held.push(memory.alloc_pages(KERNEL, Order::ZERO).expect("memory"));
    }
    assert!(memory.pages().zone_stats(ZoneKind::Dma).blocks[9] > 0);
    let block = memory.alloc_pages(KERNEL, Order::MAX).expect("the floor remains");
    assert_eq!(memory.alloc_pages(KERNEL, order(7)), Err(AllocError), "128 pages would break the floor");
    assert!(memory.alloc_pages(ATOMIC, order(6)).is_ok());
    memory.free_frames(block, Order::MAX).expect("a right free");
    give(*memory, held);
}

#[test]
fn a_request_without_hope_ends() {
    // Shows: K17, S44
    let memory = boot(8);
    let pages = hoard(*memory, ATOMIC);
    for (gfp, shown) in [(KERNEL, "0x7 GFP_KERNEL"), (BUFFER, "0x3 GFP_BUFFER"), (USER, "0x5 GFP_USER")] {
        let sleeps = memory.pages().events().sleeps;
        assert_eq!(memory.alloc_pages(gfp, Order::ZERO), Err(AllocError));
        assert!(memory.pages().events().sleeps > sleeps, "it has waited");
        let expected = format!("__alloc_pages: 0-order allocation failed. (gfp={shown})");
        assert_eq!(memory.platform().take_reports(), [expected]);
    }
    assert_eq!(memory.pages().events().failures, 4);
    give(*memory, pages);
    assert!(memory.alloc_pages(KERNEL, Order::ZERO).is_ok());
}

#[test]
fn a_sleeper_is_woken_by_a_free_in_another_thread() {
    // Shows: S3
    let memory = boot(8);
    let memory: Kernel = *memory;
    let mut pages = hoard(memory, KERNEL);
    let nap = Duration::from_secs(20);
    memory.platform().set_nap(nap);
    let sleeps = memory.pages().events().sleeps;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            TestKernel::enter(memory);
            memory.alloc_pages(KERNEL, Order::ZERO)
        });
        while memory.pages().events().sleeps == sleeps {
            std::thread::yield_now();
        }
        give(memory, pages.pop());
        let page = waiter.join().expect("no panic").expect("a page was freed");
        pages.push(page);
    });
    assert!(start.elapsed() < nap, "no free woke the waiter");
    give(memory, pages);
    common::at_rest(memory);
}

#[test]
fn sleepers_are_served_in_the_order_in_which_they_came() {
    // Shows: S3
    const WAITERS: usize = 5;
    let memory = boot(8);
    let memory: Kernel = *memory;
    let mut pages = hoard(memory, KERNEL);
    memory.platform().set_nap(Duration::from_secs(20));
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..WAITERS)
            .map(|_| {
                let sleeps = memory.pages().events().sleeps;
                let waiter = scope.spawn(|| {
                    TestKernel::enter(memory);
                    memory.alloc_pages(KERNEL, Order::ZERO)
                });
                wait_for(|| memory.pages().events().sleeps > sleeps);
                waiter
            })
            .collect();
        // Each page that comes back goes to the waiter that came first, however often the others try.
        for turn in 0..WAITERS {
            give(memory, pages.pop());
            wait_for(|| waiters[turn].is_finished());
            memory.platform().wake_waiters();
            assert!(waiters[turn + 1..].iter().all(|waiter| !waiter.is_finished()));
        }
        pages.extend(waiters.into_iter().map(|waiter| waiter.join().expect("no panic").expect("its page")));
    });
    give(memory, pages);
    common::at_rest(memory);
}

#[test]
fn a_waiter_that_the_free_memory_does_not_serve_delays_no_other() {
    let memory = boot(20);
    let memory: Kernel = *memory;
    let mut pages = hoard(memory, KERNEL);
    let of = |kind| move |page: &Pfn| memory.pages().direct().zone_of(*page) == kind;
    let normal = pages.iter().position(of(ZoneKind::Normal)).map(|at| pages.swap_remove(at)).expect("normal memory");
    memory.platform().set_nap(Duration::from_secs(20));
    std::thread::scope(|scope| {
        let [dma, any] = [KERNEL | DMA, KERNEL].map(|gfp| {
            let sleeps = memory.pages().events().sleeps;
            let waiter = scope.spawn(move || {
                TestKernel::enter(memory);
                memory.alloc_pages(gfp, Order::ZERO)
            });
            wait_for(|| memory.pages().events().sleeps > sleeps);
            waiter
        });
        give(memory, [normal]);
        pages.push(any.join().expect("no panic").expect("a page of its zone was freed"));
        assert!(!dma.is_finished());
        let dma_page = pages.iter().position(of(ZoneKind::Dma)).map(|at| pages.swap_remove(at));
        give(memory, dma_page);
        pages.push(dma.join().expect("no panic").expect("a page of its zone was freed"));
    });
    give(memory, pages);
    common::at_rest(memory);
}

/// Lets other threads run until `ready` holds.
fn wait_for(ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(10), "it never happens");
        std::thread::yield_now();
    }
}

#[test]
fn memory_far_beyond_64_gib_with_holes_and_odd_ends_is_managed_whole() {
    // Shows: S12
    const GIB: u32 = 1 << 18;
    let ranges = [
        (1, 159),
        (256, 4096 + 77),
        (3 * GIB + 5, 4 * GIB - 3),
        (66 * GIB + 1, 67 * GIB + 511),
        (600 * GIB, 600 * GIB + 1),
    ];
    let memory = TestKernel::boot(&common::with_ram(&ranges));
    let total: u32 = ranges.iter().map(|(start, end)| end - start).sum();
    assert_eq!(memory.pages().managed_pages(), total as usize);
    let before = blocks(*memory);
    memory.validate().expect("valid");
    // Block by block from the largest order down, every frame is handed out once.
    let mut held = Vec::new();
    for order in Order::all().rev() {
        while let Ok(block) = memory.alloc_pages(ATOMIC, order) {
            let (start, end) = (block.as_u32(), block.as_u32() + order.pages());
            assert!(ranges.iter().any(|&(from, to)| from <= start && end <= to), "{start:#x} is no RAM");
            held.push((block, order));
        }
    }
    held.sort_unstable();
    assert!(held.windows(2).all(|pair| pair[0].0.as_u32() + pair[0].1.pages() <= pair[1].0.as_u32()));
    let slabs = common::slab_pages(*memory);
    assert_eq!(held.iter().map(|(_, order)| order.pages() as usize).sum::<usize>() + slabs, total as usize);
    assert!(held.iter().any(|(block, _)| block.as_u32() == 600 * GIB));
    for (block, order) in held {
        memory.free_frames(block, order).expect("a right free");
    }
    memory.drop_caches();
    assert_eq!(blocks(*memory), before);
    memory.validate().expect("valid");
}

thread_local! {
    static DESTROYED: Cell<usize> = const { Cell::new(0) };
}

fn construct(_: NonNull<u8>, _: &str, _: CtorFlags) {}

fn destruct(_: NonNull<u8>, _: &str, _: CtorFlags) {
    DESTROYED.set(DESTROYED.get() + 1);
}

/// A cache that holds many empty slabs.
fn hollow_cache(memory: Kernel, flags: CacheFlags) -> CacheRef<mm::testing::HostPlatform> {
    let spec = CacheSpec { name: "hollow", size: 4096, offset: 0, flags, ctor: Some(construct), dtor: Some(destruct) };
    let cache = memory.kmem_cache_create(&spec).expect("a cache");
    let objects: Vec<_> = (0..400).map(|_| memory.kmem_cache_alloc(cache, KERNEL).expect("memory")).collect();
    for object in objects {
        memory.kmem_cache_free(cache, object).expect("a right free");
    }
    cache
}

#[test]
fn kernel_requests_reclaim_empty_slabs_and_atomic_ones_do_not() {
    // Shows: S3, S4, S22, S27
    let memory = boot(8);
    let cache = hollow_cache(*memory, CacheFlags::empty());
    assert_eq!(DESTROYED.get(), 0);
    let pages = hoard(*memory, ATOMIC);
    let before = memory.pages().events();
    memory
        .platform()
        .in_context(Context::Interrupt, || assert_eq!(memory.alloc_pages(ATOMIC, Order::ZERO), Err(AllocError)));
    let after = memory.pages().events();
    assert_eq!((after.reclaims, after.sleeps), (before.reclaims, before.sleeps));
    assert_eq!(memory.pages().reclaim(ATOMIC), 0);
    let page = memory.alloc_pages(KERNEL, Order::ZERO).expect("400 empty slabs can go");
    assert_eq!(memory.pages().events().sleeps, before.sleeps, "it need not wait");
    assert!(memory.pages().events().reclaimed_pages >= 400 && DESTROYED.get() == 400);
    give(*memory, pages.into_iter().chain([page]));
    memory.kmem_cache_destroy(cache).expect("empty");
}

#[test]
fn caches_that_are_not_to_be_reaped_keep_their_slabs_when_memory_is_short() {
    // Shows: S22
    let memory = boot(8);
    let cache = hollow_cache(*memory, CacheFlags::NO_REAP);
    memory.drop_caches();
    let pages = hoard(*memory, ATOMIC);
    assert_eq!(memory.alloc_pages(KERNEL, Order::ZERO), Err(AllocError));
    assert_eq!(memory.drop_caches(), 0);
    assert_eq!(memory.kmem_cache_shrink(cache), 400, "asked for by name, it shrinks");
    give(*memory, pages);
}

#[test]
fn kswapd_is_woken_at_low_and_works_to_high() {
    let memory = boot(8);
    let marks = memory.pages().zone_stats(ZoneKind::Dma).marks;
    let cache = hollow_cache(*memory, CacheFlags::empty());
    assert!(!memory.platform().take_reclaimer_woken() && !memory.pages().is_unbalanced());
    let mut pages: Vec<Pfn> = Vec::new();
    while !memory.platform().take_reclaimer_woken() {
        pages.push(memory.alloc_pages(KERNEL, Order::ZERO).expect("memory"));
    }
    assert_eq!(memory.pages().zone_stats(ZoneKind::Dma).free, marks.low);
    memory.pages().balance();
    assert!(!memory.pages().is_unbalanced() && memory.pages().zone_stats(ZoneKind::Dma).free >= marks.high);
    give(*memory, pages);
    memory.kmem_cache_destroy(cache).expect("empty");
}

#[test]
fn balance_ends_when_there_is_nothing_to_reclaim() {
    let memory = boot(8);
    let pages = hoard(*memory, KERNEL);
    memory.pages().balance();
    assert!(memory.pages().is_unbalanced());
    give(*memory, pages);
}

#[test]
fn no_call_that_may_not_sleep_ever_waits() {
    // Shows: S4, S28
    let memory = boot(8);
    let memory: Kernel = *memory;
    let pages = hoard(memory, ATOMIC);
    memory.platform().set_nap(Duration::from_secs(60));
    let done = AtomicBool::new(false);
    memory.platform().in_context(Context::Interrupt, || {
        assert!(memory.get_free_pages(ATOMIC, order(3)).is_err() && memory.kmalloc(100, ATOMIC).is_err());
        assert!(memory.kzalloc(100_000, ATOMIC | DMA).is_err() && memory.get_zeroed_page(ATOMIC).is_err());
        done.store(true, SeqCst);
    });
    assert!(done.load(SeqCst) && memory.platform().take_reports().len() == 4);
    give(memory, pages);
}
