//! Pages and tables given back: a run at a time, after its flush.

use core::ops::ControlFlow;

use super::area::Area;
use super::object::Object;
use super::tables::{RightsOf, Tables};
use super::{Space, UserMachine};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::mapper::{Gap, Slots, SwapSlot, UserEntry, UserFormat};
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

impl<K: Global, M: UserMachine> Tables<K, M> {
    /// Takes out what is at a place; returns the frame of a leaf, whose mapping's reference is the caller's from here
    /// on, once no TLB shows it.
    fn take_out(&self, slots: &Slots<'_, M::Format>, place: usize) -> Option<Pfn> {
        let pages = K::memory().pages();
        match slots.take(place) {
            UserEntry::Empty => None,
            UserEntry::Leaf(frame, rights) => {
                let is_anonymous = pages.is_anonymous(frame);
                self.counts.remove_leaf(is_anonymous);
                if !is_anonymous {
                    self.note_written(frame, rights);
                }
                Some(frame)
            }
            UserEntry::Swapped(slot) => {
                self.counts.swapped.fetch_sub(1, Relaxed);
                self.release_slot(slot);
                None
            }
        }
    }

    /// Gives a share in a slot back.
    fn release_slot(&self, slot: SwapSlot) {
        if let Some(store) = self.swap() {
            store.release(slot);
        }
    }

    /// Tells the page cache of a page of a file that a program has written to by this mapping.
    pub(super) fn note_written(&self, frame: Pfn, rights: RightsOf<M>) {
        if M::Format::is_dirty(rights)
            && K::memory().pages().is_reclaimable(frame)
            && let Some(store) = self.swap()
        {
            store.note_dirty(frame);
        }
    }

    /// Gives a mapping's reference to a page back, which no TLB shows for it any more. A page that is in the swap cache
    /// for this mapping alone leaves it.
    fn put_page(&self, frame: Pfn, chain: &mut BlockChain) {
        self.leave_swap(frame);
        K::memory().pages().put_page(frame, chain);
    }

    /// The same of one page.
    pub(super) fn put_one(&self, frame: Pfn) {
        self.leave_swap(frame);
        K::memory().pages().put_one(frame);
    }

    /// Has a page leave the swap cache that is there for the caller's reference alone.
    pub(super) fn leave_swap(&self, frame: Pfn) {
        if K::memory().pages().is_swap_cached(frame)
            && let Some(store) = self.swap()
        {
            store.forget(frame);
        }
    }
}

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Flushes what was changed of these pages.
    pub(super) fn flush(&self, at: VirtAddr, pages: usize) {
        self.tables.flush(at, pages);
    }

    /// Takes the pages of `from..end` out of the tables and gives their references back.
    pub(super) fn release_pages(&mut self, from: VirtAddr, end: VirtAddr) {
        let (mut at, mut begun, mut batch) = (from, from, Batch::EMPTY);
        while let Some(slots) = self.tables.mapper().slots(at, end) {
            at = slots.end();
            let full = self.tables.change(|_| {
                slots.try_each(|place, _| {
                    if let Some(frame) = self.tables.take_out(&slots, place) {
                        batch.push(frame);
                    }
                    if batch.is_full() { ControlFlow::Break(place + 1) } else { ControlFlow::Continue(()) }
                })
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
        let mut chain = BlockChain::EMPTY;
        batch.take().iter().for_each(|&frame| self.tables.put_page(frame, &mut chain));
        K::memory().pages().free_chain(chain);
    }

    /// Gives the references to the pages of `from..end` back, whose tables no CPU knows and that go after this.
    fn drop_pages(&mut self, from: VirtAddr, end: VirtAddr) {
        let (pages, tables) = (K::memory().pages(), &*self.tables);
        let (mut chain, mut at) = (BlockChain::EMPTY, from);
        while let Some(slots) = tables.mapper().slots(at, end) {
            at = slots.end();
            slots.each(|_, entry| match entry {
                UserEntry::Leaf(frame, _) if pages.put_plain(frame, &mut chain) => {}
                UserEntry::Leaf(frame, rights) => {
                    tables.note_written(frame, rights);
                    tables.put_page(frame, &mut chain);
                }
                UserEntry::Swapped(slot) => tables.release_slot(slot),
                UserEntry::Empty => {}
            });
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
        self.tables.change(|_| {
            self.tables.mapper().unlink_tables(from, end, gap, &mut |table| tables.push(memory.pages().map(), table));
        });
        if tables.len() > 0 {
            self.table_count -= tables.len() as usize;
            if known == Known::Perhaps {
                self.flush(from, (end.as_usize() - from.as_usize()) / PAGE_SIZE);
            }
            memory.tables().drop_tables(tables);
        }
    }
}

impl<K: Global, M: UserMachine, O: Object> Drop for Space<K, M, O> {
    fn drop(&mut self) {
        if let Some(spaces) = self.spaces {
            spaces.leave(&self.tables);
        }
        self.tables.end();
        self.tables.machine().retire(self.root());
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
