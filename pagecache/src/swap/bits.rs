//! A set of small numbers, in which the next one is found by words.

use mm::own::{Global, KVVec};
use mm::{AllocError, GfpFlags};

/// Numbers below a bound, in 64ths.
pub(super) struct Bits<K: Global> {
    words: KVVec<u64, K>,
}

impl<K: Global> Bits<K> {
    /// The empty set of numbers below `bound`. Process context; may sleep.
    ///
    /// # Errors
    /// No memory.
    pub fn new(bound: usize) -> Result<Self, AllocError> {
        let mut words = KVVec::new();
        words.resize(bound.div_ceil(64), 0, GfpFlags::KERNEL)?;
        Ok(Self { words })
    }

    /// Puts `number` in, or takes it out. It lies below the bound.
    pub fn set(&mut self, number: usize, is_in: bool) {
        if let Some(word) = self.words.get_mut(number / 64) {
            *word = *word & !(1 << (number % 64)) | u64::from(is_in) << (number % 64);
        }
    }

    /// Whether `number` is in.
    #[cfg(test)]
    pub fn has(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    /// The first number from `start` on, or, behind the last one, from 0 on.
    pub fn next(&self, start: usize) -> Option<usize> {
        let first = start / 64;
        let head = self.words.get(first).map(|word| (first, word & u64::MAX << (start % 64)));
        let rest = (first + 1..self.words.len()).chain(0..=first);
        head.into_iter()
            .chain(rest.filter_map(|at| Some((at, *self.words.get(at)?))))
            .find(|(_, word)| *word != 0)
            .map(|(at, word)| at * 64 + word.trailing_zeros() as usize)
    }
}
