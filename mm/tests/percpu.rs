//! The caches of pages: magazines, depots, cleared pages; and shrinkers.

mod common;

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use common::{ATOMIC, KERNEL, Kernel, at_rest, boot, order};
use mm::Shrinker;
use mm::testing::{Machine, Rng, TestKernel};
use mm::{AllocError, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, ZoneKind};

/// Allocates and frees a page and a block of eight, as an interrupt handler may at any moment.
fn handler() {
    let memory = TestKernel::memory();
    for order in [Order::ZERO, order(3)] {
        let block = memory.alloc_pages(ATOMIC, order).expect("memory");
        let other = memory.alloc_pages(ATOMIC, order).expect("memory");
        assert_ne!(block, other);
        memory.free_frames(block, order).expect("a right free");
        memory.free_frames(other, order).expect("a right free");
    }
}

/// Runs `f` again and again, interrupted at its first step, its second, and so on to the last; returns how many there
/// are.
fn at_every_step(memory: Kernel, mut f: impl FnMut()) -> usize {
    for step in 0.. {
        let ((), interrupted) = memory.platform().interrupt_at(step, handler, &mut f);
        memory.validate().expect("valid");
        if !interrupted {
            return step;
        }
    }
    unreachable!("a finite number of steps")
}

#[test]
fn an_interrupt_at_any_step_neither_blocks_nor_breaks_the_caches() {
    let memory = boot(64);
    let mut held = Vec::new();
    // From empty magazines through trades with the depot and back: every path, at every step.
    let allocating = at_every_step(*memory, || {
        for _ in 0..200 {
            held.push(memory.alloc_pages(KERNEL, Order::ZERO).expect("memory"));
        }
        assert!(held.iter().all(|page| memory.pages().map().get(*page).is_some()));
        held.sort_unstable();
        assert!(held.windows(2).all(|pair| pair[0] != pair[1]), "a page has two owners");
        for page in held.drain(..) {
            memory.free_frames(page, Order::ZERO).expect("a right free");
        }
    });
    assert!(allocating > 800, "{allocating} steps");
    at_rest(*memory);
}

#[test]
fn a_page_in_a_magazine_cannot_be_freed_again() {
    // Shows: K4
    let memory = boot(32);
    for order in [Order::ZERO, order(1), order(3), Order::MAX] {
        let block = memory.alloc_pages(KERNEL, order).expect("memory");
        memory.free_frames(block, order).expect("a right free");
        assert_eq!(memory.free_frames(block, order), Err(FreeError::DoubleFree));
        assert_eq!(memory.platform().take_reports().len(), 1);
    }
    at_rest(*memory);
}

#[test]
fn freed_pages_wait_in_magazines_and_merge_when_asked() {
    let memory = boot(64);
    let before = memory.pages().zone_stats(ZoneKind::Normal);
    let mut pages = [Pfn::new(0); 1000];
    assert_eq!(memory.pages().alloc_pages_bulk(KERNEL, &mut pages), 1000);
    assert_eq!(memory.free_pages_bulk(&pages), 0);
    let after = memory.pages().zone_stats(ZoneKind::Normal);
    assert_eq!(after.free, before.free);
    assert!(after.cached > 0 && after.depot > 0, "{after:?}");
    memory.drop_caches();
    assert_eq!(memory.pages().zone_stats(ZoneKind::Normal).blocks, before.blocks);
    at_rest(*memory);
}

#[test]
fn a_whole_zone_of_single_pages_merges_again() {
    let holes: Vec<(u32, u32)> = (0..60).map(|at| (at * 700 + 3, at * 700 + 3 + 80 + 9 * at)).collect();
    for machine in [Machine::with_mib(48), common::with_ram(&holes)] {
        let memory = TestKernel::boot(&machine);
        let before = common::blocks(*memory);
        let mut pages = common::hoard(*memory, ATOMIC);
        let mut rng = Rng::new(5);
        // One page stays, in the middle of everything.
        let kept = pages.swap_remove(rng.below(pages.len()));
        while !pages.is_empty() {
            let page = pages.swap_remove(rng.below(pages.len()));
            memory.free_frames(page, Order::ZERO).expect("a right free");
        }
        let normal = memory.pages().zone_stats(ZoneKind::Normal);
        assert!(normal.depot > normal.managed / 2, "{normal:?}: too few wait in the depot to be merged by a walk");
        memory.drop_caches();
        memory.validate().expect("valid");
        assert_eq!(memory.pages().zone_stats(ZoneKind::Normal).depot, 0);
        memory.free_frames(kept, Order::ZERO).expect("a right free");
        memory.drop_caches();
        assert_eq!(common::blocks(*memory), before);
        at_rest(*memory);
    }
}

#[test]
fn bulk_stops_where_memory_ends_and_counts_what_it_refused() {
    let memory = boot(8);
    let mut pages = vec![Pfn::new(0); 4096];
    let got = memory.pages().alloc_pages_bulk(ATOMIC, &mut pages);
    assert!(got < 4096 && memory.pages().free_pages_total() == 0);
    assert_eq!(memory.free_pages_bulk(&pages[..got]), 0);
    assert_eq!(memory.free_pages_bulk(&pages[..3]), 3);
    memory.platform().take_reports();
    at_rest(*memory);
}

/// Asks for this many zeroed pages and gives them back.
fn want_cleared(memory: Kernel, count: usize) {
    for _ in 0..count {
        let page = memory.get_zeroed_page(KERNEL).expect("memory");
        memory.free_page(page).expect("a right free");
    }
}

#[test]
fn pages_cleared_ahead_are_zero_and_still_free() {
    // Shows: S37
    let memory = boot(64);
    let free = memory.pages().free_pages_total();
    let dirty = memory.get_free_pages(KERNEL, Order::ZERO).expect("memory");
    // SAFETY: the page is ours.
    unsafe { dirty.as_mut_ptr::<u8>().write_bytes(0xa5, PAGE_SIZE) };
    memory.free_page(dirty).expect("a right free");
    assert!(!memory.pages().clear_ahead(), "no page was requested");
    want_cleared(*memory, 10);
    let cleared = (0..1000).take_while(|_| memory.pages().clear_ahead()).count();
    assert_eq!(cleared, 10);
    assert_eq!(memory.pages().free_pages_total(), free);
    for _ in 0..2 * cleared {
        let page = memory.get_zeroed_page(KERNEL).expect("memory");
        // SAFETY: the page is ours.
        let bytes = unsafe { core::slice::from_raw_parts(page.as_mut_ptr::<u8>(), PAGE_SIZE) };
        assert!(bytes.iter().all(|&byte| byte == 0));
        // SAFETY: as above.
        unsafe { page.as_mut_ptr::<u8>().write_bytes(0x5a, PAGE_SIZE) };
        memory.free_page(page).expect("a right free");
    }
    memory.drop_caches();
    at_rest(*memory);
}

#[test]
fn the_last_page_may_be_a_cleared_one() {
    // Shows: S4, K1
    let memory = boot(48);
    want_cleared(*memory, 100);
    assert_eq!((0..1000).take_while(|_| memory.pages().clear_ahead()).count(), 64);
    let pages = common::hoard(*memory, ATOMIC);
    assert_eq!(memory.pages().free_pages_total(), 0);
    common::give(*memory, pages);
    memory.platform().take_reports();
    at_rest(*memory);
}

#[test]
fn a_shrinker_that_needs_io_is_no_help_to_gfp_buffer() {
    // Shows: S3, S7
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    static HELD: AtomicUsize = AtomicUsize::new(0);
    struct Buffers;
    impl Shrinker for Buffers {
        fn shrink(&'static self, gfp: GfpFlags) -> usize {
            ASKED.fetch_add(1, Relaxed);
            if !gfp.contains(GfpFlags::IO) || HELD.load(Relaxed) == 0 {
                return 0;
            }
            let page = Pfn::new(HELD.swap(0, Relaxed) as u32);
            TestKernel::memory().free_frames(page, Order::ZERO).map_or(0, |()| 1)
        }
    }
    let memory = boot(8);
    memory.pages().register_shrinker(&Buffers).expect("room for one");
    HELD.store(memory.alloc_pages(KERNEL, Order::ZERO).expect("memory").index(), Relaxed);
    let mut pages = common::hoard(*memory, GfpFlags::BUFFER);
    assert!(ASKED.load(Relaxed) > 0, "the shrinker was not asked");
    assert_ne!(HELD.load(Relaxed), 0, "GFP_BUFFER started I/O");
    pages.push(memory.alloc_pages(KERNEL, Order::ZERO).expect("the flushed page"));
    assert_eq!(HELD.load(Relaxed), 0);
    assert_eq!(memory.alloc_pages(KERNEL, Order::ZERO), Err(AllocError));
    common::give(*memory, pages);
    memory.platform().take_reports();
    at_rest(*memory);
}

#[test]
fn min_free_moves_the_watermarks() {
    // Shows: K1
    let memory = boot(32);
    memory.pages().set_min_free(512);
    let [dma, normal] = [ZoneKind::Dma, ZoneKind::Normal].map(|kind| memory.pages().zone_stats(kind).marks);
    assert!((510..=512).contains(&(dma.min + normal.min)), "{dma:?} {normal:?}");
    assert_eq!((normal.low, normal.high), (2 * normal.min, 3 * normal.min));
    let pages = common::hoard(*memory, KERNEL);
    assert_eq!(memory.pages().zone_stats(ZoneKind::Normal).free, normal.min);
    common::give(*memory, pages);
    memory.platform().take_reports();
    at_rest(*memory);
}

#[test]
fn min_free_beyond_all_memory_leaves_some() {
    let memory = boot(32);
    memory.pages().set_min_free(usize::MAX);
    for kind in [ZoneKind::Dma, ZoneKind::Normal] {
        let stats = memory.pages().zone_stats(kind);
        assert!(stats.marks.min > 0 && stats.marks.high < stats.managed, "{kind:?} {stats:?}");
    }
    let pages = common::hoard(*memory, KERNEL);
    assert!(!pages.is_empty());
    common::give(*memory, pages);
    memory.platform().take_reports();
    at_rest(*memory);
}

/// The owner of each frame, if it has one: the naive model of [`ten_million_page_operations_agree_with_the_model`].
struct Owners {
    of_frame: Vec<u32>,
    blocks: Vec<(Pfn, Order)>,
    pages: usize,
}

impl Owners {
    fn take(&mut self, block: Pfn, order: Order) {
        let frames = &mut self.of_frame[block.index()..block.index() + order.pages() as usize];
        assert!(frames.iter().all(|&owner| owner == 0), "a page has two owners");
        frames.fill(1);
        self.blocks.push((block, order));
        self.pages += frames.len();
    }

    fn give(&mut self, nth: usize) -> (Pfn, Order) {
        let (block, order) = self.blocks.swap_remove(nth);
        self.of_frame[block.index()..block.index() + order.pages() as usize].fill(0);
        self.pages -= order.pages() as usize;
        (block, order)
    }
}

/// A block by the `way`-th of the calls that give one.
fn alloc_somehow(memory: Kernel, gfp: GfpFlags, order: Order, way: usize) -> Option<Pfn> {
    let addr = match way {
        0 => return memory.alloc_pages(gfp, order).ok(),
        1 if order == Order::ZERO => memory.get_zeroed_page(gfp),
        2 if order <= Order::new(4)? => memory.get_dma_pages(gfp, order),
        _ => memory.get_free_pages(gfp, order),
    };
    memory.frame_of(addr.ok()?)
}

/// Takes `count` single pages at once and gives them back at once.
fn bulk_and_back(memory: Kernel, owners: &mut Owners, count: usize) {
    let mut pages = vec![Pfn::new(0); count];
    let got = memory.pages().alloc_pages_bulk(ATOMIC, &mut pages);
    pages[..got].iter().for_each(|&page| owners.take(page, Order::ZERO));
    pages[..got].iter().for_each(|_| {
        owners.give(owners.blocks.len() - 1);
    });
    assert_eq!(memory.free_pages_bulk(&pages[..got]), 0);
}

/// `steps` random allocations and frees of all orders and priorities, with memory between empty and full.
fn run_page_model(seed: u64, steps: usize) {
    let memory = TestKernel::boot(&Machine::with_mib(64));
    let (total, blocks) = (memory.pages().free_pages_total(), common::blocks(*memory));
    let mut owners = Owners { of_frame: vec![0; memory.pages().map().frames() as usize], blocks: Vec::new(), pages: 0 };
    let mut rng = Rng::new(seed);
    let gfps = [KERNEL, ATOMIC, GfpFlags::USER, GfpFlags::BUFFER, ATOMIC | GfpFlags::DMA];
    for step in 0..steps {
        // The goal changes, so that the magazines fill, drain and trade.
        let goal = (step / 5000 * 7919) % total;
        if rng.one_in(64) {
            bulk_and_back(*memory, &mut owners, rng.below(100));
        } else if owners.pages < goal && !rng.one_in(4) {
            let order = order(rng.below(10).min(rng.below(10)).min(rng.below(10)));
            let may_sleep = total - owners.pages > total / 4;
            let gfp = gfps[if may_sleep { rng.below(gfps.len()) } else { 1 }];
            if let Some(block) = alloc_somehow(*memory, gfp, order, rng.below(4)) {
                owners.take(block, order);
            }
        } else if !owners.blocks.is_empty() {
            let nth = rng.below(owners.blocks.len());
            let (block, order) = owners.give(nth);
            let freed = match rng.one_in(2) {
                true => memory.free_frames(block, order),
                false => memory.free_pages(memory.page_address(block).expect("low memory"), order),
            };
            assert_eq!(freed, Ok(()), "seed {seed}, step {step}");
        }
        if step % 500_000 == 0 {
            memory.validate().unwrap_or_else(|broken| panic!("seed {seed}, step {step}: {broken}"));
            assert_eq!(memory.pages().free_pages_total() + owners.pages, total, "seed {seed}, step {step}");
        }
    }
    while !owners.blocks.is_empty() {
        let (block, order) = owners.give(0);
        memory.free_frames(block, order).expect("a right free");
    }
    memory.platform().take_reports();
    memory.drop_caches();
    assert_eq!(common::blocks(*memory), blocks, "seed {seed}");
    at_rest(*memory);
}

#[test]
fn ten_million_page_operations_agree_with_the_model() {
    // Shows: S42, K2
    let soak: usize = std::env::var("SOAK").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    std::thread::scope(|scope| {
        for seed in [1, 2, 3, 4] {
            scope.spawn(move || run_page_model(seed, soak * 2_500_000));
        }
    });
}
