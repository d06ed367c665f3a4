//! Requests that wait until there is memory: first come, first served.
//!
//! A request takes a turn when it has found no memory, and keeps it until it has got memory or gives up. While an older
//! waiter could be served, a younger one goes on sleeping, so that memory that comes back bit by bit goes to the waiter
//! that came first. A waiter that the free memory would not serve (other zone, larger block) delays no younger one.

use crate::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use crate::gfp::GfpFlags;
use crate::order::Order;

/// Waiters whose order is kept; further ones come last, in any order.
const PLACES: usize = 64;

/// Set in the word of a place that is taken.
const TAKEN: u64 = 1 << 31;
const GFP_SHIFT: u32 = 8;
const TICKET_SHIFT: u32 = 32;

/// The waiters, by their turns.
pub(super) struct Waiters {
    next_ticket: AtomicU32,
    /// Ticket, flags and order of each waiter; 0 in a free place.
    places: [AtomicU64; PLACES],
    count: AtomicUsize,
}

/// The turn of a waiter, given back with [`Waiters::leave`].
pub(super) struct Turn {
    ticket: u32,
    index: Option<usize>,
}

impl Waiters {
    pub(super) const fn new() -> Self {
        Self {
            next_ticket: AtomicU32::new(0),
            places: [const { AtomicU64::new(0) }; PLACES],
            count: AtomicUsize::new(0),
        }
    }

    /// Whether a request waits.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// Takes the last turn.
    pub(super) fn join(&self, gfp: GfpFlags, order: Order) -> Turn {
        let ticket = self.next_ticket.fetch_add(1, SeqCst);
        let word = u64::from(ticket) << TICKET_SHIFT | TAKEN | u64::from(gfp.bits()) << GFP_SHIFT | order.log2() as u64;
        let index = self.places.iter().position(|place| place.compare_exchange(0, word, SeqCst, SeqCst).is_ok());
        self.count.fetch_add(1, SeqCst);
        Turn { ticket, index }
    }

    /// Gives a turn back.
    pub(super) fn leave(&self, turn: Turn) {
        if let Some(index) = turn.index {
            self.places[index].store(0, SeqCst);
        }
        self.count.fetch_sub(1, SeqCst);
    }

    /// The requests of the waiters before `turn`.
    pub(super) fn before(&self, turn: &Turn) -> impl Iterator<Item = (GfpFlags, Order)> {
        let (ticket, has_place) = (turn.ticket, turn.index.is_some());
        let taken = self.places.iter().map(|place| place.load(SeqCst)).filter(|&word| word != 0);
        // The first free place is taken first, so the end of the table is seldom looked at.
        taken.take(self.count.load(SeqCst)).filter_map(move |word| {
            // Tickets wrap around: an older one is less than half of them behind.
            let age = ticket.wrapping_sub((word >> TICKET_SHIFT) as u32) as i32;
            let older = age > 0 || !has_place;
            older.then(|| (GfpFlags::from_bits_truncate((word as u32 & !(TAKEN as u32)) >> GFP_SHIFT), order_of(word)))
        })
    }
}

fn order_of(word: u64) -> Order {
    Order::new((word & 0xf) as usize).unwrap_or(Order::MAX)
}

#[cfg(test)]
mod tests {
    use super::{PLACES, Waiters};
    use crate::gfp::GfpFlags;
    use crate::order::Order;

    #[test]
    fn only_those_who_came_earlier_are_before() {
        let line = Waiters::new();
        assert!(!line.any());
        let first = line.join(GfpFlags::KERNEL, Order::ZERO);
        let second = line.join(GfpFlags::HIGHUSER, Order::MAX);
        assert_eq!(line.before(&first).count(), 0);
        assert!(line.before(&second).eq([(GfpFlags::KERNEL, Order::ZERO)]));
        line.leave(first);
        let third = line.join(GfpFlags::BUFFER, Order::ZERO);
        assert!(line.before(&third).eq([(GfpFlags::HIGHUSER, Order::MAX)]), "its place in the table is not its turn");
        assert_eq!(line.before(&second).count(), 0);
    }

    #[test]
    fn tickets_may_wrap_around() {
        let line = Waiters::new();
        line.next_ticket.store(u32::MAX, super::SeqCst);
        let last = line.join(GfpFlags::KERNEL, Order::ZERO);
        let wrapped = line.join(GfpFlags::KERNEL, Order::ZERO);
        assert_eq!((line.before(&last).count(), line.before(&wrapped).count()), (0, 1));
    }

    #[test]
    fn those_without_a_place_come_last() {
        let line = Waiters::new();
        for _ in 0..PLACES {
            line.join(GfpFlags::KERNEL, Order::ZERO);
        }
        let late = line.join(GfpFlags::KERNEL, Order::ZERO);
        assert_eq!(line.before(&late).count(), PLACES);
        line.leave(late);
        assert!(line.any());
    }
}
