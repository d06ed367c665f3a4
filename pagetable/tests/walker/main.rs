//! The walker on each format, against a model that knows pages only.

mod space;

use mm::mapper::{Format, Level};
use mm::testing::Rng;
use mm::{Access, Frames, MapError, PAGE_SIZE, Pfn, PfnRange};
use pagetable::riscv64::{ByAddress, ByEntry};
use pagetable::{Sv39, Sv48, X86_64};

use space::Space;

/// An address of the lower half, and the first of the upper half with 48 and with 39 bits of address.
const LOW: usize = 1 << 30;
const UPPER_48: usize = 0xffff_8000_0000_0000;
const UPPER_39: usize = 0xffff_ffc0_0000_0000;

/// Runs a scenario on tables of each format, in either half of the addresses.
macro_rules! on_each_format {
    ($scenario:path) => {
        for base in [LOW, UPPER_48] {
            $scenario(Space::new(X86_64::new(Level::Three), base));
            $scenario(Space::new(Sv48::<ByAddress>::NEW, base));
        }
        for base in [LOW, UPPER_39] {
            $scenario(Space::new(Sv39::<ByEntry>::NEW, base));
        }
    };
}

/// Pages in a leaf of 2 MiB, and of 1 GiB.
const LARGE: usize = Level::Two.pages();
const HUGE: usize = Level::Three.pages();

fn run(first: usize, pages: usize) -> Frames<'static> {
    Frames::Run(PfnRange::new(Pfn::new(first as u32), Pfn::new((first + pages) as u32)))
}

#[test]
fn a_page_is_mapped_protected_and_unmapped_and_its_tables_go() {
    fn scenario<F: Format>(mut space: Space<F>) {
        let tables = space.free();
        assert_eq!(space.map(space.at(3), run(7, 1)), Ok(()));
        assert_eq!(space.phys(space.at(3).add(5)), Some(7 * PAGE_SIZE as u64 + 5));
        assert_eq!(space.protect(space.at(3), 1, Access::Read), Ok(()));
        assert_eq!(space.protect(space.at(4), 1, Access::Read), Err(MapError::NotMapped));
        space.unmap(space.at(3), 1);
        assert_eq!(space.phys(space.at(3)), None);
        let stay = usize::from(F::TOP == Level::Four);
        assert_eq!((space.prune(), space.free()), (2, tables - stay));
    }
    on_each_format!(scenario);
}

#[test]
#[cfg_attr(miri, ignore = "a model of so many pages takes minutes there")]
fn runs_are_mapped_by_the_largest_leaves_that_fit() {
    fn scenario<F: Format>(mut space: Space<F>) {
        let (before, pages) = (3, HUGE + 2 * LARGE + 5);
        assert_eq!(space.map(space.at(HUGE - before), run(5 * HUGE - before, before + pages)), Ok(()));
        let expected = [(Level::One, before), (Level::Three, 1), (Level::Two, 2), (Level::One, 5)];
        assert_eq!(space.leaves(), expected);
        space.check();
        space.unmap(space.at(HUGE - before), before + pages);
        assert_eq!(space.leaves(), []);
        // One of pages and one of larger leaves, before the gigabyte and behind it.
        assert_eq!(space.prune(), 4);
        assert_eq!(space.prune(), 0);
    }
    on_each_format!(scenario);
}

#[test]
#[cfg_attr(miri, ignore = "a model of so many pages takes minutes there")]
fn scattered_frames_and_slower_processors_have_smaller_leaves() {
    fn scenario<F: Format>(mut space: Space<F>) {
        let frames: Vec<Pfn> = (0..LARGE as u32).map(|page| Pfn::new(LARGE as u32 + page)).collect();
        assert_eq!(space.map(space.at(0), Frames::Each(&frames)), Ok(()));
        assert_eq!(space.leaves(), [(Level::One, LARGE)]);
        space.check();
    }
    on_each_format!(scenario);
    let mut small = Space::new(X86_64::new(Level::Two), LOW);
    assert_eq!(small.map(small.at(0), run(HUGE, HUGE)), Ok(()));
    assert_eq!(small.leaves(), [(Level::Two, 512)]);
}

#[test]
#[cfg_attr(miri, ignore = "a model of so many pages takes minutes there")]
fn rights_change_page_by_page_and_large_leaves_are_split_for_it() {
    fn scenario<F: Format>(mut space: Space<F>) {
        assert_eq!(space.map(space.at(HUGE), run(3 * HUGE, HUGE)), Ok(()));
        assert_eq!(space.protect(space.at(HUGE + LARGE + 1), 2, Access::Read), Ok(()));
        let split = [(Level::Two, 1), (Level::One, 1), (Level::One, 2), (Level::One, 509), (Level::Two, 510)];
        assert_eq!(space.leaves(), split);
        space.check();
        assert_eq!(space.protect(space.at(HUGE), HUGE, Access::ReadWrite), Ok(()));
        space.check();
        assert_eq!(space.protect(space.at(2 * HUGE - 1), 2, Access::Read), Err(MapError::NotMapped));
        space.check();
    }
    on_each_format!(scenario);
}

#[test]
#[cfg_attr(miri, ignore = "a model of so many pages takes minutes there")]
fn what_is_mapped_stays_until_it_is_unmapped() {
    fn scenario<F: Format>(mut space: Space<F>) {
        assert_eq!(space.map(space.at(LARGE), run(LARGE, LARGE)), Ok(()));
        assert_eq!(space.map(space.at(LARGE + 7), run(1, 1)), Err(MapError::AlreadyMapped));
        assert_eq!(space.map(space.at(0), run(7, 1)), Ok(()));
        assert_eq!(space.map(space.at(0), run(4 * LARGE, LARGE)), Err(MapError::TableInTheWay));
        // A large leaf goes whole or not at all.
        space.unmap(space.at(LARGE), LARGE - 1);
        space.check();
        space.unmap(space.at(0), 2 * LARGE);
        assert_eq!(space.prune(), 2, "of pages, and of the large leaf");
        assert_eq!(space.map(space.at(0), run(4 * LARGE, LARGE)), Ok(()));
        space.check();
    }
    on_each_format!(scenario);
}

#[test]
#[cfg_attr(miri, ignore = "a model of so many pages takes minutes there")]
fn random_operations_agree_with_the_model() {
    const SEED: u64 = 11;
    fn scenario<F: Format>(mut space: Space<F>) {
        let mut rng = Rng::new(SEED);
        for step in 0..600 {
            // Now and then on a border of large pages.
            let align = if rng.one_in(2) { 1 } else { LARGE };
            let at = space.at(rng.below(8 * LARGE) / align * align);
            let pages = 1 + rng.below(2 * LARGE);
            match rng.below(6) {
                0 | 1 => _ = space.map(at, run(rng.below(1 << 16) / align * align, pages)),
                2 => {
                    let frames: Vec<Pfn> = (0..pages).map(|_| Pfn::new(rng.next_u64() as u32)).collect();
                    _ = space.map(at, Frames::Each(&frames));
                }
                3 => _ = space.protect(at, pages.min(64), if rng.one_in(2) { Access::Read } else { Access::ReadWrite }),
                4 => space.unmap(at, pages),
                _ => _ = space.prune(),
            }
            if step % 20 == 0 {
                space.check();
            }
        }
        space.unmap(space.at(0), 16 * LARGE);
        space.check();
        assert_eq!(space.leaves(), []);
    }
    println!("seed {SEED}");
    on_each_format!(scenario);
}

#[test]
#[cfg_attr(miri, ignore = "a model of so many pages takes minutes there")]
fn an_address_has_the_same_offset_in_a_page_of_any_size() {
    fn scenario<F: Format>(mut space: Space<F>) {
        assert_eq!(space.map(space.at(HUGE), run(HUGE, HUGE + LARGE + 1)), Ok(()));
        for page in [0, 1, LARGE - 1, HUGE - 1, HUGE, HUGE + LARGE - 1, HUGE + LARGE] {
            assert_eq!(space.phys(space.at(HUGE + page).add(0x123)), Some(((HUGE + page) * PAGE_SIZE + 0x123) as u64));
        }
        assert_eq!(space.phys(space.at(HUGE - 1)), None);
        assert_eq!(space.phys(space.at(2 * HUGE + LARGE + 1)), None);
    }
    on_each_format!(scenario);
}
