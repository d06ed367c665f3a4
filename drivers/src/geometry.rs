//! How a device's bytes are cut into items, quantum sets and quanta.
//!
//! A device is a list of items; an item has a quantum set, an array of `qset` quanta of `quantum` bytes each. The
//! device's own geometry decides every offset, and only checked values ever become a geometry.

use core::num::NonZero;
use core::ops::RangeInclusive;

use kapi::Errno;
use kapi::mm::{Order, PAGE_SIZE};

/// The longest quantum set: its array of 8-byte handles must fit in the largest kmalloc, 131072 bytes.
pub const MAX_QSET: usize = MAX_KMALLOC / 8;
/// The largest kmalloc, in bytes.
const MAX_KMALLOC: usize = 131_072;

/// In what a driver counts the size of its quanta.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// In bytes, 1..=131072.
    Bytes,
    /// As an order: 2^order pages, order 0..=9.
    Order,
}

impl Unit {
    /// The values that there are quanta for.
    pub const fn range(self) -> RangeInclusive<usize> {
        match self {
            Self::Bytes => 1..=MAX_KMALLOC,
            Self::Order => 0..=Order::MAX.log2(),
        }
    }

    /// The quantum, in bytes, that the parameter `value` asks for; `EINVAL` when there is no such quantum.
    pub fn quantum(self, value: usize) -> Result<usize, Errno> {
        match self {
            _ if !self.range().contains(&value) => Err(Errno::EINVAL),
            Self::Bytes => Ok(value),
            Self::Order => Order::new(value).map(Order::bytes).ok_or(Errno::EINVAL),
        }
    }

    /// The parameter value that [`quantum`](Self::quantum) turns into `quantum` bytes.
    pub const fn value(self, quantum: usize) -> usize {
        match self {
            Self::Bytes => quantum,
            Self::Order => (quantum / PAGE_SIZE).trailing_zeros() as usize,
        }
    }
}

/// The lengths that a quantum set can have.
pub const QSETS: RangeInclusive<usize> = 1..=MAX_QSET;

/// The length of a quantum set, one of [`QSETS`]; `EINVAL` for any other.
pub fn checked_qset(value: usize) -> Result<usize, Errno> {
    if QSETS.contains(&value) { Ok(value) } else { Err(Errno::EINVAL) }
}

/// The sizes that a device is cut by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    quantum: NonZero<u32>,
    qset: NonZero<u32>,
}

/// Where a byte of a device lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteLocation {
    /// Which item.
    pub item: u64,
    /// Which quantum of the item's set.
    pub slot: usize,
    /// Which byte of the quantum.
    pub offset: usize,
}

impl Geometry {
    /// Quanta of `unit` `value` in sets of `qset`; `EINVAL` when either is out of range.
    pub fn new(unit: Unit, value: usize, qset: usize) -> Result<Self, Errno> {
        Ok(Self { quantum: size(unit.quantum(value)?)?, qset: size(checked_qset(qset)?)? })
    }

    /// Bytes in a quantum: at least 1, at most 2 MiB.
    pub const fn quantum(self) -> usize {
        self.quantum.get() as usize
    }

    /// Quanta in a set: at least 1, at most [`MAX_QSET`].
    pub const fn qset(self) -> usize {
        self.qset.get() as usize
    }

    /// This geometry with quanta of `quantum` bytes, a size that [`Unit::quantum`] returned.
    pub(crate) fn with_quantum(self, quantum: usize) -> Result<Self, Errno> {
        Ok(Self { quantum: size(quantum)?, ..self })
    }

    /// This geometry with sets of `qset` quanta, a length that [`checked_qset`] returned.
    pub(crate) fn with_qset(self, qset: usize) -> Result<Self, Errno> {
        Ok(Self { qset: size(qset)?, ..self })
    }

    /// Where the byte at `position` lies.
    pub fn locate(self, position: u64) -> ByteLocation {
        let quantum = NonZero::<u64>::from(self.quantum);
        let item_size = quantum.saturating_mul(self.qset.into());
        let rest = position % item_size;
        ByteLocation { item: position / item_size, slot: (rest / quantum) as usize, offset: (rest % quantum) as usize }
    }
}

/// A size or a length that there is; `EINVAL` for 0, which no offset can be divided by.
fn size(number: usize) -> Result<NonZero<u32>, Errno> {
    u32::try_from(number).ok().and_then(NonZero::new).ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::{ByteLocation, Geometry, Unit};
    use kapi::Errno;

    #[test]
    fn impossible_geometries_are_refused() {
        // Shows: D5
        for (unit, value, qset) in [
            (Unit::Bytes, 0, 500),
            (Unit::Bytes, 131_073, 500),
            (Unit::Bytes, usize::MAX, 500),
            (Unit::Order, 10, 500),
            (Unit::Order, usize::MAX, 500),
            (Unit::Bytes, 4000, 0),
            (Unit::Bytes, 4000, 16_385),
        ] {
            assert_eq!(Geometry::new(unit, value, qset), Err(Errno::EINVAL), "{unit:?} {value} qset {qset}");
        }
        assert!(Geometry::new(Unit::Bytes, 131_072, 16_384).is_ok());
    }

    #[test]
    fn places_are_found_beyond_four_gigabytes() {
        // Shows: D15
        let geometry = Geometry::new(Unit::Bytes, 4000, 1000).expect("the book's geometry");
        let position = 5_000_000 * 4_000_000 + 17 * 4000 + 9;
        assert_eq!(geometry.locate(position), ByteLocation { item: 5_000_000, slot: 17, offset: 9 });
    }

    #[test]
    fn orders_and_bytes_convert_both_ways() {
        assert_eq!(Unit::Order.quantum(4), Ok(65_536));
        assert_eq!(Unit::Order.value(65_536), 4);
        assert_eq!(Unit::Bytes.value(4000), 4000);
    }
}
