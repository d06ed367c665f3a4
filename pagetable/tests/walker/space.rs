//! Page tables of a test, and a model of them that knows pages only.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use mm::mapper::{ENTRIES, Format, Level, PageMapper, Table};
use mm::{Access, AddressSpace, Frames, MapError, Mapping, MustFlush, PAGE_SIZE, Pfn, Spares, VirtAddr};

#[repr(align(4096))]
struct Frame {
    _entries: Table,
}

/// Tables in frames of their own, and what they should map: frame and access of each page.
pub struct Space<F: Format> {
    mapper: PageMapper<F>,
    free: Vec<Pfn>,
    /// The model.
    pub model: BTreeMap<usize, (u32, Access)>,
    /// The half of the addresses that the test uses: from here on.
    base: VirtAddr,
}

/// Frames for tables.
const FRAMES: u32 = 64;

impl<F: Format> Space<F> {
    /// Empty tables; the test uses addresses from `base` on.
    pub fn new(format: F, base: usize) -> Self {
        let frame = |_| Frame { _entries: [const { AtomicU64::new(0) }; ENTRIES] };
        let frames: Vec<Frame> = (0..FRAMES).map(frame).collect();
        let window = VirtAddr::from_ptr(Box::leak(frames.into_boxed_slice()).as_ptr());
        // SAFETY: all frames show from the window on, zeroed, for ever.
        let mapper = unsafe { PageMapper::new(AddressSpace::Kernel, Pfn::new(0), window, format) };
        let free = (1..FRAMES).map(Pfn::new).collect();
        Self { mapper, free, model: BTreeMap::new(), base: VirtAddr::new(base) }
    }

    /// The address `pages` pages from the base on.
    pub fn at(&self, pages: usize) -> VirtAddr {
        self.base.add(pages * PAGE_SIZE)
    }

    fn rights(access: Access) -> F::Rights {
        F::with_access(F::rights(Mapping::Memory), access)
    }

    pub fn map(&mut self, at: VirtAddr, frames: Frames<'_>) -> Result<(), MapError> {
        let (rights, mut done, mut spare) = (Self::rights(Access::ReadWrite), 0, None);
        let result = loop {
            let here = at.add(done * PAGE_SIZE);
            match self.mapper.map(here, frames.after(done), rights, &mut spare) {
                Ok(pages) => done += pages,
                Err(MapError::TableMissing) => spare = Some(self.free.pop().expect("enough frames")),
                Err(error) => break Err(error),
            }
            if done == frames.len() {
                break Ok(());
            }
        };
        self.free.extend(spare);
        for page in 0..done {
            let frame = match frames {
                Frames::Each(each) => each[page].as_u32(),
                Frames::Run(range) => range.start.as_u32() + page as u32,
            };
            let before = self.model.insert(at.add(page * PAGE_SIZE).as_usize(), (frame, Access::ReadWrite));
            assert_eq!(before, None, "mapped twice");
        }
        result
    }

    /// The pages of a range; `usize` keys do not wrap, for the last page is never used.
    fn range(at: VirtAddr, pages: usize) -> core::ops::Range<usize> {
        at.as_usize()..at.add(pages * PAGE_SIZE).as_usize()
    }

    pub fn protect(&mut self, at: VirtAddr, pages: usize, access: Access) -> Result<(), MapError> {
        let mut spares = Spares::EMPTY;
        while spares.len() < Spares::MOST {
            spares.add(self.free.pop().expect("enough frames")).expect("room");
        }
        let Self { mapper, model, .. } = self;
        let change = |rights| F::with_access(rights, access);
        let done = mapper.protect(at, pages, change, &mut spares).map(MustFlush::flushed);
        if done.is_ok() {
            model.range_mut(Self::range(at, pages)).for_each(|(_, page)| page.1 = access);
        }
        self.free.extend(core::iter::from_fn(|| spares.take()));
        done
    }

    /// Unmaps what whole leaves map of the range.
    pub fn unmap(&mut self, at: VirtAddr, pages: usize) {
        let mut gone = 0;
        self.mapper.unmap(at, pages, |_, pages| gone += pages).flushed();
        let mapped: Vec<usize> = self.model.range(Self::range(at, pages)).map(|(&at, _)| at).collect();
        let left = |at: &&usize| self.mapper.translate(VirtAddr::new(**at)).is_some();
        let still = mapped.iter().filter(left).count();
        assert_eq!(mapped.len() - still, gone);
        self.model.retain(|&at, _| self.mapper.translate(VirtAddr::new(at)).is_some());
    }

    /// Frames that are no tables.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// The physical address that `at` is mapped to.
    pub fn phys(&self, at: VirtAddr) -> Option<u64> {
        Some(self.mapper.translate(at)?.0.as_u64())
    }

    /// Every page of the model is mapped as it should be, and no other.
    pub fn check(&self) {
        for (&at, &(frame, access)) in &self.model {
            let offset = at % 97;
            let (phys, rights) = self.mapper.translate(VirtAddr::new(at + offset)).expect("mapped");
            assert_eq!(phys.as_u64(), Pfn::new(frame).phys().as_u64() + offset as u64);
            assert!(rights == Self::rights(access));
        }
        assert_eq!(self.leaves().iter().map(|(level, count)| level.pages() * count).sum::<usize>(), self.model.len());
    }

    /// Level and number of the leaves, run by run.
    pub fn leaves(&self) -> Vec<(Level, usize)> {
        let (mut at, mut leaves) = (self.base, Vec::new());
        while let Some(run) = self.mapper.next_run(at, self.base.add(1 << 37)) {
            leaves.push((run.level, run.bytes / run.level.bytes()));
            at = run.start.add(run.bytes);
        }
        leaves
    }

    /// Takes all empty tables out; returns how many.
    pub fn prune(&mut self) -> usize {
        let (mut at, before) = (self.base, self.free.len());
        while let Some((unlinked, must_flush)) = self.mapper.unlink_empty(at, self.base.add(1 << 37)) {
            must_flush.flushed();
            assert!(!self.free.contains(&unlinked.table), "a table went twice");
            self.free.push(unlinked.table);
            at = unlinked.next;
        }
        self.free.len() - before
    }
}
