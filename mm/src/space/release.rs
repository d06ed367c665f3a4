//! Pages and tables given back: a run at a time, after its flush.

use core::ops::ControlFlow;

use super::area::Area;
use super::object::Object;
use super::{Space, UserMachine};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::flush::{AddressSpace, MustFlush};
use crate::mapper::Gap;
use crate::own::Global;
use crate::page::BlockChain;

/// Pages that one flush serves.
const BATCH: usize = 128;

/// Frames of pages whose references go back together.
struct Batch {
    frames: [Pfn; BATCH],
    len: usize,
}

impl Batch {
    const EMPTY: Self = Self { frames: [Pfn::new(0); BATCH], len: 0 };

    fn is_full(&self) -> bool {
        self.len == BATCH
    }

    fn push(&mut self, frame: Pfn) {
        self.frames[self.len] = frame;
        self.len += 1;
    }

    fn take(&mut self) -> &[Pfn] {
        &self.frames[..core::mem::take(&mut self.len)]
    }
}

/// Whether a CPU may know what goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Some may.
    Perhaps,
    /// The root was retired, or never used.
    No,
}

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Flushes what was changed of these pages.
    pub(super) fn flush(&self, at: VirtAddr, pages: usize) {
        self.machine.flush(self.root(), MustFlush::new(AddressSpace::User, at, pages));
    }

    /// Takes the pages of `from..end` out of the tables and gives their references back.
    pub(super) fn release_pages(&mut self, from: VirtAddr, end: VirtAddr) {
        let pages = K::memory().pages();
        let (mut at, mut begun, mut batch) = (from, from, Batch::EMPTY);
        while let Some(slots) = self.mapper.slots(at, end) {
            at = slots.end();
            let full = slots.try_each(|place, frame, _| {
                slots.clear(place);
                self.usage.resident -= 1;
                self.usage.anonymous -= usize::from(pages.is_anonymous(frame));
                batch.push(frame);
                if batch.is_full() { ControlFlow::Break(place + 1) } else { ControlFlow::Continue(()) }
            });
            if let ControlFlow::Break(next) = full {
                at = slots.start().add(next * PAGE_SIZE);
                self.put(&mut batch, begun, at);
                begun = at;
            }
        }
        self.put(&mut batch, begun, end);
    }

    /// Gives a batch back that showed at `from..end`.
    fn put(&self, batch: &mut Batch, from: VirtAddr, end: VirtAddr) {
        if batch.len == 0 {
            return;
        }
        self.flush(from, (end.as_usize() - from.as_usize()) / PAGE_SIZE);
        let (pages, mut chain) = (K::memory().pages(), BlockChain::EMPTY);
        batch.take().iter().for_each(|&frame| pages.put_page(frame, &mut chain));
        pages.free_chain(chain);
    }

    /// Gives the references to the pages of `from..end` back, whose tables no CPU knows and that go after this.
    fn drop_pages(&mut self, from: VirtAddr, end: VirtAddr) {
        let (pages, mut chain, mut at) = (K::memory().pages(), BlockChain::EMPTY, from);
        while let Some(slots) = self.mapper.slots(at, end) {
            at = slots.end();
            slots.each(|_, frame, _| pages.put_page(frame, &mut chain));
        }
        pages.free_chain(chain);
    }

    /// Gives the tables back that map a part of `from..end`, where no area is any more, and of no area.
    pub(super) fn release_tables(&mut self, from: VirtAddr, end: VirtAddr, known: Known) {
        let gap = Gap {
            floor: self.areas.before(from).map_or(VirtAddr::new(0), |area| area.end),
            ceiling: self.areas.next(end).map(|area| area.start),
        };
        self.release_tables_in(from, end, gap, known);
    }

    fn release_tables_in(&mut self, from: VirtAddr, end: VirtAddr, gap: Gap, known: Known) {
        let (memory, mut tables) = (K::memory(), BlockChain::EMPTY);
        self.mapper.unlink_tables(from, end, gap, &mut |table| tables.push(memory.pages().map(), table));
        if tables.len() > 0 {
            self.usage.tables -= tables.len() as usize;
            if known == Known::Perhaps {
                self.flush(from, (end.as_usize() - from.as_usize()) / PAGE_SIZE);
            }
            memory.tables().drop_tables(tables);
        }
    }
}

impl<K: Global, M: UserMachine, O: Object> Drop for Space<K, M, O> {
    fn drop(&mut self) {
        self.machine.retire(self.root());
        let mut floor = VirtAddr::new(0);
        while let Some(&Area { start, end, .. }) = self.areas.next(floor) {
            self.drop_pages(start, end);
            let ceiling = self.areas.next(end).map(|area| area.start);
            self.release_tables_in(start, end, Gap { floor: VirtAddr::new(0), ceiling }, Known::No);
            floor = end;
        }
        while let Some(area) = self.areas.pop() {
            area.tell(O::unmapped);
        }
        K::memory().tables().drop_table(self.root());
    }
}
