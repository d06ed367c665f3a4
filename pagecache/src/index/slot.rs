//! What the cache knows of a mapping, and the table of them.

use alloc::sync::Arc;

use mm::own::{Global, KArc, KString, KVVec};
use mm::{AllocError, GfpFlags, PAGE_SIZE};

use super::descriptor::NONE;
use super::streams::Streams;
use crate::backing::{Backing, IoError, Kind};
use crate::state::State;

/// No slot.
pub(crate) const NOBODY: u32 = u32::MAX;

/// A list of pages: first in, first out.
#[derive(Clone, Copy)]
pub(crate) struct List {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) pages: usize,
}

impl List {
    const EMPTY: Self = Self { first: NONE, last: NONE, pages: 0 };

    /// Its first page's frame.
    pub(crate) const fn first(&self) -> u32 {
        self.first
    }
}

/// Errors of write-back, each of which every open file is told of once.
#[derive(Clone, Copy)]
pub(crate) struct Errors {
    count: u32,
    last: IoError,
    /// Whether somebody was told of the last one: then the next one is another.
    told: bool,
}

impl Errors {
    const NONE: Self = Self { count: 0, last: IoError::Failed, told: true };

    /// One more; whether nobody had been told of the one before.
    pub(crate) const fn add(&mut self, error: IoError) -> bool {
        let is_new = self.told;
        if is_new {
            self.count = self.count.wrapping_add(1);
        }
        self.last = error;
        self.told = false;
        is_new
    }

    /// What an open file that begins now has seen: all but what nobody was told of.
    pub(crate) const fn seen(&self) -> u32 {
        if self.told { self.count } else { self.count.wrapping_sub(1) }
    }

    /// Tells of the last one, if it is another than what was seen.
    pub(crate) const fn tell(&mut self, seen: &mut u32) -> Option<IoError> {
        if self.count == *seen {
            return None;
        }
        *seen = self.count;
        self.told = true;
        Some(self.last)
    }
}

/// A mapping.
pub(crate) struct Slot<K: Global> {
    /// `None`: the slot is free.
    pub(crate) backing: Option<Arc<dyn Backing>>,
    pub(crate) name: Option<KArc<KString<K>, K>>,
    pub(crate) kind: Kind,
    pub(crate) bytes: u64,
    pub(super) lists: [List; State::COUNT],
    /// Its neighbours on the list of mappings with dirty pages; of a free slot, the next free one.
    pub(super) before: u32,
    pub(super) after: u32,
    pub(crate) errors: Errors,
    /// That of the last read that failed.
    pub(crate) read_error: IoError,
    /// Whether pages of it may be marked as failed.
    pub(crate) has_failed: bool,
    /// Whether anything was written to its disk.
    pub(crate) was_written: bool,
    pub(crate) streams: Streams,
}

impl<K: Global> Slot<K> {
    const fn free(after: u32) -> Self {
        Self {
            backing: None,
            name: None,
            kind: Kind::File,
            bytes: 0,
            lists: [List::EMPTY; State::COUNT],
            before: NOBODY,
            after,
            errors: Errors::NONE,
            read_error: IoError::Failed,
            has_failed: false,
            was_written: false,
            streams: Streams::NONE,
        }
    }

    /// The list of its pages in this state.
    pub(crate) const fn list(&self, state: State) -> &List {
        &self.lists[state as usize]
    }

    /// Its pages.
    pub(crate) fn pages(&self) -> usize {
        self.lists.iter().map(|list| list.pages).sum()
    }

    /// Whether `sync` has anything to do for it.
    pub(crate) const fn has_work(&self) -> bool {
        self.was_written || self.list(State::Dirty).pages > 0
    }

    /// Bytes that there are of its page at `index`.
    pub(crate) fn bytes_of(&self, index: u32) -> usize {
        let start = u64::from(index) * PAGE_SIZE as u64;
        self.bytes.saturating_sub(start).min(PAGE_SIZE as u64) as usize
    }
}

/// The table of mappings.
pub(crate) struct Slots<K: Global> {
    slots: KVVec<Slot<K>, K>,
    free: u32,
}

impl<K: Global> Slots<K> {
    pub(crate) const fn new() -> Self {
        Self { slots: KVVec::new(), free: NOBODY }
    }

    /// Slots, free ones among them.
    pub(crate) fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    #[inline]
    pub(crate) fn at(&self, number: u32) -> &Slot<K> {
        &self.slots[number as usize]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, number: u32) -> &mut Slot<K> {
        &mut self.slots[number as usize]
    }

    /// A free slot; `None` if there is none, and no room for one.
    pub(crate) fn take(&mut self) -> Option<u32> {
        if self.free == NOBODY {
            // Room is there: nothing is allocated under the lock.
            let has_room = self.slots.len() < self.slots.capacity();
            let pushed = has_room && self.slots.push(Slot::free(NOBODY), GfpFlags::ATOMIC).is_ok();
            return pushed.then(|| self.len() - 1);
        }
        let number = self.free;
        self.free = self.at(number).after;
        self.at_mut(number).after = NOBODY;
        Some(number)
    }

    /// Frees a slot, whose pages are gone; returns what it held, to be dropped without the lock.
    pub(crate) fn give(&mut self, number: u32) -> Slot<K> {
        let after = core::mem::replace(&mut self.free, number);
        core::mem::replace(self.at_mut(number), Slot::free(after))
    }

    /// An empty table with room for twice as many, for [`grow`](Self::grow). Process context.
    pub(crate) fn larger(slots: u32) -> Result<KVVec<Slot<K>, K>, AllocError> {
        KVVec::with_capacity((slots as usize * 2).max(64), GfpFlags::KERNEL)
    }

    /// Moves to `room`, if it is larger; returns what is to be dropped without the lock.
    pub(crate) fn grow(&mut self, mut room: KVVec<Slot<K>, K>) -> KVVec<Slot<K>, K> {
        if room.capacity() > self.slots.capacity() {
            let moved = self.slots.drain_all().try_for_each(|slot| room.push(slot, GfpFlags::ATOMIC));
            debug_assert!(moved.is_ok());
            core::mem::swap(&mut self.slots, &mut room);
        }
        room
    }
}
