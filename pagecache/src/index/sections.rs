//! A large table in parts, whose values are made when they are needed.
//!
//! Its memory is there from the start.

use mm::own::{Global, KVVec};
use mm::{AllocError, GfpFlags};

/// Entries in a part, as a power of two: a part of descriptors is 64 KiB, for 8 MiB of memory.
const PART_BITS: u32 = 11;
const PART: usize = 1 << PART_BITS;
/// Values that are made together, at least.
const STEP: usize = 64;

/// A table of values by number. Where there is no memory there is no part of it.
pub(crate) struct Sections<T, K: Global> {
    /// Each part has room for all of its values, or for none; the first ones are made.
    parts: KVVec<KVVec<T, K>, K>,
}

impl<T, K: Global> Sections<T, K> {
    pub(crate) const fn new() -> Self {
        Self { parts: KVVec::new() }
    }

    /// Room for a table with the numbers below `end`: for the parts where `is_there` holds for one of their numbers. No
    /// value is made yet, and no memory is written to. Process context.
    pub(crate) fn reserve(end: u32, is_there: impl Fn(u32) -> bool) -> Result<Self, AllocError> {
        let mut sections = Self::new();
        let starts = (0..end).step_by(PART);
        sections.parts.reserve(starts.len(), GfpFlags::KERNEL)?;
        for start in starts {
            let mut part = KVVec::new();
            if (start..end.min(start + PART as u32)).any(&is_there) {
                part.reserve(PART, GfpFlags::KERNEL)?;
            }
            sections.parts.push(part, GfpFlags::KERNEL)?;
        }
        Ok(sections)
    }

    /// The value of a number; it is made if it is not yet, with those before it in its part. `None`: there is no room
    /// for it. Allocates nothing.
    #[inline]
    pub(crate) fn make(&mut self, number: u32, value: impl Fn() -> T) -> Option<&mut T> {
        let part = self.parts.get_mut(number as usize >> PART_BITS)?;
        let at = number as usize % PART;
        if at >= part.len() {
            Self::fill(part, at, value)?;
        }
        part.get_mut(at)
    }

    #[cold]
    fn fill(part: &mut KVVec<T, K>, at: usize, value: impl Fn() -> T) -> Option<()> {
        let end = (at / STEP + 1) * STEP;
        // Where there is room it is for all of them.
        let has_room = part.capacity() >= end;
        has_room.then(|| part.resize_with(end, value, GfpFlags::ATOMIC).ok()).flatten()
    }

    /// The value of a number that was made.
    #[inline]
    pub(crate) fn at(&self, number: u32) -> &T {
        &self.parts[number as usize >> PART_BITS][number as usize % PART]
    }

    /// [`at`](Self::at), to be changed.
    #[inline]
    pub(crate) fn at_mut(&mut self, number: u32) -> &mut T {
        &mut self.parts[number as usize >> PART_BITS][number as usize % PART]
    }

    /// The value of a number, if it was made.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.parts.get(number as usize >> PART_BITS)?.get(number as usize % PART)
    }

    /// One more than the largest number.
    pub(crate) fn end(&self) -> u32 {
        (self.parts.len() << PART_BITS) as u32
    }
}

#[cfg(test)]
mod tests {
    use kapi::testing::Host;
    use mm::testing::{Machine, TestKernel};

    use super::{PART, STEP, Sections};

    #[test]
    fn values_are_made_when_they_are_needed() {
        let _machine = TestKernel::boot(&Machine::with_mib(16));
        let (second, third) = (PART as u32, 2 * PART as u32);
        let mut table = Sections::<u32, Host>::reserve(3 * PART as u32, |number| number != 0 && number / second != 1)
            .expect("there is memory");
        assert_eq!((table.end(), table.get(5)), (3 * PART as u32, None));
        assert_eq!(table.make(5, || 7).copied(), Some(7));
        *table.at_mut(5) = 9;
        assert_eq!((table.get(4), table.get(5), table.get(STEP as u32)), (Some(&7), Some(&9), None));
        assert_eq!(table.make(third - 1, || 7), None, "that part is missing");
        assert_eq!(table.make(3 * PART as u32, || 7), None, "that is beyond the end");
        assert_eq!(table.make(3 * PART as u32 - 1, || 7).copied(), Some(7));
        assert_eq!((table.make(5, || 8).copied(), *table.at(third)), (Some(9), 7));
    }
}
