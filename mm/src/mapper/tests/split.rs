//! Splitting and rights: part of a large page is changed, and the rest stays.

use core::sync::atomic::Ordering::Relaxed;
use std::vec::Vec;
use std::{println, vec};

use super::{Simulated, VirtAddr};
use crate::addr::{PAGE_SIZE, Pfn, PfnRange};
use crate::error::MapError;
use crate::flush::MustFlush;
use crate::mapper::{Frames, Level, Spares};
use crate::testing::Rng;

/// A gigabyte that starts here is mapped to frames from [`FRAME`] on, with rights 7.
const AT: VirtAddr = VirtAddr::new(3 << 30);
const FRAME: u32 = 5 << 18;
const GIB: usize = Level::Three.pages();

fn gigabyte() -> Simulated {
    let mut space = Simulated::new(16);
    let range = PfnRange::new(Pfn::new(FRAME), Pfn::new(FRAME + GIB as u32));
    assert_eq!(space.map(AT, Frames::Run(range), 7), Ok(()));
    space
}

/// Level and number of the leaves, side by side with the same rights, in order.
fn runs(space: &Simulated) -> Vec<(Level, usize, u8)> {
    let (mut at, end, mut runs) = (VirtAddr::new(0), VirtAddr::new(1 << 47), Vec::new());
    while let Some(run) = space.mapper.next_run(at, end) {
        runs.push((run.level, run.bytes / run.level.bytes(), run.rights));
        at = run.start.add(run.bytes);
    }
    runs
}

impl Simulated {
    /// At most `tables` frames for tables; what is left of them comes back.
    fn with_spares<R>(&mut self, tables: usize, f: impl FnOnce(&mut Self, &mut Spares) -> R) -> R {
        let mut spares = Spares::EMPTY;
        for _ in 0..tables {
            let frame = self.spare.pop().expect("enough frames");
            spares.add(frame).expect("as many as one call needs");
        }
        let result = f(self, &mut spares);
        self.spare.extend(core::iter::from_fn(|| spares.take()));
        result
    }

    /// Gives pages other rights, with at most `tables` new tables; says why not.
    fn protect(&mut self, at: VirtAddr, pages: usize, rights: u8, tables: usize) -> Result<(), MapError> {
        let protect = |space: &mut Self, spares: &mut Spares| space.mapper.protect(at, pages, |_| rights, spares);
        let done = self.with_spares(tables, protect).map(MustFlush::flushed);
        if done.is_ok() {
            let range = at.as_usize()..at.add(pages * PAGE_SIZE).as_usize();
            self.model.range_mut(range).for_each(|(_, page)| page.1 = rights);
        }
        done
    }

    /// Makes one leaf of those around `at`, and has the table back; says whether it could.
    fn merge(&mut self, at: VirtAddr) -> bool {
        let Some((unlinked, must_flush)) = self.mapper.merge(at) else { return false };
        must_flush.flushed();
        // A table that is offered is zeroed.
        self.mapper.table(unlinked.table).iter().for_each(|slot| slot.store(0, Relaxed));
        self.spare.push(unlinked.table);
        true
    }

    /// Unmaps pages, whatever maps them, with at most `tables` new tables.
    fn unmap_part(&mut self, at: VirtAddr, pages: usize, tables: usize) -> Result<(), MapError> {
        self.with_spares(tables, |space, spares| space.mapper.split(at, pages, spares))?;
        self.unmap(at, pages);
        Ok(())
    }
}

#[test]
fn a_gigabyte_is_split_down_to_the_page_that_changes() {
    let mut space = gigabyte();
    let page = AT.add(5 * Level::Two.bytes() + 3 * PAGE_SIZE);
    assert_eq!(space.protect(page, 1, 1, 2), Ok(()));
    let (two, one) = (Level::Two, Level::One);
    assert_eq!(runs(&space), [(two, 5, 7), (one, 3, 7), (one, 1, 1), (one, 508, 7), (two, 506, 7)]);
    space.check();
    // Nothing has to be split for the same page again.
    assert_eq!(space.protect(page, 1, 7, 0), Ok(()));
    assert_eq!(space.unmap_part(page, 1, 0), Ok(()));
    space.check();
}

#[test]
fn what_was_split_is_merged_once_all_have_the_same_rights() {
    let mut space = gigabyte();
    let (page, free) = (AT.add(5 * Level::Two.bytes() + 3 * PAGE_SIZE), space.spare.len());
    assert_eq!(space.protect(page, 1, 1, 2), Ok(()));
    assert!(!space.merge(page), "one page differs");
    assert_eq!(space.protect(page, 1, 7, 0), Ok(()));
    assert!(space.merge(page));
    assert_eq!(runs(&space), [(Level::Two, 512, 7)]);
    space.check();
    assert!(space.merge(AT));
    assert_eq!((runs(&space), space.spare.len()), (vec![(Level::Three, 1, 7)], free));
    assert!(!space.merge(AT), "there is no larger leaf");
    space.check();
    // Neither pages that are no neighbours, nor those whose place fits no large page, nor holes.
    let two = Level::Two.pages() as u32;
    for (start, gap) in [(FRAME + 1, 0), (FRAME, 1)] {
        let mut space = Simulated::new(16);
        let half = |from: u32| Frames::Run(PfnRange::new(Pfn::new(from), Pfn::new(from + two / 2)));
        assert_eq!(space.map(AT, half(start), 7), Ok(()));
        assert!(!space.merge(AT));
        assert_eq!(space.map(AT.add(Level::Two.bytes() / 2), half(start + two / 2 + gap), 7), Ok(()));
        assert!(!space.merge(AT));
        space.check();
    }
}

#[test]
fn what_covers_large_pages_whole_splits_none() {
    let mut space = gigabyte();
    assert_eq!(space.protect(AT, GIB, 1, 0), Ok(()));
    assert_eq!(runs(&space), [(Level::Three, 1, 1)]);
    assert_eq!(space.protect(AT.add(Level::Two.bytes()), Level::Two.pages(), 2, 1), Ok(()));
    assert_eq!(runs(&space), [(Level::Two, 1, 1), (Level::Two, 1, 2), (Level::Two, 510, 1)]);
    space.check();
}

#[test]
fn without_a_table_everything_stays_as_it_was() {
    let mut space = gigabyte();
    // Both ends lie inside large pages: of one gigabyte, but two times 2 MiB.
    let (at, pages) = (AT.add(PAGE_SIZE), 3 * Level::Two.pages());
    for tables in 0..3 {
        assert_eq!(space.protect(at, pages, 1, tables), Err(MapError::TableMissing));
        assert_eq!(space.unmap_part(at, pages, tables), Err(MapError::TableMissing));
        assert_eq!(runs(&space), [(Level::Three, 1, 7)]);
    }
    let free = space.spare.len();
    assert_eq!(space.protect(at, pages, 1, Spares::MOST), Ok(()));
    assert_eq!(space.spare.len(), free - 3, "one is left over");
    space.check();
}

#[test]
fn two_gigabytes_need_the_most_tables() {
    let mut space = gigabyte();
    let next = PfnRange::new(Pfn::new(FRAME), Pfn::new(FRAME + GIB as u32));
    assert_eq!(space.map(AT.add(Level::Three.bytes()), Frames::Run(next), 7), Ok(()));
    assert_eq!(space.protect(AT.add(PAGE_SIZE), GIB, 1, Spares::MOST - 1), Err(MapError::TableMissing));
    assert_eq!(space.protect(AT.add(PAGE_SIZE), GIB, 1, Spares::MOST), Ok(()));
    space.check();
}

#[test]
fn rights_of_pages_that_are_not_there_cannot_change() {
    let mut space = gigabyte();
    assert_eq!(space.protect(AT, GIB + 1, 1, 4), Err(MapError::NotMapped));
    assert_eq!(space.protect(VirtAddr::new(0), 1, 1, 4), Err(MapError::NotMapped));
    let last = VirtAddr::new(usize::MAX & !(PAGE_SIZE - 1));
    assert_eq!(space.protect(last, 2, 1, 4), Err(MapError::OutOfRange));
    assert_eq!(space.protect(AT.add(PAGE_SIZE), 0, 1, 0), Ok(()));
    assert_eq!(runs(&space), [(Level::Three, 1, 7)]);
    space.check();
}

#[test]
fn a_large_page_fits_again_where_its_parts_and_their_tables_are_gone() {
    let mut space = gigabyte();
    let free = space.spare.len();
    assert_eq!(space.protect(AT.add(PAGE_SIZE), 1, 1, 2), Ok(()));
    space.unmap(AT, GIB);
    let range = PfnRange::new(Pfn::new(FRAME), Pfn::new(FRAME + GIB as u32));
    assert_eq!(space.map(AT, Frames::Run(range), 7), Err(MapError::TableInTheWay));
    space.prune();
    assert_eq!(space.spare.len(), free);
    assert_eq!(space.map(AT, Frames::Run(range), 7), Ok(()));
    assert_eq!(runs(&space), [(Level::Three, 1, 7)]);
}

#[test]
fn random_changes_of_all_sizes_agree_with_a_naive_model() {
    let seed = 7;
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut space = Simulated::new(1600);
    let all = 2 * GIB;
    for step in 0..400 {
        let level = [Level::One, Level::Two, Level::Three][rng.below(3)];
        let first = rng.below(all) & !(level.pages() - 1);
        let most = [40, 3000, all][rng.below(3)];
        let pages = (1 + rng.below(most)).next_multiple_of(level.pages()).min(all - first);
        let (at, rights, tables) = (AT.add(first * PAGE_SIZE), rng.below(8) as u8, rng.below(Spares::MOST + 1));
        let _: Result<(), MapError> = match rng.below(8) {
            0..4 => {
                let start = Pfn::new(FRAME + first as u32);
                space.map(at, Frames::Run(PfnRange::new(start, start.add(pages as u32))), rights)
            }
            4 => space.unmap_part(at, pages, tables),
            5 => space.unmap_part(at, pages.min(8), tables),
            6 if step % 2 == 0 => {
                while space.merge(at) {}
                Ok(())
            }
            _ => space.protect(at, pages, rights, tables),
        };
        if step % 25 == 0 {
            space.check();
            space.prune();
        }
    }
    space.check();
    assert_eq!(space.unmap_part(AT, all, 0), Ok(()));
    space.check();
    space.prune();
    assert_eq!(space.spare.len(), space.frames - 2, "all but the root and one table of level three");
}
