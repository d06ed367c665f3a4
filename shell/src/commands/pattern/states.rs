//! A set of steps.

use super::program::MAX_STEPS;

const WORD: usize = u64::BITS as usize;

/// A set of places in a program, the one behind its last step included.
pub struct States {
    words: [u64; MAX_STEPS / WORD + 1],
    /// Words that the program needs.
    used: usize,
}

impl States {
    /// No steps, of a program of `steps`.
    pub const fn new(steps: usize) -> Self {
        Self { words: [0; MAX_STEPS / WORD + 1], used: steps / WORD + 1 }
    }

    /// Adds step `index`; whether it is new.
    pub fn add(&mut self, index: usize) -> bool {
        let word = &mut self.words[index / WORD];
        let before = *word;
        *word |= 1 << (index % WORD);
        *word != before
    }

    /// Takes the first step out that is `from` or comes later.
    pub fn take(&mut self, from: usize) -> Option<usize> {
        let mut mask = u64::MAX << (from % WORD);
        for (number, word) in self.words[..self.used].iter_mut().enumerate().skip(from / WORD) {
            let candidates = *word & mask;
            if candidates != 0 {
                let bit = candidates.trailing_zeros() as usize;
                *word &= !(1 << bit);
                return Some(number * WORD + bit);
            }
            mask = u64::MAX;
        }
        None
    }

    /// Whether there are no steps.
    pub fn is_empty(&self) -> bool {
        self.words[..self.used].iter().all(|word| *word == 0)
    }
}
