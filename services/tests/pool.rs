//! Pools of frames, against a naive bitmap, and what /proc says of them.

use mm::testing::{Booted, Machine, Rng, TestKernel};
use mm::{AllocError, FreeError, GfpFlags, Pfn, PfnRange};
use services::bigphysarea;
use services::pool::{BlockSums, FramePool, PoolBlock, PoolStats, Use};

const GFP: GfpFlags = GfpFlags::KERNEL;

fn boot() -> Booted {
    TestKernel::boot(&Machine::with_mib(24))
}

fn range(start: u32, end: u32) -> PfnRange {
    PfnRange::new(Pfn::new(start), Pfn::new(end))
}

fn pool(ranges: &[PfnRange]) -> FramePool<TestKernel> {
    let mut pool = FramePool::new();
    for &range in ranges {
        pool.add(range, GFP).expect("memory for the list");
    }
    pool
}

/// The lowest free run of `frames` that begins at a multiple of `align`.
fn first_fit(free: &[bool], frames: u32, align: u32) -> Option<u32> {
    let fits = |&start: &u32| (start..start + frames).all(|at| free.get(at as usize) == Some(&true));
    (0..free.len() as u32).step_by(align as usize).find(fits)
}

#[test]
fn blocks_come_from_the_lowest_fitting_place_and_merge_again() {
    // Shows: S71
    let _machine = boot();
    for seed in 0..20 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut pool = pool(&[range(3, 100), range(120, 200), range(200, 260)]);
        let mut free: Vec<bool> = (0..260).map(|at| (3..100).contains(&at) || at >= 120).collect();
        let mut held: Vec<PfnRange> = Vec::new();
        for _ in 0..2000 {
            if rng.one_in(2) || held.is_empty() {
                let (frames, align) = (1 + rng.below(20) as u32, 1 + rng.below(16) as u32);
                let found = pool.alloc(frames, align, GFP);
                let expected = first_fit(&free, frames, align).map(|start| range(start, start + frames));
                assert_eq!(found.ok(), expected, "{frames} frames by {align}");
                if let Some(range) = expected {
                    free[range.start.index()..range.end.index()].fill(false);
                    held.push(range);
                }
            } else {
                let gone = held.swap_remove(rng.below(held.len()));
                assert_eq!(pool.free(gone.start), Ok(gone));
                free[gone.start.index()..gone.end.index()].fill(true);
            }
            assert_eq!(pool.validate(), Ok(()));
            let stats = pool.stats();
            assert_eq!(stats.free.frames, free.iter().filter(|&&free| free).count());
            assert_eq!((stats.used.blocks, stats.free.frames + stats.used.frames), (held.len(), 237));
        }
        held.iter().for_each(|block| assert_eq!(pool.free(block.start), Ok(*block)));
        let whole = |range| PoolBlock { range, state: Use::Free };
        assert_eq!(pool.blocks(), [whole(range(3, 100)), whole(range(120, 260))], "all merged");
    }
}

#[test]
fn wrong_frees_are_refused_and_change_nothing() {
    let _machine = boot();
    let mut pool = pool(&[range(100, 200)]);
    let block = pool.alloc(10, 0, GFP).expect("room");
    let before = pool.blocks().to_vec();
    for (frame, error) in [(0, FreeError::Wild), (200, FreeError::Wild), (u32::MAX, FreeError::Wild)] {
        assert_eq!(pool.free(Pfn::new(frame)), Err(error));
    }
    assert_eq!(pool.free(Pfn::new(105)), Err(FreeError::Interior));
    assert_eq!(pool.free(Pfn::new(110)), Err(FreeError::DoubleFree));
    assert_eq!(pool.blocks(), before);
    assert_eq!(pool.free(block.start), Ok(block));
    assert_eq!(pool.free(block.start), Err(FreeError::DoubleFree));
}

#[test]
fn impossible_requests_are_refused() {
    let _machine = boot();
    let mut pool = pool(&[range(100, 200), range(u32::MAX - 5, u32::MAX)]);
    for (frames, align) in [(0, 1), (101, 1), (u32::MAX, 1), (10, 201), (10, u32::MAX), (6, 1 << 31)] {
        assert_eq!(pool.alloc(frames, align, GFP), Err(AllocError), "{frames} by {align}");
    }
    assert_eq!(pool.add(range(199, 201), GFP), Err(AllocError));
    assert_eq!(pool.add(range(300, 300), GFP), Err(AllocError));
    assert_eq!(pool.stats().used, BlockSums::default());
}

#[test]
fn without_memory_for_the_list_a_request_fails_and_a_free_does_not() {
    let machine = boot();
    let mut pool = pool(&[range(0, 1000)]);
    let mut held = Vec::new();
    machine.platform().fail_after(0);
    while let Ok(block) = pool.alloc(1, 2, GFP) {
        held.push(block);
    }
    assert!(held.len() < 100, "the list never grew");
    assert_eq!(pool.validate(), Ok(()));
    held.iter().for_each(|block| assert_eq!(pool.free(block.start), Ok(*block)));
    machine.platform().fail_never();
    assert_eq!(pool.blocks().len(), 1);
}

#[test]
fn proc_shows_both_lists() {
    // Shows: S71
    let text = |stats| {
        let mut text = String::new();
        bigphysarea(stats, &mut text).expect("strings grow");
        text
    };
    assert_eq!(text(None), "No big physical area allocated!\n");
    let free = BlockSums { blocks: 2, largest: 200, frames: 256 };
    let used = BlockSums { blocks: 1, largest: 769, frames: 769 };
    let expected = "\
Big physical area, size 4100 kB
                       free list:             used list:
number of blocks:             2                      1
size of largest block:      800 kB                3076 kB
total:                     1024 kB                3076 kB
";
    assert_eq!(text(Some(PoolStats { free, used })), expected);
}
