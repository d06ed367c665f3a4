//! In what order requests start: one way over the disk (C-LOOK).
//!
//! So that a stream of requests ahead of the others cannot starve these, each sixteenth request is the oldest one.

use kapi::BlockOp;

use crate::request::{Piece, Request, SLOTS};

/// Of so many requests one is the oldest.
const OLDEST_EVERY: u32 = 16;

/// Slots in order of something.
struct Order {
    slots: [u8; SLOTS],
    len: usize,
}

impl Order {
    const fn new() -> Self {
        Self { slots: [0; SLOTS], len: 0 }
    }

    fn as_slice(&self) -> &[u8] {
        &self.slots[..self.len]
    }

    fn insert(&mut self, at: usize, slot: u8) {
        self.slots.copy_within(at..self.len, at + 1);
        self.slots[at] = slot;
        self.len += 1;
    }

    fn remove(&mut self, at: usize) -> u8 {
        let slot = self.slots[at];
        self.slots.copy_within(at + 1..self.len, at);
        self.len -= 1;
        slot
    }

    /// The first place whose request begins at `sector` or behind it.
    fn place_of(&self, requests: &[Request], sector: u64) -> usize {
        self.as_slice().partition_point(|&slot| requests[usize::from(slot)].sector() < sector)
    }
}

/// What became of a piece.
pub(crate) enum Merged {
    /// It travels along with a waiting request; a slot is free now if two of these became one.
    Yes(Option<u8>),
    /// It needs a request of its own.
    No,
}

/// The requests that wait for the driver.
pub(crate) struct Elevator {
    /// Reads, then writes, in order of their sectors.
    sorted: [Order; 2],
    /// Flushes, and what is tried once more, first in first out.
    first: Order,
    /// The sector behind the request that was started last.
    head: u64,
    /// Requests taken in order of their sectors since the last one that was the oldest.
    taken: u32,
}

/// A place of a waiting request.
type Found = (usize, usize);

impl Elevator {
    pub(crate) const fn new() -> Self {
        Self { sorted: [Order::new(), Order::new()], first: Order::new(), head: 0, taken: 0 }
    }

    /// Requests that wait.
    pub(crate) const fn len(&self) -> usize {
        self.sorted[0].len + self.sorted[1].len + self.first.len
    }

    fn order_of(&mut self, op: BlockOp) -> Option<&mut Order> {
        match op {
            BlockOp::Read => Some(&mut self.sorted[0]),
            BlockOp::Write => Some(&mut self.sorted[1]),
            BlockOp::Flush => None,
        }
    }

    /// Lets `piece` travel along with a request that waits, if it can.
    pub(crate) fn merge(&mut self, requests: &mut [Request], piece: &Piece) -> Merged {
        let Some(order) = self.order_of(piece.op) else { return self.merge_flush(requests, piece) };
        let at = order.place_of(requests, piece.sector);
        let before = at.checked_sub(1).map(|at| usize::from(order.slots[at]));
        let after = order.as_slice().get(at).map(|&slot| usize::from(slot));
        if let Some(before) = before.filter(|&slot| requests[slot].append(piece)) {
            return Merged::Yes(after.and_then(|after| {
                let [before, after] = requests.get_disjoint_mut([before, after]).ok()?;
                before.absorb(after).then(|| order.remove(at))
            }));
        }
        match after {
            Some(after) if requests[after].prepend(piece) => Merged::Yes(None),
            _ => Merged::No,
        }
    }

    /// Flushes that wait are one.
    fn merge_flush(&mut self, requests: &mut [Request], piece: &Piece) -> Merged {
        let mut flushes = self.first.as_slice().iter().map(|&slot| usize::from(slot));
        let taken = flushes.any(|slot| requests[slot].op() == BlockOp::Flush && requests[slot].append(piece));
        if taken { Merged::Yes(None) } else { Merged::No }
    }

    /// Adds a new request.
    pub(crate) fn add(&mut self, requests: &[Request], slot: u8) {
        let request = &requests[usize::from(slot)];
        let (op, sector) = (request.op(), request.sector());
        match self.order_of(op) {
            Some(order) => {
                let at = order.place_of(requests, sector);
                order.insert(at, slot);
            }
            None => self.add_again(slot),
        }
    }

    /// Adds a request that goes before all others but those that were added so.
    pub(crate) fn add_again(&mut self, slot: u8) {
        self.first.insert(self.first.len, slot);
    }

    /// Adds a request that was taken just now and that the driver did not want.
    pub(crate) fn put_back(&mut self, slot: u8) {
        self.first.insert(0, slot);
    }

    /// The request to start now, which waits no longer.
    pub(crate) fn take(&mut self, requests: &[Request]) -> Option<u8> {
        if self.first.len > 0 {
            return Some(self.first.remove(0));
        }
        self.taken += 1;
        let found = if self.taken.is_multiple_of(OLDEST_EVERY) { self.oldest(requests) } else { self.ahead(requests) };
        let (order, at) = found?;
        let slot = self.sorted[order].remove(at);
        self.head = requests[usize::from(slot)].end();
        Some(slot)
    }

    /// The next request ahead, or else the first on the disk.
    fn ahead(&self, requests: &[Request]) -> Option<Found> {
        let sector = |&(order, at): &Found| requests[usize::from(self.sorted[order].slots[at])].sector();
        let from = |start: u64| {
            let places = [0, 1].map(|order| (order, self.sorted[order].place_of(requests, start)));
            places.into_iter().filter(|&(order, at)| at < self.sorted[order].len).min_by_key(sector)
        };
        from(self.head).or_else(|| from(0))
    }

    fn oldest(&self, requests: &[Request]) -> Option<Found> {
        let all = [0, 1].into_iter().flat_map(|order| (0..self.sorted[order].len).map(move |at| (order, at)));
        all.min_by_key(|&(order, at)| requests[usize::from(self.sorted[order].slots[at])].number())
    }

    /// Whether all is in order: tests.
    pub(crate) fn validate(&self, requests: &[Request]) -> bool {
        self.sorted.iter().all(|order| order.as_slice().is_sorted_by_key(|&slot| requests[usize::from(slot)].sector()))
    }
}
