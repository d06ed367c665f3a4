//! Marks on values, and sets of slots.

/// A mark on a value, which the search for marked values follows without looking at others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// The value is newer than what it was read from.
    Dirty,
    /// The value is being written back.
    Writeback,
}

impl Tag {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Dirty, Self::Writeback];
}

/// What becomes of a tag.
#[derive(Clone, Copy)]
pub(super) enum Change {
    /// The value has it from now on.
    Set,
    /// The value does not have it any more.
    Clear,
}

/// The tags of one value, or of all in a subtree.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Tags([bool; Tag::ALL.len()]);

impl Tags {
    pub(super) const fn contains(self, tag: Tag) -> bool {
        self.0[tag as usize]
    }

    pub(super) const fn insert(&mut self, tag: Tag) {
        self.0[tag as usize] = true;
    }

    /// These tags after a change.
    pub(super) const fn changed(mut self, tag: Tag, change: Change) -> Self {
        self.0[tag as usize] = matches!(change, Change::Set);
        self
    }
}

/// A set of a node's slots.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct SlotSet(u64);

impl SlotSet {
    pub(super) const FIRST_ONLY: Self = Self(1);

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn contains(self, slot: usize) -> bool {
        self.0 >> slot & 1 == 1
    }

    pub(super) const fn insert(&mut self, slot: usize) {
        self.0 |= 1 << slot;
    }

    pub(super) const fn remove(&mut self, slot: usize) {
        self.0 &= !(1 << slot);
    }

    /// The first slot of the set that is not before `from`.
    pub(super) fn next(self, from: usize) -> Option<usize> {
        let rest = self.0.checked_shr(from as u32).filter(|&rest| rest != 0)?;
        Some(from + rest.trailing_zeros() as usize)
    }
}
