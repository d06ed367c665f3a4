//! How high a subtree is, and which slot of its top node leads to an index.

/// Bits of the index that one node decides.
const BITS: u32 = 6;
/// Slots of a node.
pub(super) const SLOTS: usize = 1 << BITS;

/// Nodes on the way from the top of a subtree to a value in it: 0 for the value itself, 11 at most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Height(u8);

impl Height {
    /// A value, which is index 0 of itself.
    pub(super) const VALUE: Self = Self(0);
    /// A node whose slots hold values.
    pub(super) const LEAF: Self = Self(1);

    /// The least height of a tree that has a slot for `index`.
    pub(super) const fn of(index: u64) -> Self {
        Self((u64::BITS - index.leading_zeros()).div_ceil(BITS) as u8)
    }

    /// Whether a tree of this height has a slot for `index`.
    pub(super) fn reaches(self, index: u64) -> bool {
        index.checked_shr(BITS * u32::from(self.0)).unwrap_or(0) == 0
    }

    /// Nodes on the way to a value.
    pub(super) const fn nodes(self) -> usize {
        self.0 as usize
    }

    /// The height of a node above this one.
    pub(super) const fn above(self) -> Self {
        Self(self.0 + 1)
    }

    /// The height of what a node of this height, not 0, holds.
    pub(super) const fn below(self) -> Self {
        Self(self.0 - 1)
    }

    /// The slot of a node of this height, not 0, that leads to `index`.
    pub(super) const fn slot(self, index: u64) -> usize {
        (index >> self.shift()) as usize % SLOTS
    }

    /// The part of `index` that is decided below a node of this height.
    pub(super) const fn rest(self, index: u64) -> u64 {
        index & ((1 << self.shift()) - 1)
    }

    /// The index, within a node of this height, of what is at index `rest` below `slot`.
    pub(super) const fn index(self, slot: usize, rest: u64) -> u64 {
        (slot as u64) << self.shift() | rest
    }

    /// How many slots of a node of this height, not 0, lead to an index: all, but for the node at the top of the
    /// highest.
    pub(super) fn slots(self) -> usize {
        1 << (u64::BITS - self.shift()).min(BITS)
    }

    const fn shift(self) -> u32 {
        BITS * (self.0 as u32 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Height;

    #[test]
    fn each_level_decides_six_bits() {
        for (index, height) in [(0, 0), (1, 1), (63, 1), (64, 2), (4095, 2), (4096, 3), (u64::MAX >> 4, 10)] {
            assert_eq!(Height::of(index), Height(height), "{index}");
        }
        assert_eq!(Height::of(u64::MAX), Height(11));
        for index in [0, 1, 63, 64, 4095, 4096, u64::MAX >> 4, u64::MAX] {
            assert!((0..=11).all(|height| Height(height).reaches(index) == (Height::of(index) <= Height(height))));
        }
        assert_eq!((Height(11).slot(u64::MAX), Height(11).rest(u64::MAX)), (15, u64::MAX >> 4));
        assert_eq!((Height(2).slot(0x1083), Height(2).rest(0x1083), Height(2).index(2, 3)), (2, 3, 0x83));
    }
}
