//! The holder of memory that reclaim asks first: who gave enough the last time.
//!
//! When a disk's pages fill memory, they are what comes back, round after round: asking every slab cache before each 32
//! of them costs more than they do. Now and then all are asked in their order, so that no holder is forgotten.

use crate::atomic::{AtomicUsize, Ordering::Relaxed};

/// Rounds in a row that begin with the favourite.
const ROUNDS: usize = 16;
/// Nobody's place.
const NOBODY: usize = usize::MAX;

/// Who is asked first.
pub(super) struct Favourite {
    place: AtomicUsize,
    rounds: AtomicUsize,
}

impl Favourite {
    /// Nobody yet.
    pub(super) const fn new() -> Self {
        Self { place: AtomicUsize::new(NOBODY), rounds: AtomicUsize::new(0) }
    }

    /// The place of the one to ask first in this round, if there is one.
    pub(super) fn of_round(&self) -> Option<usize> {
        let place = self.place.load(Relaxed);
        (place != NOBODY && self.rounds.fetch_add(1, Relaxed) % ROUNDS != ROUNDS - 1).then_some(place)
    }

    /// The one at `place` gave enough; `None`: nobody did.
    pub(super) fn set(&self, place: Option<usize>) {
        self.place.store(place.unwrap_or(NOBODY), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Favourite, ROUNDS};

    #[test]
    fn now_and_then_nobody_is_preferred() {
        let favourite = Favourite::new();
        assert_eq!(favourite.of_round(), None);
        favourite.set(Some(3));
        let preferred = (0..10 * ROUNDS).filter(|_| favourite.of_round() == Some(3)).count();
        assert_eq!(preferred, 10 * (ROUNDS - 1));
        favourite.set(None);
        assert_eq!(favourite.of_round(), None);
    }
}
