//! What the model holds: patterned memory, and ranges that must not overlap.

use std::collections::BTreeMap;

use mm::{Order, Pfn};

/// How a piece of memory was obtained, so how it is freed.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A block of frames with this many references; by address or by frame.
    Block { frame: Pfn, order: Order, references: usize, addressed: bool },
    /// From kmalloc.
    Object,
    /// From the cache with this number.
    OfCache(usize),
    /// From vmalloc.
    Area,
    /// From ioremap.
    Device,
}

/// A piece of memory.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub kind: Kind,
    pub addr: usize,
    pub len: usize,
    /// What the pattern starts from.
    pub seed: u64,
}

impl Held {
    /// The places that carry the pattern, and what stands there: every word of small pieces, some of large ones. The
    /// first word is left to constructors.
    fn pattern(&self) -> impl Iterator<Item = (*mut u64, u64)> {
        let step = (self.len / 24).next_multiple_of(8).max(8);
        let last = self.len.saturating_sub(8);
        let (addr, seed) = (self.addr, self.seed);
        let places = (8..last).step_by(step).chain((last >= 8).then_some(last));
        places.map(move |at| ((addr + at) as *mut u64, seed.wrapping_mul(at as u64 | 1)))
    }

    /// Whether the memory can be written: not that of devices, nor frames without an address.
    fn is_memory(&self) -> bool {
        match self.kind {
            Kind::Block { addressed, .. } => addressed,
            Kind::Device => false,
            _ => true,
        }
    }

    pub fn write(&self) {
        for (place, word) in self.pattern().filter(|_| self.is_memory()) {
            // SAFETY: the piece is ours and the place lies in it.
            unsafe { place.write_unaligned(word) };
        }
    }

    pub fn check(&self) {
        for (place, word) in self.pattern().filter(|_| self.is_memory()) {
            // SAFETY: the piece is ours and the place lies in it.
            assert_eq!(unsafe { place.read_unaligned() }, word, "content changed: {self:?}");
        }
    }

    /// The first word.
    pub fn first_word(&self) -> u64 {
        // SAFETY: the piece is ours and at least a word long.
        unsafe { (self.addr as *const u64).read() }
    }
}

/// Ranges that do not overlap.
#[derive(Default)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub fn insert(&mut self, start: u64, len: u64) {
        let end = start + len;
        let below = self.0.range(..end).next_back();
        assert!(below.is_none_or(|(_, &held)| held <= start), "{start:#x}+{len:#x} overlaps what is held");
        self.0.insert(start, end);
    }

    pub fn remove(&mut self, start: u64) {
        assert!(self.0.remove(&start).is_some(), "the model lost {start:#x}");
    }
}
