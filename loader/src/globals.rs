//! The global names of an object, to find the one that is defined twice.

use crate::limits::MAX_GLOBALS;

/// A set of hashes with room for `MAX_GLOBALS`: a table that is probed step by step (Knuth, 6.4, algorithm L).
pub struct Globals {
    slots: [u64; MAX_GLOBALS],
}

/// Why a name is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdded {
    /// The hash is there already.
    Known,
    /// There is no room.
    Full,
}

impl Globals {
    pub fn new() -> Self {
        Self { slots: [0; MAX_GLOBALS] }
    }

    /// Adds the hash of a name. 0, which stands for an empty slot, counts as 1.
    pub fn add(&mut self, hash: u64) -> Result<(), NotAdded> {
        let hash = hash.max(1);
        let start = hash % MAX_GLOBALS as u64;
        let (before, from) = self.slots.split_at_mut(start as usize);
        for slot in from.iter_mut().chain(before) {
            if *slot == hash {
                return Err(NotAdded::Known);
            }
            if *slot == 0 {
                *slot = hash;
                return Ok(());
            }
        }
        Err(NotAdded::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::{Globals, MAX_GLOBALS, NotAdded};

    #[test]
    fn the_hash_of_an_empty_slot_is_a_hash_too() {
        let mut globals = Globals::new();
        assert_eq!(globals.add(0), Ok(()));
        assert_eq!(globals.add(0), Err(NotAdded::Known));
    }

    #[test]
    fn hashes_of_one_slot_are_told_apart_until_the_set_is_full() {
        let mut globals = Globals::new();
        for n in 0..MAX_GLOBALS as u64 {
            assert_eq!(globals.add(7 + n * MAX_GLOBALS as u64), Ok(()));
        }
        assert_eq!(globals.add(7 + 3 * MAX_GLOBALS as u64), Err(NotAdded::Known));
        assert_eq!(globals.add(8), Err(NotAdded::Full));
    }
}
