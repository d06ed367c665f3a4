//! Reclaim in page tables: what is not used goes; all of a swap area returns.
//!
//! The scan is 2.4's: round the spaces, from where it stopped in each, at most one table under the lock. What it takes
//! keeps the mapping's reference until no TLB shows it: nobody writes such a page to its disk before, nor frees it.

use core::ops::ControlFlow;

use super::list::SpaceList;
use super::machine::UserMachine;
use super::object::ObjectError;
use super::swap::{Scan, SwapOut, SwapStore};
use super::tables::Tables;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::gfp::GfpFlags;
use crate::mapper::{Protection, Slots, SwapSlot, UserEntry, UserFormat};
use crate::own::Global;
use crate::page::{BlockChain, PageFlags};

/// Pages that go before a flush: as many as 2.4 took at once.
const BATCH: usize = 32;
/// Times that the scan may come to the end of each space: the first time, pages were used since the last.
const ROUNDS: usize = 2;

/// Pages of files that a space keeps, whoever wants memory: what an instruction needs at the same time, and a few more.
/// With fewer a program would have each page that it brings taken for the next one, and never come further, and no
/// request would ever fail.
const KEPT_OF_FILES: usize = 16;

/// What is asked for, and what has been done.
struct Taker {
    store: &'static dyn SwapStore,
    gfp: GfpFlags,
    wanted: usize,
    done: SwapOut,
    /// Pages that were taken, with the references of their mappings.
    taken: [Pfn; BATCH],
    len: usize,
}

/// Where a scan of a space has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Some way.
    Further,
    /// The end of the space, or there is nothing to be done there now.
    End,
}

impl Taker {
    fn is_full(&self) -> bool {
        self.len == BATCH || self.done.unmapped >= self.wanted
    }

    /// Takes the page of an entry away, if it was not used since the last time and may go.
    fn take<K: Global, M: UserMachine>(&mut self, tables: &Tables<K, M>, slots: &Slots<'_, M::Format>, place: usize) {
        let UserEntry::Leaf(frame, rights) = slots.entry(place) else { return };
        let pages = K::memory().pages();
        self.done.scanned += 1;
        if !self.gfp.zones().contains(&pages.direct().zone_of(frame)) || !pages.is_reclaimable(frame) {
            return;
        }
        if M::Format::is_accessed(rights) {
            slots.change(place, M::Format::without_accessed);
            // Nobody asks that of a page that the cache does not have, and it would be old when somebody does.
            if pages.page_flags(frame).contains(PageFlags::CACHED) {
                pages.set_page_flags(frame, PageFlags::REFERENCED);
            }
            return;
        }
        let is_anonymous = pages.is_anonymous(frame);
        if !is_anonymous && tables.counts.of_files() <= KEPT_OF_FILES {
            return;
        }
        tables.begin_taking();
        let before = if is_anonymous {
            let Some(slot) = self.store.assign(frame) else { return };
            self.done.swapped += 1;
            tables.counts.swapped.fetch_add(1, Relaxed);
            slots.set_swapped(place, slot)
        } else {
            slots.take(place)
        };
        tables.counts.remove_leaf(is_anonymous);
        if matches!(before, UserEntry::Leaf(_, rights) if M::Format::is_dirty(rights)) {
            if is_anonymous {
                pages.set_page_flags(frame, PageFlags::DIRTY);
            } else {
                self.store.note_dirty(frame);
            }
        }
        self.done.unmapped += 1;
        self.taken[self.len] = frame;
        self.len += 1;
    }

    /// Gives the references back to what no TLB shows any more.
    fn put<K: Global>(&mut self) {
        let (pages, mut chain) = (K::memory().pages(), BlockChain::EMPTY);
        self.taken[..core::mem::take(&mut self.len)].iter().for_each(|&frame| pages.put_page(frame, &mut chain));
        pages.free_chain(chain);
    }
}

impl<K: Global, M: UserMachine> Tables<K, M> {
    /// Takes pages of the next table away, up to a batch.
    fn scan(&self, taker: &mut Taker) -> Reached {
        let range = self.machine().range();
        let reached = self.visit(|state| {
            let from = state.scanned.max(range.start);
            let Some(slots) = self.mapper().slots(from, range.end) else {
                state.scanned = range.start;
                return Reached::End;
            };
            let stopped = slots.try_each(|place, _| {
                taker.take(self, &slots, place);
                if !taker.is_full() {
                    return ControlFlow::Continue(());
                }
                ControlFlow::Break(slots.start().add((place + 1) * PAGE_SIZE))
            });
            state.scanned = stopped.break_value().unwrap_or(slots.end());
            let pages = (state.scanned.as_usize() - slots.start().as_usize()) / PAGE_SIZE;
            self.end_taking(state, (taker.len > 0).then_some((slots.start(), pages)));
            Reached::Further
        });
        if taker.len > 0 {
            self.flush_stale();
            taker.put::<K>();
        }
        reached.unwrap_or(Reached::End)
    }

    /// The first entry from `from` on that names a slot of a swap area.
    fn next_swapped(&self, area: u8, from: VirtAddr) -> Option<(VirtAddr, SwapSlot)> {
        let (mut at, end) = (from, self.machine().range().end);
        loop {
            // A table at a time under the lock.
            let found = self.change_from_outside(|_| {
                if self.counts.swapped.load(Relaxed) == 0 {
                    return None;
                }
                let slots = self.mapper().slots(at, end)?;
                at = slots.end();
                let found = slots.try_each(|place, entry| match entry {
                    UserEntry::Swapped(slot) if slot.area() == area => {
                        ControlFlow::Break((slots.start().add(place * PAGE_SIZE), slot))
                    }
                    _ => ControlFlow::Continue(()),
                });
                Some(found.break_value())
            })??;
            if found.is_some() {
                return found;
            }
        }
    }

    /// Whether the entry of a page still names a slot.
    fn names(&self, at: VirtAddr, slot: SwapSlot) -> bool {
        let names = self
            .change_from_outside(|_| self.slot_at(at).is_some_and(|slots| slots.entry(0) == UserEntry::Swapped(slot)));
        names == Some(true)
    }

    /// The entry of a page, if there is a table for it; under the lock.
    fn slot_at(&self, at: VirtAddr) -> Option<Slots<'_, M::Format>> {
        self.mapper().slots(at, at.add(PAGE_SIZE)).filter(|slots| slots.start() == at)
    }

    /// Has the page in `frame`, with its reference, show where `slot` was; nobody may use it there before the next
    /// fault says how. Gives the reference back if that place has changed.
    fn enter(&self, at: VirtAddr, slot: SwapSlot, frame: Pfn) {
        K::memory().pages().note_mapped(frame);
        let entered = self.change_from_outside(|_| {
            let Some(slots) = self.slot_at(at) else { return false };
            let is_there = slots.entry(0) == UserEntry::Swapped(slot);
            if is_there {
                self.counts.swap_in();
                slots.set(0, frame, M::Format::user(Protection::empty()));
            }
            is_there
        });
        match (entered, self.swap()) {
            (Some(true), Some(store)) => store.release(slot),
            (Some(true), None) => {}
            _ => self.put_one(frame),
        }
    }
}

impl<K: Global, M: UserMachine> Scan for SpaceList<K, M> {
    fn swap_out(&self, gfp: GfpFlags, pages: usize) -> SwapOut {
        let mut ends = ROUNDS * self.len();
        let Some(mut tables) = self.current() else { return SwapOut::default() };
        let Some(store) = tables.swap() else { return SwapOut::default() };
        let mut taker =
            Taker { store, gfp, wanted: pages, done: SwapOut::default(), taken: [Pfn::new(0); BATCH], len: 0 };
        while ends > 0 && taker.done.unmapped < pages {
            if tables.scan(&mut taker) == Reached::End {
                self.pass(&tables);
                let Some(next) = self.current() else { break };
                tables = next;
                ends -= 1;
            }
        }
        taker.done
    }

    fn unswap(&self, area: u8, bring: &mut dyn FnMut(SwapSlot) -> Result<Pfn, ObjectError>) -> Result<(), ObjectError> {
        self.try_each(|tables| {
            let mut at = VirtAddr::new(0);
            while let Some((found, slot)) = tables.next_swapped(area, at) {
                match bring(slot) {
                    Ok(frame) => tables.enter(found, slot, frame),
                    Err(error) if tables.names(found, slot) => return Err(error),
                    // The owner has brought it himself, and the share in the slot is gone.
                    Err(_) => {}
                }
                at = found;
            }
            Ok(())
        })
    }
}
