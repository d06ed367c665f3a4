//! Freed objects that wait before they are used again: first in, first out.
//!
//! The list is kept here, not in the objects, which stale pointers may still write to.

use core::ptr::NonNull;

/// Objects that wait at most, whatever their size.
const PLACES: usize = 512;

/// An object that waits, and its bytes.
#[derive(Clone, Copy)]
pub(super) struct Detained {
    pub(super) object: NonNull<u8>,
    pub(super) bytes: usize,
}

/// The objects that wait, at most so many bytes of them.
pub(super) struct Quarantine {
    ring: [Option<Detained>; PLACES],
    first: usize,
    len: usize,
    bytes: usize,
    limit: usize,
}

// SAFETY: whoever takes an object out may use it on any CPU.
unsafe impl Send for Quarantine {}

impl Quarantine {
    /// Nobody waits, and nobody may.
    pub(super) const fn new() -> Self {
        Self { ring: [None; PLACES], first: 0, len: 0, bytes: 0, limit: 0 }
    }

    /// Lets objects of so many bytes wait. Those that are too many now leave by [`pop_excess`](Self::pop_excess).
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Adds an object; says whether it may wait.
    pub(super) fn push(&mut self, detained: Detained) -> bool {
        let has_room = self.len < PLACES && detained.bytes <= self.limit;
        if has_room {
            self.ring[(self.first + self.len) % PLACES] = Some(detained);
            self.len += 1;
            self.bytes += detained.bytes;
        }
        has_room
    }

    /// Takes the object out that waits longest, if there are too many, or too few places left.
    pub(super) fn pop_excess(&mut self) -> Option<Detained> {
        if self.bytes > self.limit || self.len > PLACES / 2 { self.pop() } else { None }
    }

    /// Takes the object out that waits longest.
    pub(super) fn pop(&mut self) -> Option<Detained> {
        let detained = self.ring[self.first].take()?;
        self.first = (self.first + 1) % PLACES;
        self.len -= 1;
        self.bytes -= detained.bytes;
        Some(detained)
    }

    /// Takes an object out for which `is_wanted` holds.
    pub(super) fn pop_if(&mut self, is_wanted: impl Fn(Detained) -> bool) -> Option<Detained> {
        let mut found = None;
        // Once around: the others are in their order again.
        for _ in 0..self.len {
            let Some(detained) = self.pop() else { break };
            if found.is_none() && is_wanted(detained) {
                found = Some(detained);
            } else {
                self.ring[(self.first + self.len) % PLACES] = Some(detained);
                self.len += 1;
                self.bytes += detained.bytes;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Detained, PLACES, Quarantine};
    use core::ptr::NonNull;
    use std::vec::Vec;

    fn object(number: usize, bytes: usize) -> Detained {
        Detained { object: NonNull::new(core::ptr::without_provenance_mut(number)).expect("not null"), bytes }
    }

    fn numbers(mut quarantine: Quarantine) -> Vec<usize> {
        core::iter::from_fn(|| quarantine.pop()).map(|detained| detained.object.as_ptr().addr()).collect()
    }

    #[test]
    fn the_first_to_come_is_the_first_to_go() {
        let mut quarantine = Quarantine::new();
        assert!(!quarantine.push(object(1, 1)), "nobody may wait");
        quarantine.set_limit(100);
        (1..=5).for_each(|number| assert!(quarantine.push(object(number, 30))));
        assert_eq!(quarantine.pop_excess().map(|detained| detained.object.as_ptr().addr()), Some(1));
        assert_eq!(quarantine.pop_excess().map(|detained| detained.object.as_ptr().addr()), Some(2));
        assert!(quarantine.pop_excess().is_none());
        assert!(!quarantine.push(object(6, 101)), "too large");
        let wanted = quarantine.pop_if(|detained| detained.object.as_ptr().addr() == 4);
        assert_eq!(wanted.map(|detained| detained.bytes), Some(30));
        assert_eq!(numbers(quarantine), [3, 5]);
    }

    #[test]
    fn places_are_left_for_those_that_come_at_once() {
        let mut quarantine = Quarantine::new();
        quarantine.set_limit(usize::MAX);
        (1..=PLACES).for_each(|number| assert!(quarantine.push(object(number, 8))));
        assert!(!quarantine.push(object(PLACES + 1, 8)));
        assert_eq!(core::iter::from_fn(|| quarantine.pop_excess()).count(), PLACES / 2);
        assert_eq!(numbers(quarantine).first(), Some(&(PLACES / 2 + 1)));
    }
}
