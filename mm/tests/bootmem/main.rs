//! Boot-time memory and sets of frame ranges, against naive bitmaps.

mod orders;

use mm::region::{CAPACITY, ROOM, RegionSet};
use mm::testing::Rng;
use mm::{BootBlock, BootZone, Bootmem, BootmemError, PAGE_SIZE, Pfn, PfnRange, PhysAddr};

const MIB: u64 = 1 << 20;

fn range(start: u32, end: u32) -> PfnRange {
    PfnRange::new(Pfn::new(start), Pfn::new(end))
}

fn phys(bytes: u64) -> PhysAddr {
    PhysAddr::new(bytes)
}

/// Bootmem over these ranges of bytes.
fn with_ram(ram: &[(u64, u64)]) -> Bootmem {
    let mut bootmem = Bootmem::new();
    for &(start, end) in ram {
        bootmem.add_ram(phys(start), phys(end));
    }
    bootmem
}

/// Checks a set against a bitmap whose first bit is the frame `base`.
fn agrees(set: &RegionSet, bits: &[bool], base: u32) {
    let ranges = set.ranges();
    assert!(ranges.iter().all(|range| range.frames() > 0), "an empty range");
    assert!(ranges.windows(2).all(|two| two[0].end < two[1].start), "ranges touch or are out of order");
    assert_eq!(set.frames(), bits.iter().filter(|&&bit| bit).count());
    for (at, &bit) in bits.iter().enumerate() {
        let frame = Pfn::new(base + at as u32);
        assert_eq!(ranges.iter().any(|range| range.contains(frame)), bit, "{frame:?}");
    }
}

#[test]
fn a_region_set_agrees_with_a_bitmap() {
    for (seed, base) in [(1, 0), (2, 4000), (3, u32::MAX - 300)] {
        println!("seed {seed}");
        let (mut rng, mut set, mut bits) = (Rng::new(seed), RegionSet::new(), vec![false; 300]);
        for _ in 0..1500 {
            let (a, b) = (rng.below(300), rng.below(300));
            // Now and then empty or turned around: no frames.
            let (start, end) = if rng.one_in(10) { (a, b) } else { (a.min(b), a.max(b).min(a.min(b) + 40)) };
            let asked = range(base + start as u32, base + end as u32);
            let held = bits.get(start..end).is_none_or(|bits| bits.iter().all(|&bit| bit));
            assert_eq!(set.contains(asked), held, "{asked:?}");
            let insert = rng.one_in(2);
            let result = if insert { set.insert(asked) } else { set.remove(asked) };
            assert_eq!(result, Ok(()));
            bits.iter_mut().take(end).skip(start).for_each(|bit| *bit = insert);
            agrees(&set, &bits, base);
        }
    }
}

#[test]
fn a_full_region_set_refuses_and_stays_as_it_was() {
    let mut set = RegionSet::new();
    for at in 0..CAPACITY as u32 {
        set.insert(range(10 * at, 10 * at + 5)).expect("room");
    }
    let before = set.ranges().to_vec();
    assert_eq!(set.insert(range(10 * CAPACITY as u32, 10 * CAPACITY as u32 + 1)), Err(BootmemError::TooManyRanges));
    assert_eq!(set.remove(range(2, 3)), Err(BootmemError::TooManyRanges));
    assert_eq!(set.ranges(), before);
    assert_eq!(set.insert(range(5, 10)), Ok(()), "melts two into one");
    assert_eq!(set.remove(range(22, 23)), Ok(()));
    assert_eq!(set.ranges().len(), CAPACITY);
    assert_eq!(set.insert(range(0, u32::MAX)), Ok(()));
    assert_eq!(set.ranges(), [range(0, u32::MAX)]);
}

#[test]
fn a_firmware_map_in_any_order_agrees_with_a_bitmap() {
    const PAGES: usize = 64;
    for seed in 0..40 {
        println!("seed {seed}");
        let (mut rng, mut bootmem) = (Rng::new(seed), Bootmem::new());
        let (mut usable, mut other) = (vec![false; PAGES], vec![false; PAGES]);
        for _ in 0..12 {
            let start = rng.below(PAGES * PAGE_SIZE) as u64;
            let end = start + rng.below(PAGES * PAGE_SIZE - start as usize + 1) as u64 / 3;
            let pages = |page: usize| ((page * PAGE_SIZE) as u64, ((page + 1) * PAGE_SIZE) as u64);
            if rng.one_in(3) {
                bootmem.withhold(phys(start), phys(end));
                let touched = |page| start < end && pages(page).0 < end && start < pages(page).1;
                (0..PAGES).filter(|&page| touched(page)).for_each(|page| other[page] = true);
            } else {
                bootmem.add_ram(phys(start), phys(end));
                let inside = |page| start <= pages(page).0 && pages(page).1 <= end;
                (0..PAGES).filter(|&page| inside(page)).for_each(|page| usable[page] = true);
            }
        }
        let ram: Vec<bool> = usable.iter().zip(&other).map(|(&usable, &other)| usable && !other).collect();
        agrees(bootmem.ram(), &ram, 0);
        agrees(&bootmem.finish(), &ram, 0);
    }
}

#[test]
fn maps_may_reach_the_end_of_the_address_space() {
    let mut bootmem = with_ram(&[(0, MIB), (32 * MIB, u64::MAX)]);
    bootmem.withhold(phys(40 * MIB), phys(u64::MAX));
    bootmem.add_ram(phys(u64::MAX - 5), phys(u64::MAX));
    assert_eq!(bootmem.ram().ranges(), [range(0, 256), range(32 * 256, 40 * 256)]);
    assert!(bootmem.keep_only(&RegionSet::whole()).is_ok_and(|hidden| hidden.frames() == 0));
    assert_eq!(bootmem.reserve(phys(u64::MAX - 1), phys(u64::MAX)), Ok(0));
    assert_eq!(bootmem.alloc(usize::MAX, 8, BootZone::Normal), Err(BootmemError::NoMemory));
    assert_eq!(
        bootmem.alloc(1, 1 << 63, BootZone::Normal).map(|block| block.start),
        Ok(phys(0)),
        "a multiple of anything"
    );
}

#[test]
fn low_calls_end_at_16_mib_and_plain_ones_prefer_what_is_above() {
    // Shows: S67, K9
    let mut bootmem = with_ram(&[(0, 20 * MIB)]);
    let plain = bootmem.alloc(3 * MIB as usize, PAGE_SIZE, BootZone::Normal).expect("memory");
    assert_eq!(plain, BootBlock { start: phys(16 * MIB), fell_back: false });
    let low = bootmem.alloc(PAGE_SIZE, PAGE_SIZE, BootZone::Low).expect("memory");
    assert_eq!(low, BootBlock { start: phys(0), fell_back: false });
    let fallen = bootmem.alloc(2 * MIB as usize, PAGE_SIZE, BootZone::Normal).expect("there is low memory");
    assert!(fallen.fell_back && fallen.start == phys(PAGE_SIZE as u64));
    assert_eq!(bootmem.alloc(15 * MIB as usize, PAGE_SIZE, BootZone::Low), Err(BootmemError::NoMemory));
    let rest = bootmem.alloc(PAGE_SIZE, PAGE_SIZE, BootZone::Normal).expect("memory");
    assert_eq!(rest, BootBlock { start: phys(19 * MIB), fell_back: false });
    assert!(bootmem.alloc(13 * MIB as usize, PAGE_SIZE, BootZone::Low).is_ok());
    assert!(bootmem.alloc(MIB as usize, PAGE_SIZE, BootZone::Low).is_err(), "a hard limit, though more lies above");
}

#[test]
fn a_run_may_cross_16_mib_only_as_a_fallback() {
    let mut bootmem = with_ram(&[(14 * MIB, 18 * MIB)]);
    assert!(bootmem.alloc(3 * MIB as usize, PAGE_SIZE, BootZone::Low).is_err());
    let crossing = bootmem.alloc(3 * MIB as usize, PAGE_SIZE, BootZone::Normal).expect("4 MiB are free");
    assert_eq!(crossing, BootBlock { start: phys(14 * MIB), fell_back: true });
}

#[test]
fn any_number_of_pages_can_be_had_at_boot() {
    // Shows: S65
    let mut bootmem = with_ram(&[(16 * MIB, 64 * MIB)]);
    let size = 3 * MIB as usize + PAGE_SIZE;
    let block = bootmem.alloc(size, PAGE_SIZE, BootZone::Normal).expect("memory");
    assert_eq!(bootmem.unreserved().ranges(), [range(block.start.as_u64() as u32 / 4096 + 769, 64 * 256)]);
    let aligned = bootmem.alloc(5 * PAGE_SIZE, 8 * MIB as usize, BootZone::Normal).expect("memory");
    assert_eq!(aligned.start, phys(24 * MIB));
}

#[test]
fn small_requests_share_pages() {
    // Shows: S70
    let mut bootmem = with_ram(&[(0, 32 * MIB)]);
    let mut take =
        |size, align| bootmem.alloc(size, align, BootZone::Normal).expect("memory").start.as_u64() - 16 * MIB;
    assert_eq!([take(100, 8), take(1, 1), take(8, 64), take(3000, 16)], [0, 100, 128, 144]);
    assert_eq!([take(2000, 16), take(5000, 1), take(PAGE_SIZE, PAGE_SIZE), take(10, 1)], [3152, 5152, 12288, 16384]);
    let low = bootmem.alloc(10, 1, BootZone::Low).expect("memory");
    assert_eq!(low.start, phys(0), "what is left of a page above 16 MiB serves no low request");
}

#[test]
fn a_request_begins_in_the_last_page_only_if_it_can_go_on_behind_it() {
    // Shows: S70
    let mut bootmem = with_ram(&[(0, MIB), (2 * MIB, 3 * MIB)]);
    bootmem.alloc(MIB as usize - 4000, PAGE_SIZE, BootZone::Low).expect("memory");
    let beyond = bootmem.alloc(5000, 8, BootZone::Low).expect("memory");
    assert_eq!(beyond.start, phys(2 * MIB), "the hole at 1 MiB is no memory");
    let behind = bootmem.alloc(8000, 8, BootZone::Low).expect("memory");
    assert_eq!(behind.start, phys(2 * MIB + 5000));
    assert_eq!(bootmem.unreserved().ranges(), [range(2 * 256 + 4, 3 * 256)]);
}

#[test]
fn a_goal_is_a_wish_and_a_limit_is_not() {
    let mut bootmem = with_ram(&[(0, 32 * MIB)]);
    let at = |goal, limit| (phys(goal), phys(limit));
    let mut take = |size: u64, (goal, limit)| bootmem.alloc_at(size as usize, PAGE_SIZE, goal, limit);
    let found = |start, fell_back| Ok(BootBlock { start: phys(start), fell_back });
    assert_eq!(take(MIB, at(4 * MIB + 1, 8 * MIB)), found(4 * MIB + PAGE_SIZE as u64, false));
    assert_eq!(take(3 * MIB, at(5 * MIB, 8 * MIB)), found(0, true));
    assert_eq!(take(2 * MIB, at(0, 4 * MIB)), Err(BootmemError::NoMemory));
    assert_eq!(take(20 * MIB, at(30 * MIB, u64::MAX)), found(5 * MIB + PAGE_SIZE as u64, true));
    assert_eq!(take(1, at(8 * MIB, 8 * MIB)), found(3 * MIB, true));
}

#[test]
fn what_would_be_reserved_twice_is_known() {
    let mut bootmem = with_ram(&[(0, 16 * 4096), (32 * 4096, 64 * 4096)]);
    bootmem.reserve(phys(3 * 4096), phys(5 * 4096 + 1)).expect("room");
    bootmem.reserve(phys(40 * 4096), phys(41 * 4096)).expect("room");
    let twice = |from, to| bootmem.reserved_within(phys(from), phys(to)).collect::<Vec<_>>();
    assert_eq!(twice(4 * 4096 + 7, 50 * 4096), [range(4, 6), range(40, 41)], "no RAM is not reserved RAM");
    assert_eq!(twice(6 * 4096, 40 * 4096), []);
    assert_eq!(twice(u64::MAX - 1, u64::MAX), []);
}

/// A map of more pieces than the tables hold: which pages are RAM by it.
fn shattered(bootmem: &mut Bootmem, rng: &mut Rng, pages: usize) -> Vec<bool> {
    let (mut usable, mut other) = (vec![false; pages], vec![false; pages]);
    for _ in 0..pages {
        let (page, frames) = (rng.below(pages), 1 + rng.below(3));
        let run = page..(page + frames).min(pages);
        let (start, end) = (phys((run.start * PAGE_SIZE) as u64), phys((run.end * PAGE_SIZE) as u64));
        if rng.one_in(2) {
            bootmem.add_ram(start, end);
            usable[run].fill(true);
        } else {
            bootmem.withhold(start, end);
            other[run].fill(true);
        }
    }
    usable.iter().zip(&other).map(|(&usable, &other)| usable && !other).collect()
}

#[test]
fn a_map_of_too_many_pieces_costs_ram_and_invents_none() {
    for seed in 0..2 {
        println!("seed {seed}");
        let (mut rng, mut bootmem) = (Rng::new(seed), Bootmem::new());
        let ram = shattered(&mut bootmem, &mut rng, 24 * CAPACITY);
        let frames = |set: &RegionSet| set.ranges().iter().flat_map(|r| r.start.as_u32()..r.end.as_u32()).collect();
        let (known, free): (Vec<u32>, Vec<u32>) = (frames(bootmem.ram()), frames(bootmem.unreserved()));
        assert!(known.iter().chain(&free).all(|&frame| ram[frame as usize]), "RAM out of nothing");
        assert!(free.iter().all(|frame| known.binary_search(frame).is_ok()));
        assert!(bootmem.lost() > 0, "all pieces had room");
        assert!(free.len() > CAPACITY / 2, "{} of {}", free.len(), ram.len());
        // What boot does after that still has room in the tables.
        for page in 0..ROOM as u64 {
            let middle = bootmem.unreserved().ranges().iter().max_by_key(|range| range.frames()).expect("some");
            let at = middle.start.add(middle.frames() as u32 / 2).phys().as_u64();
            assert!(bootmem.reserve(phys(at), phys(at + 1)).is_ok(), "{page}");
        }
        assert!(bootmem.alloc(PAGE_SIZE, PAGE_SIZE, BootZone::Low).is_ok());
    }
}

#[test]
fn a_page_that_was_given_back_serves_no_small_request() {
    let mut bootmem = with_ram(&[(0, MIB)]);
    bootmem.alloc(100, 8, BootZone::Low).expect("memory");
    bootmem.free(phys(0), phys(PAGE_SIZE as u64)).expect("a whole page");
    let small = bootmem.alloc(100, 8, BootZone::Low).expect("memory").start.frame().expect("below 16 TiB");
    assert!(!bootmem.unreserved().contains(PfnRange::new(small, small.add(1))));
    let reserved = u64::from(small.as_u32()) * PAGE_SIZE as u64;
    bootmem.reserve(phys(reserved), phys(reserved + 1)).expect("room");
    assert!(bootmem.alloc(100, 8, BootZone::Low).is_ok_and(|block| block.start.frame() != Some(small)));
}

#[test]
fn bad_requests_are_refused() {
    let mut bootmem = with_ram(&[(0, MIB), (2 * MIB, 3 * MIB)]);
    let before = bootmem.unreserved().ranges().to_vec();
    for (size, align) in [(0, 8), (8, 0), (8, 3), (8, 4095)] {
        assert_eq!(bootmem.alloc(size, align, BootZone::Normal), Err(BootmemError::BadRequest));
    }
    for (start, end) in [(0, 100), (5000, 5000), (8192, 4096)] {
        assert_eq!(bootmem.free(phys(start), phys(end)), Err(BootmemError::BadRequest));
    }
    assert_eq!(bootmem.free(phys(MIB / 2), phys(2 * MIB + MIB / 2)), Err(BootmemError::NotRam));
    assert_eq!(bootmem.free(phys(1 << 50), phys((1 << 50) + 4096)), Err(BootmemError::BadRequest));
    assert_eq!(bootmem.free(phys(0), phys(4096)), Err(BootmemError::AlreadyFree));
    assert_eq!(bootmem.unreserved().ranges(), before);
}

fn keeping(ranges: &[PfnRange]) -> RegionSet {
    let mut kept = RegionSet::new();
    ranges.iter().for_each(|&range| kept.insert(range).expect("room"));
    kept
}

#[test]
fn mem_hides_what_is_free_above_it() {
    // Shows: S73
    let mut bootmem = with_ram(&[(0, 128 * MIB)]);
    assert_eq!(bootmem.reserve(phys(127 * MIB + 1), phys(128 * MIB)), Ok(256));
    assert_eq!(bootmem.reserve(phys(127 * MIB), phys(128 * MIB)), Ok(0), "reserved before");
    let hidden = bootmem.keep_only(&keeping(&[range(0, 126 * 256)])).expect("room");
    assert_eq!(hidden.ranges(), [range(126 * 256, 127 * 256)]);
    assert_eq!(bootmem.kept_ram().expect("room").ranges(), [range(0, 126 * 256)]);
    assert_eq!(bootmem.ram().frames(), 128 * 256, "the firmware's word stands");
    assert_eq!(bootmem.free(phys(127 * MIB), phys(128 * MIB)), Err(BootmemError::NotRam), "it stays reserved");
    assert_eq!(bootmem.finish().ranges(), [range(0, 126 * 256)]);
}

#[test]
fn random_allocations_do_not_overlap_and_leave_the_rest() {
    // Shows: S68
    for seed in 0..10 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut bootmem = with_ram(&[(0x1000, 0x9f000), (MIB, 9 * MIB), (15 * MIB, 24 * MIB)]);
        let (frames, mut taken) = (bootmem.ram().frames(), Vec::new());
        for _ in 0..300 {
            let largest = 1 << rng.below(17);
            let (size, align) = (1 + rng.below(largest), 1_usize << rng.below(15));
            let zone = if rng.one_in(2) { BootZone::Low } else { BootZone::Normal };
            let Ok(BootBlock { start, fell_back }) = bootmem.alloc(size, align, zone) else { continue };
            let (start, end) = (start.as_u64(), start.as_u64() + size as u64);
            assert_eq!(start % align as u64, 0);
            assert!(if zone == BootZone::Low {
                end <= 16 * MIB && !fell_back
            } else {
                fell_back == (start < 16 * MIB)
            });
            taken.push((start, end));
        }
        taken.sort_unstable();
        assert!(taken.windows(2).all(|two| two[0].1 <= two[1].0), "allocations overlap");
        let mut pages: Vec<u64> = taken.iter().flat_map(|&(start, end)| start / 4096..end.div_ceil(4096)).collect();
        pages.dedup();
        let left = bootmem.finish();
        assert_eq!(left.frames() + pages.len(), frames);
        let free = |page: u64| left.contains(range(page as u32, page as u32 + 1));
        assert!(pages.iter().all(|&page| !free(page)));
    }
}
