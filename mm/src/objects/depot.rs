//! The depot of one CPU: magazines that it has traded in.
//!
//! A CPU gets its own magazines back: their lines are in its data cache, and their objects lie beside objects, and the
//! states beside states, that no other CPU uses. Neighbours that two CPUs have once got stay shared, and each write
//! then takes a cache line away from the other CPU.

use crate::objects::magazine::{MagazineRef, Pile};

/// Magazines of one CPU, full and empty ones, under the depot's lock.
pub(super) struct Depot {
    full: Pile,
    empty: Pile,
}

/// Why a full magazine could not be traded in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lack {
    /// The depot is full.
    Room,
    /// It has no empty magazine.
    Magazine,
}

impl Depot {
    pub(super) const fn new() -> Self {
        Self { full: Pile::new(), empty: Pile::new() }
    }

    /// How many full magazines it has.
    pub(super) fn depth(&self) -> usize {
        self.full.len()
    }

    /// Trades an empty magazine for a full one.
    pub(super) fn take_full(&mut self, empty: MagazineRef) -> Option<MagazineRef> {
        let full = self.full.pop()?;
        self.empty.push(empty);
        Some(full)
    }

    /// Trades a full magazine for an empty one, as long as it has fewer than `limit` full ones.
    pub(super) fn take_empty(&mut self, full: MagazineRef, limit: usize) -> Result<MagazineRef, Lack> {
        if self.full.len() >= limit {
            return Err(Lack::Room);
        }
        let empty = self.empty.pop().ok_or(Lack::Magazine)?;
        self.full.push(full);
        Ok(empty)
    }

    /// Adds an empty magazine.
    pub(super) fn add(&mut self, empty: MagazineRef) {
        self.empty.push(empty);
    }

    /// Takes any magazine out.
    pub(super) fn take_any(&mut self) -> Option<MagazineRef> {
        self.full.pop().or_else(|| self.empty.pop())
    }

    /// All magazines.
    pub(super) fn iter(&self) -> impl Iterator<Item = MagazineRef> {
        self.full.iter().chain(self.empty.iter())
    }

    /// Whether the magazines in the pile of empty ones are empty.
    pub(super) fn is_sorted(&self) -> bool {
        self.empty.iter().all(|magazine| magazine.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::{Depot, Lack};
    use crate::objects::magazine::tests::{magazine, objects};

    #[test]
    fn full_and_empty_magazines_are_traded_for_each_other() {
        let mut depot = Depot::new();
        let [full, other, empty] = [magazine(8), magazine(8), magazine(8)];
        assert!(depot.take_full(empty).is_none() && depot.depth() == 0);
        assert!(depot.take_empty(full, 0) == Err(Lack::Room) && depot.take_empty(full, 2) == Err(Lack::Magazine));
        depot.add(empty);
        assert!(depot.take_empty(full, 2) == Ok(empty) && depot.depth() == 1);
        depot.add(empty);
        assert!(depot.take_empty(other, 1) == Err(Lack::Room));
        assert!(depot.take_empty(other, 2) == Ok(empty) && depot.depth() == 2);
        assert!(depot.take_full(empty) == Some(other) && depot.depth() == 1);
        assert_eq!(depot.iter().count(), 2);
        assert!(depot.take_any() == Some(full) && depot.take_any() == Some(empty) && depot.take_any().is_none());
    }

    #[test]
    fn an_object_in_a_magazine_that_should_be_empty_is_found() {
        let mut depot = Depot::new();
        let empty = magazine(8);
        depot.add(empty);
        assert!(depot.is_sorted());
        assert!(empty.push(objects(1)[0], || {}) && !depot.is_sorted());
    }
}
