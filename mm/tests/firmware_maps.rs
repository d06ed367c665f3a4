//! Bootmem over hostile firmware maps, compared a page at a time with the map.
//!
//! Their regions are out of order, overlapping, empty, turned around, adjacent, at the end of the address space and
//! beyond what frames can count.

use mm::region::RegionSet;
use mm::testing::Rng;
use mm::{BootZone, Bootmem, PAGE_SIZE, Pfn, PfnRange, PhysAddr};

const PAGE: u64 = PAGE_SIZE as u64;
const MIB: u64 = 1 << 20;
/// The first address that no frame number reaches.
const BEYOND: u64 = 1 << 44;

/// Places around which maps go wrong.
const EDGES: [u64; 12] = [
    0,
    PAGE,
    0x9_fc00,
    MIB,
    15 * MIB,
    16 * MIB,
    128 * MIB - 0x2_0000,
    128 * MIB,
    4 << 30,
    BEYOND - 2 * PAGE,
    BEYOND,
    u64::MAX,
];

/// A region of a map.
#[derive(Clone, Copy, Debug)]
struct Region {
    start: u64,
    end: u64,
    is_ram: bool,
}

/// A place at an edge, or a little before or behind it.
fn place(rng: &mut Rng) -> u64 {
    let edge = EDGES[rng.below(EDGES.len())];
    let off = [0, 0, 0, 1, 511, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE][rng.below(9)];
    if rng.one_in(2) { edge.saturating_add(off) } else { edge.saturating_sub(off) }
}

fn map(rng: &mut Rng) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for _ in 0..1 + rng.below(24) {
        let (a, b) = (place(rng), place(rng));
        // Now and then empty, turned around, twice the same, or right behind another.
        let (start, end) = match (rng.below(10), regions.last()) {
            (0, _) => (a, a),
            (1, _) => (a.max(b), a.min(b)),
            (2, Some(last)) => (last.start, last.end),
            (3, Some(last)) => (last.end, last.end.saturating_add(PAGE * rng.below(9) as u64)),
            _ => (a.min(b), a.max(b)),
        };
        regions.push(Region { start, end, is_ram: !rng.one_in(3) });
    }
    regions
}

fn read(map: &[Region]) -> Bootmem {
    let mut bootmem = Bootmem::new();
    for region in map {
        let (start, end) = (PhysAddr::new(region.start), PhysAddr::new(region.end));
        if region.is_ram { bootmem.add_ram(start, end) } else { bootmem.withhold(start, end) }
    }
    bootmem
}

/// Whether the map makes RAM of the page: one region calls all of it usable, and none touches it that says otherwise.
fn is_ram(map: &[Region], page: u64) -> bool {
    let (start, end) = (page * PAGE, page * PAGE + PAGE);
    let whole = |region: &Region| region.is_ram && region.start <= start && end <= region.end;
    let other =
        |region: &Region| !region.is_ram && region.start < end && start < region.end && region.start < region.end;
    map.iter().any(whole) && !map.iter().any(other)
}

/// The pages around every edge of the map that has a frame number.
fn pages(map: &[Region]) -> impl Iterator<Item = u64> {
    let edges = map.iter().flat_map(|region| [region.start, region.end]);
    let around = edges.flat_map(|edge| (edge / PAGE).saturating_sub(2)..=(edge / PAGE).saturating_add(2));
    around.filter(|&page| page < BEYOND / PAGE - 1)
}

fn one(page: u64) -> PfnRange {
    PfnRange::new(Pfn::new(page as u32), Pfn::new(page as u32 + 1))
}

#[test]
fn every_page_is_what_the_map_says() {
    for seed in 0..400 {
        let map = map(&mut Rng::new(seed));
        let bootmem = read(&map);
        assert_eq!(bootmem.lost(), 0);
        for page in pages(&map) {
            assert_eq!(bootmem.ram().contains(one(page)), is_ram(&map, page), "seed {seed}, page {page:x}: {map:x?}");
        }
        assert_eq!(bootmem.ram().ranges(), bootmem.unreserved().ranges());
    }
}

#[test]
fn the_order_of_the_regions_does_not_matter() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let mut map = map(&mut rng);
        let before = read(&map).finish().ranges().to_vec();
        for last in (1..map.len()).rev() {
            map.swap(last, rng.below(last + 1));
        }
        assert_eq!(read(&map).finish().ranges(), before, "seed {seed}: {map:x?}");
    }
}

/// Reserves, allocates and hides at random; returns the pages that were taken.
fn use_up(rng: &mut Rng, bootmem: &mut Bootmem) -> Vec<u64> {
    let mut taken = Vec::new();
    for _ in 0..rng.below(30) {
        let (a, b) = (place(rng), place(rng));
        if rng.one_in(6) {
            bootmem.reserve(PhysAddr::new(a.min(b)), PhysAddr::new(a.max(b))).expect("room");
            continue;
        }
        let largest = 1 << rng.below(22);
        let (size, align) = (1 + rng.below(largest), 1 << rng.below(24));
        let zone = if rng.one_in(2) { BootZone::Low } else { BootZone::Normal };
        if let Ok(block) = bootmem.alloc(size, align, zone) {
            let start = block.start.as_u64();
            assert_eq!(start % align as u64, 0);
            assert!(zone == BootZone::Normal || start + size as u64 <= 16 * MIB);
            taken.extend(start / PAGE..(start + size as u64).div_ceil(PAGE));
        }
    }
    taken
}

/// What `mem=` might keep: some regions, of no pages too.
fn kept(rng: &mut Rng) -> RegionSet {
    let mut kept = RegionSet::new();
    for _ in 0..rng.below(9) {
        let (a, b) = (place(rng) / PAGE, place(rng) / PAGE);
        let frame = |page: u64| Pfn::new(u32::try_from(page).unwrap_or(u32::MAX));
        kept.insert(PfnRange::new(frame(a.min(b)), frame(a.max(b)))).expect("room");
    }
    kept
}

#[test]
fn what_is_taken_is_ram_and_is_not_handed_over() {
    // Shows: S68, K9
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let map = map(&mut rng);
        let mut bootmem = read(&map);
        let taken = use_up(&mut rng, &mut bootmem);
        let kept = kept(&mut rng);
        let free = bootmem.unreserved().frames();
        let hidden = bootmem.keep_only(&kept).expect("room");
        let left = bootmem.finish();
        assert_eq!(left.frames() + hidden.frames(), free);
        assert_eq!((left.frames_in_common(&kept), hidden.frames_in_common(&kept)), (left.frames(), 0));
        for &page in &taken {
            assert!(is_ram(&map, page), "seed {seed}, page {page:x}: {map:x?}");
            assert!(!left.contains(one(page)), "seed {seed}, page {page:x} has two owners");
        }
        for range in left.ranges() {
            assert!(is_ram(&map, range.start.as_u32().into()) && is_ram(&map, u64::from(range.end.as_u32()) - 1));
        }
    }
}
