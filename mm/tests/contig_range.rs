//! Frames that the caller names: all of a range, or none of them.

mod common;

use std::collections::BTreeSet;
use std::sync::Barrier;

use common::{ATOMIC, KERNEL, Kernel, at_rest, blocks, boot, boot_high, give, order, state};
use mm::objects::{DebugChoice, DebugFlags};
use mm::page::PageState;
use mm::testing::{Machine, Rng, TestKernel};
use mm::{Context, FreeError, GfpFlags, Order, PAGE_SIZE, Pfn, PfnRange, RangeError, ZoneKind};

fn range(start: u32, end: u32) -> PfnRange {
    PfnRange::new(Pfn::new(start), Pfn::new(end))
}

fn free(memory: Kernel, frames: PfnRange) -> Result<(), FreeError> {
    // SAFETY: the test has them and uses them no more, or they are wrong, which is told.
    unsafe { memory.free_contig_range(frames) }
}

fn is_free(memory: Kernel, frame: u32) -> bool {
    matches!(memory.pages().map().block_of(Pfn::new(frame)), Some((_, PageState::Free(_))))
}

/// Runs a call that must be refused, with so many reports, and change nothing.
fn refused<T: PartialEq + core::fmt::Debug>(memory: Kernel, expected: T, reports: usize, call: impl FnOnce() -> T) {
    let before = state(memory);
    assert_eq!(call(), expected);
    assert_eq!(memory.platform().take_reports().len(), reports, "{expected:?}");
    assert_eq!(state(memory), before, "{expected:?}");
    assert_eq!(memory.validate(), Ok(()));
}

/// What a test has of a machine's frames.
struct Model {
    memory: Kernel,
    frames: u32,
    /// Taken before the test: no frame of these is ever free.
    others: BTreeSet<u32>,
    blocks: Vec<(Pfn, Order)>,
    ranges: Vec<PfnRange>,
    rng: Rng,
}

impl Model {
    fn new(memory: Kernel, mib: u32, seed: u64) -> Self {
        let frames = mib * 256;
        let others = (0..frames).filter(|&frame| !is_free(memory, frame)).collect();
        Self { memory, frames, others, blocks: Vec::new(), ranges: Vec::new(), rng: Rng::new(seed) }
    }

    fn taken(&self) -> BTreeSet<u32> {
        let blocks = self.blocks.iter().flat_map(|(block, order)| block.as_u32()..block.as_u32() + order.pages());
        let ranges = self.ranges.iter().flat_map(|range| range.start.as_u32()..range.end.as_u32());
        self.others.iter().copied().chain(blocks).chain(ranges).collect()
    }

    fn random_range(&mut self) -> PfnRange {
        let most = 1 << self.rng.below(11);
        let start = self.rng.below(self.frames as usize) as u32;
        range(start, (start + 1 + self.rng.below(most) as u32).min(self.frames))
    }

    fn alloc_range(&mut self) {
        let (frames, gfp) = (self.random_range(), if self.rng.one_in(2) { ATOMIC } else { KERNEL });
        let first = self.taken().range(frames.start.as_u32()..frames.end.as_u32()).next().copied();
        let result = self.memory.alloc_contig_range(frames, gfp);
        match (first, result) {
            // Frame 0 belongs to no zone.
            (Some(0), Err(RangeError::NotManaged(frame))) => {
                assert_eq!(frame, Pfn::new(0));
                self.memory.platform().take_reports();
            }
            (Some(frame), result) => assert_eq!(result, Err(RangeError::InTheWay(Pfn::new(frame))), "{frames:?}"),
            (None, Err(RangeError::NoMemory)) => assert_eq!(gfp, KERNEL, "GFP_ATOMIC may have all"),
            (None, result) => {
                assert_eq!(result, Ok(()), "{frames:?}");
                self.ranges.push(frames);
            }
        }
    }

    /// Frees a range whole, in two parts, or page by page.
    fn free_range(&mut self) {
        if self.ranges.is_empty() {
            return;
        }
        let frames = self.ranges.swap_remove(self.rng.below(self.ranges.len()));
        let middle = Pfn::new(frames.start.as_u32() + self.rng.below(frames.frames() + 1) as u32);
        match self.rng.below(3) {
            0 => free(self.memory, frames).expect("a right free"),
            1 => {
                free(self.memory, PfnRange::new(frames.start, middle)).expect("a right free");
                free(self.memory, PfnRange::new(middle, frames.end)).expect("a right free");
            }
            _ => give(self.memory, (frames.start.as_u32()..frames.end.as_u32()).map(Pfn::new)),
        }
    }

    fn step(&mut self) {
        match self.rng.below(8) {
            0..2 if !self.blocks.is_empty() => {
                let (block, order) = self.blocks.swap_remove(self.rng.below(self.blocks.len()));
                self.memory.free_frames(block, order).expect("a right free");
            }
            0..4 => {
                let order = order(self.rng.below(10).min(self.rng.below(10)));
                if let Ok(block) = self.memory.alloc_pages(ATOMIC | GfpFlags::HIGHMEM | GfpFlags::NOWARN, order) {
                    self.blocks.push((block, order));
                }
            }
            4 | 5 => self.free_range(),
            _ => self.alloc_range(),
        }
    }
}

#[test]
fn exactly_the_free_ranges_are_granted() {
    const STEPS: usize = 3000;
    for (mib, low_mib, seed) in [(24, 20, 1), (6, 6, 2)] {
        let memory = boot_high(mib, low_mib);
        let start = blocks(*memory);
        let mut model = Model::new(*memory, mib, seed);
        for step in 0..STEPS {
            model.step();
            if step % 100 == 0 {
                memory.validate().unwrap_or_else(|error| panic!("seed {seed}, step {step}: {error}"));
            }
        }
        for (block, order) in core::mem::take(&mut model.blocks) {
            memory.free_frames(block, order).expect("a right free");
        }
        model.ranges.iter().for_each(|&frames| free(*memory, frames).expect("a right free"));
        memory.drop_caches();
        assert_eq!(blocks(*memory), start, "seed {seed}");
        at_rest(*memory);
    }
}

#[test]
fn impossible_ranges_are_refused() {
    let memory = TestKernel::boot(&common::with_ram(&[(1, 2000), (3000, 6000)]));
    let memory: Kernel = *memory;
    let alloc = |start, end, gfp| move || memory.alloc_contig_range(range(start, end), gfp);
    refused(memory, Err(RangeError::Empty), 1, alloc(100, 100, KERNEL));
    refused(memory, Err(RangeError::Empty), 1, alloc(100, 3, KERNEL));
    for (start, end, missing) in
        [(0, 5, 0), (1990, 2010, 2000), (2500, 2501, 2500), (2900, 3100, 2900), (5999, 6001, 6000), (1, u32::MAX, 2000)]
    {
        refused(memory, Err(RangeError::NotManaged(Pfn::new(missing))), 1, alloc(start, end, KERNEL));
    }
    memory.platform().in_context(Context::Interrupt, || {
        refused(memory, Err(RangeError::WrongContext), 1, alloc(1000, 1100, KERNEL));
        assert_eq!(memory.alloc_contig_range(range(1000, 1100), ATOMIC), Ok(()));
        assert_eq!(free(memory, range(1000, 1100)), Ok(()));
    });
    memory.platform().fail_after(0);
    refused(memory, Err(RangeError::NoMemory), 0, alloc(1000, 1100, ATOMIC));
    memory.platform().fail_never();
    at_rest(memory);
}

#[test]
fn some_pages_stay_for_urgent_requests() {
    let memory = boot(64);
    let memory: Kernel = *memory;
    memory.pages().set_min_free(8000);
    let normal = memory.pages().zone_stats(ZoneKind::Normal);
    let granted = (normal.free - normal.marks.min) as u32;
    // Without any block between them.
    let is_whole = |&start: &u32| (start..start + granted + 1).all(|frame| is_free(memory, frame));
    let start = (4096..64 * 256 - granted).find(is_whole).expect("there are more free ones in a row");
    let alloc = |frames, gfp| move || memory.alloc_contig_range(range(start, start + frames), gfp);
    refused(memory, Err(RangeError::NoMemory), 0, alloc(granted + 1, KERNEL));
    for (frames, gfp) in [(granted, KERNEL), (granted + 1, ATOMIC)] {
        assert_eq!(alloc(frames, gfp)(), Ok(()));
        assert_eq!(free(memory, range(start, start + frames)), Ok(()));
    }
    at_rest(memory);
}

#[test]
fn wrong_frees_of_ranges_free_nothing() {
    let memory = boot(32);
    let memory: Kernel = *memory;
    let frames = range(5000, 5100);
    memory.alloc_contig_range(frames, KERNEL).expect("they are free");
    let block = memory.alloc_pages(KERNEL, order(3)).expect("memory").as_u32();
    let area = memory.vmalloc(PAGE_SIZE).expect("memory");
    let mapped = memory.areas().frame_at(area).expect("it is mapped").as_u32();
    for (start, end, error) in [
        (4990, 5100, FreeError::DoubleFree),
        (5000, 5101, FreeError::DoubleFree),
        (block, block + 8, FreeError::WrongOrder),
        (block + 1, block + 2, FreeError::Interior),
        (0, 1, FreeError::Reserved),
        (8190, 9000, if is_free(memory, 8190) { FreeError::DoubleFree } else { FreeError::SlabPage }),
        (9000, 9001, FreeError::Wild),
        (mapped, mapped + 1, FreeError::Owned(mm::Tag::Vmalloc)),
    ] {
        refused(memory, Err(error), 1, || free(memory, range(start, end)));
    }
    // A page with a further reference is freed with the last one.
    assert!(memory.get_page(Pfn::new(5050)));
    assert_eq!((free(memory, frames), free(memory, range(5050, 5051))), (Ok(()), Ok(())));
    refused(memory, Err(FreeError::DoubleFree), 1, || free(memory, range(5050, 5051)));
    assert_eq!((free(memory, range(7, 7)), free(memory, range(9, 3))), (Ok(()), Ok(())), "no frames");
    memory.free_frames(Pfn::new(block), order(3)).expect("a right free");
    memory.vfree(area).expect("a right free");
    memory.drop_caches();
    assert!((5000..5100).all(|frame| is_free(memory, frame)));
    at_rest(memory);
}

#[test]
fn what_caches_keep_is_given_back_first() {
    let memory = boot(32);
    let one = |frame: Pfn| PfnRange::new(frame, frame.add(1));
    for gfp in [ATOMIC, KERNEL] {
        let granted = |what: &str, frame: Pfn| {
            assert!(!is_free(*memory, frame.as_u32()), "{what}: it is in no list");
            assert_eq!(memory.alloc_contig_range(one(frame), gfp), Ok(()), "{what}");
            assert_eq!(free(*memory, one(frame)), Ok(()));
        };
        let page = memory.alloc_pages(KERNEL, Order::ZERO).expect("memory");
        give(*memory, [page]);
        granted("in a magazine", page);
        let many: Vec<Pfn> = (0..3000).map(|_| memory.alloc_pages(KERNEL, Order::ZERO).expect("memory")).collect();
        give(*memory, many.iter().copied());
        granted("in a depot", many[0]);
        let zeroed = memory.get_zeroed_page(KERNEL).expect("memory");
        while memory.pages().clear_ahead() {}
        let cleared = memory.get_zeroed_page(KERNEL).expect("memory");
        memory.free_page(zeroed).expect("a right free");
        assert!(memory.pages().clear_ahead(), "another for the one that was taken");
        memory.free_page(cleared).expect("a right free");
        let is_cached = |&frame: &u32| {
            memory.pages().map().get(Pfn::new(frame)).is_some_and(|page| page.state() == PageState::Cached(Order::ZERO))
        };
        let all: Vec<u32> = (1..32 * 256).filter(is_cached).collect();
        all.into_iter().take(3).for_each(|frame| {
            assert_eq!(memory.alloc_contig_range(one(Pfn::new(frame)), gfp), Ok(()), "in the pool or a magazine");
            assert_eq!(free(*memory, one(Pfn::new(frame))), Ok(()));
        });
        let area = memory.vmalloc(PAGE_SIZE).expect("memory");
        let behind = memory.areas().frame_at(area).expect("it is mapped");
        memory.vfree(area).expect("a right free");
        granted("behind a freed area", behind);
    }
    // Whole slabs, where the caller may sleep.
    let object = memory.kmalloc(3000, KERNEL).expect("memory");
    let slab = memory.frame_of(mm::VirtAddr::from_ptr(object.as_ptr())).expect("low memory");
    memory.kfree(object.as_ptr()).expect("a right free");
    assert_eq!(memory.alloc_contig_range(one(slab), ATOMIC), Err(RangeError::InTheWay(slab)));
    assert_eq!(memory.alloc_contig_range(one(slab), KERNEL), Ok(()));
    assert_eq!(free(*memory, one(slab)), Ok(()));
    at_rest(*memory);
}

#[test]
fn a_page_in_the_magazine_of_a_busy_cpu_is_in_the_way() {
    let memory = boot(32);
    let (kernel, turn) = (*memory, Barrier::new(2));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            TestKernel::enter(kernel);
            let page = kernel.alloc_pages(KERNEL, Order::ZERO).expect("memory");
            give(kernel, [page]);
            turn.wait();
            turn.wait();
            page
        });
        turn.wait();
        let results: Vec<_> =
            (1..32 * 256).map(|frame| (frame, kernel.alloc_contig_range(range(frame, frame + 1), ATOMIC))).collect();
        let asleep = results.iter().find(|(_, result)| result.is_err()).map(|&(frame, _)| frame);
        for (frame, _) in results.iter().filter(|(_, result)| result.is_ok()) {
            free(kernel, range(*frame, *frame + 1)).expect("a right free");
        }
        turn.wait();
        let page = other.join().expect("the other CPU");
        assert!(asleep.is_some());
        let result = results[page.as_u32() as usize - 1].1;
        assert_eq!(result, Err(RangeError::InTheWay(page)));
        // The CPU is idle now.
        let one = PfnRange::new(page, page.add(1));
        assert_eq!(kernel.alloc_contig_range(one, ATOMIC), Ok(()));
        assert_eq!(free(kernel, one), Ok(()));
    });
    at_rest(kernel);
}

#[test]
fn pages_are_zero_where_all_are() {
    let all = DebugFlags::ZERO_ON_ALLOC;
    let debug = DebugChoice { all, ..DebugChoice::NONE };
    let memory = TestKernel::boot(&Machine { debug, highmem_start: Pfn::new(20 * 256 + 3), ..Machine::with_mib(24) });
    let high = 20 * 256 + 3;
    for frames in [range(high, high + 60), range(high - 100, high - 60), range(4070, 4130)].repeat(2) {
        assert_eq!(memory.alloc_contig_range(frames, KERNEL), Ok(()));
        for frame in (frames.start.as_u32()..frames.end.as_u32()).map(Pfn::new) {
            let at = memory.kmap(frame).expect("a window");
            // SAFETY: the test has the page, which shows there.
            let bytes = unsafe { core::slice::from_raw_parts_mut(at.as_mut_ptr::<u8>(), PAGE_SIZE) };
            assert!(bytes.iter().all(|&byte| byte == 0));
            bytes.fill(7);
            memory.kunmap(frame).expect("it is shown");
        }
        assert_eq!(free(*memory, frames), Ok(()));
    }
    at_rest(*memory);
}
