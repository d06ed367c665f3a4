//! The walker against a naive model, on simulated tables.

extern crate std;

mod split;

use core::sync::atomic::AtomicU64;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;
use std::{println, vec};

use super::{Access, ENTRIES, Entry, Format, Frames, Level, Mapping, PageMapper, Table};
use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::error::MapError;
use crate::flush::AddressSpace;

/// Four levels and pages of up to 1 GiB; rights are a number below 256.
struct Simple;

// SAFETY: the only processor that reads these entries is `read`.
unsafe impl Format for Simple {
    const TOP: Level = Level::Four;

    type Rights = u8;

    fn largest(&self) -> Level {
        Level::Three
    }

    fn leaf(&self, frame: Pfn, _level: Level, rights: u8) -> u64 {
        frame.phys().as_u64() << 8 | u64::from(rights) << 2 | 1
    }

    fn table(&self, frame: Pfn) -> u64 {
        frame.phys().as_u64() << 8 | 3
    }

    fn read(&self, bits: u64, _level: Level) -> Entry<u8> {
        let frame = Pfn::new((bits >> 20) as u32);
        match bits & 3 {
            1 => Entry::Leaf(frame, (bits >> 2) as u8),
            3 => Entry::Table(frame),
            _ => Entry::Empty,
        }
    }

    fn rights(mapping: Mapping) -> u8 {
        mapping as u8
    }

    fn with_access(rights: u8, access: Access) -> u8 {
        if access == Access::Read { rights | 2 } else { rights & !2 }
    }
}

#[repr(align(4096))]
struct Frame {
    _entries: Table,
}

/// Tables in a few frames of their own, and what is mapped by them, page by page.
struct Simulated {
    mapper: PageMapper<Simple>,
    spare: Vec<Pfn>,
    frames: usize,
    model: BTreeMap<usize, (u32, u8)>,
}

impl Simulated {
    fn new(frames: usize) -> Self {
        let memory: Vec<Frame> =
            (0..frames).map(|_| Frame { _entries: [const { AtomicU64::new(0) }; ENTRIES] }).collect();
        let window = VirtAddr::from_ptr(Box::leak(memory.into_boxed_slice()).as_ptr());
        // SAFETY: all frames show from the window on, zeroed, for ever.
        let mapper = unsafe { PageMapper::new(AddressSpace::Kernel, Pfn::new(0), window, Simple) };
        let spare = (1..frames as u32).map(Pfn::new).collect();
        Self { mapper, spare, frames, model: BTreeMap::new() }
    }

    /// Maps all of `frames`, with tables as they are needed; returns why it ended early.
    fn map(&mut self, at: VirtAddr, frames: Frames<'_>, rights: u8) -> Result<(), MapError> {
        let (mut done, mut table) = (0, None);
        let result = loop {
            if done == frames.len() {
                break Ok(());
            }
            match self.mapper.map(at.add(done * PAGE_SIZE), frames.after(done), rights, &mut table) {
                Ok(pages) => done += pages,
                Err(MapError::TableMissing) => table = Some(self.spare.pop().expect("enough frames")),
                Err(error) => break Err(error),
            }
        };
        self.spare.extend(table);
        for page in 0..done {
            let frame = match frames {
                Frames::Each(frames) => frames[page].as_u32(),
                Frames::Run(range) => range.start.as_u32() + page as u32,
            };
            let before = self.model.insert(at.add(page * PAGE_SIZE).as_usize(), (frame, rights));
            assert_eq!(before, None, "mapped twice");
        }
        result
    }

    /// Unmaps, and checks what the mapper says was there.
    fn unmap(&mut self, at: VirtAddr, pages: usize) {
        let mut found = vec![];
        let each = |frame: Pfn, pages| found.extend((0..pages as u32).map(|page| frame.add(page).as_u32()));
        let must_flush = self.mapper.unmap(at, pages, each);
        assert_eq!((must_flush.start(), must_flush.pages()), (at, pages));
        must_flush.flushed();
        let range = at.as_usize()..at.add(pages * PAGE_SIZE).as_usize();
        let expected: Vec<usize> = self.model.range(range).map(|(&at, _)| at).collect();
        let frames: Vec<u32> = expected.iter().filter_map(|at| self.model.remove(at)).map(|page| page.0).collect();
        assert_eq!(found, frames);
    }

    /// Checks every page of the model, and that the runs of leaves are exactly these.
    fn check(&self) {
        let end = VirtAddr::new(1 << 47);
        let (mut at, mut pages) = (VirtAddr::new(0), 0);
        while let Some(run) = self.mapper.next_run(at, end) {
            for page in (0..run.bytes / PAGE_SIZE).map(|page| run.start.add(page * PAGE_SIZE)) {
                let (frame, rights) = self.model[&page.as_usize()];
                let expected = (Pfn::new(frame).phys(), rights);
                assert_eq!(self.mapper.translate(page), Some(expected));
                assert_eq!(rights, run.rights);
            }
            pages += run.bytes / PAGE_SIZE;
            at = run.start.add(run.bytes);
        }
        assert_eq!(pages, self.model.len());
    }

    /// Takes all empty tables out.
    fn prune(&mut self) {
        let (mut at, end) = (VirtAddr::new(0), VirtAddr::new(1 << 47));
        while let Some((unlinked, must_flush)) = self.mapper.unlink_empty(at, end) {
            must_flush.flushed();
            assert!(!self.spare.contains(&unlinked.table), "a table went twice");
            self.spare.push(unlinked.table);
            at = unlinked.next;
        }
    }
}

#[test]
fn runs_are_mapped_by_the_largest_pages_that_fit() {
    let mut space = Simulated::new(16);
    let large = Level::Two.pages() as u32;
    // From half a megabyte below a gigabyte to a little beyond the next one.
    let start = VirtAddr::new((3 << 30) - (1 << 19));
    let first = Pfn::new((5 << 18) - 128);
    let range = PfnRange::new(first, Pfn::new((6 << 18) + 3 * large + 7));
    assert_eq!(space.map(start, Frames::Run(range), 9), Ok(()));
    let (mut at, mut runs) = (VirtAddr::new(0), vec![]);
    while let Some(run) = space.mapper.next_run(at, VirtAddr::new(1 << 47)) {
        runs.push((run.level, run.bytes / run.level.bytes()));
        at = run.start.add(run.bytes);
    }
    assert_eq!(runs, [(Level::One, 128), (Level::Three, 1), (Level::Two, 3), (Level::One, 7)]);
    space.check();
    space.unmap(start, range.frames());
    space.check();
}

#[test]
fn scattered_frames_are_never_mapped_by_large_pages() {
    // Shows: K16
    let mut space = Simulated::new(8);
    let frames: Vec<Pfn> = (512..2048).map(Pfn::new).collect();
    assert_eq!(space.map(VirtAddr::new(1 << 30), Frames::Each(&frames), 1), Ok(()));
    assert_eq!(space.mapper.next_run(VirtAddr::new(0), VirtAddr::new(1 << 47)).map(|run| run.level), Some(Level::One));
    space.check();
}

#[test]
fn a_run_stops_before_what_is_mapped_already() {
    let mut space = Simulated::new(8);
    let at = VirtAddr::new(1 << 21);
    let three = [7, 8, 9].map(Pfn::new);
    assert_eq!(space.map(at.add(2 * PAGE_SIZE), Frames::Each(&three[..1]), 1), Ok(()));
    assert_eq!(space.map(at, Frames::Each(&three), 2), Err(MapError::AlreadyMapped));
    space.check();
    assert_eq!(space.model.len(), 3, "two pages, and the one that was there");
}

#[test]
fn a_large_page_waits_until_an_empty_table_is_out_of_its_way() {
    let mut space = Simulated::new(8);
    let at = VirtAddr::new(1 << 21);
    assert_eq!(space.map(at, Frames::Each(&[Pfn::new(3)]), 1), Ok(()));
    let large = Frames::Run(PfnRange::new(Pfn::new(512), Pfn::new(1024)));
    assert_eq!(space.map(at, large, 1), Err(MapError::TableInTheWay));
    assert_eq!(space.mapper.unlink_empty(at, at.add(1 << 21)), None, "it maps a page");
    space.unmap(at, 1);
    assert!(space.mapper.unlink_empty(at, at.add(1 << 21)).is_some_and(|(_, must_flush)| {
        must_flush.flushed();
        true
    }));
    assert_eq!(space.map(at, large, 1), Ok(()));
    assert_eq!(space.map(at.add(PAGE_SIZE), Frames::Each(&[Pfn::new(3)]), 1), Err(MapError::AlreadyMapped));
    space.check();
}

#[test]
fn a_large_page_goes_whole_or_not_at_all() {
    let mut space = Simulated::new(8);
    let at = VirtAddr::new(4 << 21);
    let range = PfnRange::new(Pfn::new(1024), Pfn::new(1536));
    assert_eq!(space.map(at, Frames::Run(range), 1), Ok(()));
    for (start, pages) in [(at, 511), (at.add(PAGE_SIZE), 511), (at.add(PAGE_SIZE), 1024)] {
        space.mapper.unmap(start, pages, |_, _| panic!("unmapped in part")).flushed();
    }
    space.check();
    space.unmap(at, 512);
}

#[test]
fn random_runs_agree_with_a_naive_model() {
    let seed = 5;
    println!("seed {seed}");
    let mut state: u64 = seed;
    let mut below = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut space = Simulated::new(200);
    for step in 0..2000 {
        // Three places, hundreds of gigabytes apart.
        let at = VirtAddr::new(((below(3) << 39) + (below(4096) << 12 & !(below(2) * 0x1f_ffff))) as usize);
        let pages = 1 + below(1100) as usize;
        match below(5) {
            0 | 1 => {
                let frames: Vec<Pfn> = (0..pages).map(|_| Pfn::new(below(1 << 30) as u32)).collect();
                let _ = space.map(at, Frames::Each(&frames), below(4) as u8);
            }
            2 => {
                let first = Pfn::new((below(1 << 10) << 9) as u32);
                let _ = space.map(at, Frames::Run(PfnRange::new(first, first.add(pages as u32))), below(4) as u8);
            }
            _ => {
                // Large pages at either end go whole.
                let from = VirtAddr::new(at.as_usize() & !0x1f_ffff);
                space.unmap(from, pages.next_multiple_of(512));
            }
        }
        if step % 50 == 0 {
            space.check();
            space.prune();
            space.check();
        }
    }
    for slot in 0..3 {
        space.unmap(VirtAddr::new(slot << 39), 1 << 18);
    }
    space.check();
    space.prune();
    // What is left: the root, and a table of level three for each place.
    assert_eq!(space.spare.len(), space.frames - 1 - 3);
}
