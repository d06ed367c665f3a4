//! Dirty pages are written back: the oldest first, with their neighbours.

use alloc::sync::Arc;

use kapi::{Kernel, SpinLock};
use mm::own::PageRef;
use mm::{PAGE_SIZE, Pfn};

use crate::backing::{Backing, Direction, Kind, PageIo, Place};
use crate::cache::PageCache;
use crate::index::{Descriptor, Index, Marks};
use crate::state::State;

/// Pages that are written together, at most.
pub(crate) const ROUND: usize = 32;
/// Pages of a mapping that are looked at in search of one that can be written.
const PASSED_OVER: usize = 8;

/// Ticks before a page whose write has failed is written again by who has no need of it.
const RETRY: i32 = 500;

/// Neighbours on their way out: they are marked, and not yet begun.
pub(crate) struct Batch {
    backing: Arc<dyn Backing>,
    frames: [Pfn; ROUND],
    pages: usize,
    /// The index of the first, and bytes that there are of the last.
    first: u32,
    last_bytes: usize,
}

impl Batch {
    /// The frames of its pages, and of no others behind them.
    pub(crate) const fn frames(&self) -> [Pfn; ROUND] {
        self.frames
    }

    fn place(&self, number: usize) -> Place {
        let bytes = if number + 1 == self.pages { self.last_bytes } else { PAGE_SIZE };
        Place { frame: self.frames[number], index: u64::from(self.first) + number as u64, bytes }
    }
}

/// What can be done for a dirty page.
pub(crate) enum Next<K: Kernel> {
    /// Write these.
    Write(Batch),
    /// Wait for its lock.
    Wait(PageRef<K>),
    /// Nothing: there is none.
    Nothing,
}

impl<K: Kernel> Index<K> {
    /// Whether the page at `index` of `mapping` is dirty, nobody changes it at the moment, and somebody wants it
    /// written.
    fn is_writable(&self, mapping: u32, index: u32) -> Option<u32> {
        let frame = self.find(mapping, index)?;
        let (page, slot) = (self.pool.at(frame), self.slots.at(mapping));
        let is_dirty = page.state() == State::Dirty && !page.has(Marks::LOCKED) && slot.bytes_of(index) > 0;
        // A page of processes that somebody maps is about to leave the cache.
        let is_free = slot.kind != Kind::Swap || page.references() == 1;
        (is_dirty && is_free && slot.kind != Kind::Memory && self.is_wanted(frame)).then_some(frame)
    }

    /// Marks a dirty page and its dirty neighbours as on their way out. `None` if it cannot be written now.
    pub(crate) fn batch_around(&mut self, frame: u32) -> Option<Batch> {
        let (mapping, index) = (self.pool.at(frame).mapping(), self.pool.at(frame).index());
        self.is_writable(mapping, index)?;
        let mut first = index;
        while first > 0 && index - first < ROUND as u32 / 2 && self.is_writable(mapping, first - 1).is_some() {
            first -= 1;
        }
        let backing = self.slots.at(mapping).backing.clone()?;
        let mut batch = Batch { backing, frames: [Pfn::new(0); ROUND], pages: 0, first, last_bytes: 0 };
        while batch.pages < ROUND {
            let Some(at) = first.checked_add(batch.pages as u32) else { break };
            let Some(frame) = self.is_writable(mapping, at) else { break };
            batch.frames[batch.pages] = Pfn::new(frame);
            batch.last_bytes = self.place_of(frame).bytes;
            self.begin_write(frame);
            batch.pages += 1;
        }
        self.slots.at_mut(mapping).was_written = true;
        Some(batch)
    }

    /// The oldest dirty pages of any mapping that have been so for `age` ticks, as a batch.
    fn oldest_batch(&mut self, age: u32, now: u32) -> Option<Batch> {
        let due = self.dirty_mappings().filter_map(|mapping| self.oldest_due(mapping, age, now));
        let oldest = due.max_by_key(|&frame| self.pool.at(frame).age(now))?;
        self.batch_around(oldest)
    }

    /// The oldest page of a mapping that has been dirty for `age` ticks and can be written now. A mapping whose first
    /// pages cannot does not hold up others.
    fn oldest_due(&self, mapping: u32, age: u32, now: u32) -> Option<u32> {
        let first = self.slots.at(mapping).list(State::Dirty).first();
        let oldest = core::iter::successors(Some(first), |&frame| self.behind(frame)).take(PASSED_OVER);
        let is_old = |&frame: &u32| self.pool.at(frame).age(now) >= age as i32;
        let can_go = |&frame: &u32| {
            let page = self.pool.at(frame);
            let is_due = page.tries == 0 || page.age(now) >= RETRY;
            is_due && self.is_writable(mapping, page.index()).is_some()
        };
        oldest.take_while(is_old).find(can_go)
    }

    /// What to do for the oldest dirty page of a mapping, if it has been so since the tick `start` or longer.
    pub(crate) fn next_of(&mut self, mapping: u32, start: u32) -> Next<K> {
        // Behind one that has failed since all are younger than the sync.
        while let Some((frame, age)) = self.first_dirty_of(mapping, start)
            && age >= 0
            && !self.pool.at(frame).has(Marks::FAILED)
        {
            if self.place_of(frame).bytes > 0 {
                return self.next_for(frame);
            }
            // It lies beyond the end: nobody reads it any more.
            self.set_state(frame, State::Clean);
        }
        Next::Nothing
    }

    /// What to do for a dirty page.
    pub(crate) fn next_for(&mut self, frame: u32) -> Next<K> {
        if let Some(batch) = self.batch_around(frame) {
            return Next::Write(batch);
        }
        let locked = Some(self.pool.at(frame)).filter(|page| page.has(Marks::LOCKED));
        locked.and_then(Descriptor::another).map_or(Next::Nothing, Next::Wait)
    }
}

impl<K: Kernel> PageCache<K> {
    /// Begins to write up to about `most` pages that have been dirty for `age` ticks, the oldest first; returns how
    /// many.
    pub(crate) fn write_oldest(&'static self, most: usize, age: u32) -> usize {
        let mut pages = 0;
        while pages < most {
            let now = self.now();
            let Some(batch) = self.index.with(|index| index.oldest_batch(age, now)) else { break };
            pages += batch.pages;
            self.submit(batch);
        }
        pages
    }

    /// Begins the writes of a batch; returns of how many pages. May sleep until requests can begin.
    pub(crate) fn submit(&'static self, batch: Batch) -> usize {
        batch.backing.begin();
        for number in 0..batch.pages {
            batch.backing.write(PageIo::new(self, batch.place(number), Direction::Write));
        }
        batch.backing.end();
        batch.pages
    }
}
