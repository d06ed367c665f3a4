//! Chains of free areas, by the links in their descriptors.
//!
//! Links and counts are atomics, read and written Relaxed by the owner of the chain.

use crate::areas::area::{AreaLink, AreaRef, AreaState};
use crate::atomic::{AtomicU32, Ordering::Relaxed};

/// A chain of free areas; the link of the last one is `None`.
pub(super) struct AreaChain {
    first: AreaLink,
    /// Not valid if there is no first one.
    last: AreaLink,
    count: AtomicU32,
}

impl AreaChain {
    /// No areas.
    pub(super) const fn new() -> Self {
        Self { first: AreaLink::new(), last: AreaLink::new(), count: AtomicU32::new(0) }
    }

    /// Areas in it.
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// Adds an area at the beginning.
    #[inline]
    pub(super) fn push_first(&self, area: AreaRef) {
        let first = self.first.get();
        if first.is_none() {
            self.last.set(Some(area));
        }
        area.next.set(first);
        self.first.set(Some(area));
        self.count.store(self.len().wrapping_add(1), Relaxed);
    }

    /// Adds a free area at the end.
    pub(super) fn push(&self, area: AreaRef) {
        let one = Self::new();
        one.push_first(area);
        self.append(&one);
    }

    /// Takes the first area.
    #[inline]
    pub(super) fn pop(&self) -> Option<AreaRef> {
        let area = self.first.get()?;
        self.first.set(area.next.get());
        self.count.store(self.len().wrapping_sub(1), Relaxed);
        Some(area)
    }

    fn last(&self) -> Option<AreaRef> {
        self.last.get().filter(|_| self.first.get().is_some())
    }

    /// Moves all areas of another chain here: behind the area `behind`, or before all.
    pub(super) fn splice(&self, behind: Option<AreaRef>, others: &Self) {
        let (Some(first), Some(last)) = (others.first.get(), others.last()) else { return };
        let next = match behind {
            Some(own) => own.next.replace(Some(first)),
            None => self.first.replace(Some(first)),
        };
        last.next.set(next);
        if next.is_none() {
            self.last.set(Some(last));
        }
        self.count.store(self.len().wrapping_add(others.len()), Relaxed);
        others.first.set(None);
        others.count.store(0, Relaxed);
    }

    /// Moves all areas of another chain here, to the end.
    pub(super) fn append(&self, others: &Self) {
        self.splice(self.last(), others);
    }

    /// Moves all areas of another chain here, behind all that start below the first of them.
    pub(super) fn sort_in(&self, others: &Self) {
        let below = |area: &AreaRef| others.first.get().is_some_and(|first| area.start < first.start);
        let behind = self.last().filter(below).or_else(|| self.iter().take_while(below).last());
        self.splice(behind, others);
    }

    fn iter(&self) -> impl Iterator<Item = AreaRef> + use<> {
        core::iter::successors(self.first.get(), |area| area.next.get())
    }

    /// Whether the areas are as many as counted, free, and `are_right`.
    pub(super) fn is_sound(&self, are_right: impl Fn(AreaRef) -> bool) -> bool {
        let right = |area: AreaRef| area.state() == AreaState::Free && are_right(area);
        let (count, last) = (self.iter().count(), self.iter().last());
        self.iter().all(right) && count == self.len() as usize && last == self.last()
    }
}
