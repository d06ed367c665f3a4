//! A sorted set of frame ranges in a table of fixed size.
//!
//! Invariant: ranges are not empty, ascend, and neither overlap nor touch. What does not fit into the table is refused and
//! changes nothing.

use crate::addr::{Pfn, PfnRange};
use crate::error::BootmemError;

/// Ranges that a set can hold.
pub const CAPACITY: usize = 512;

/// A set of frames, kept as few ranges.
#[derive(Clone)]
pub struct RegionSet {
    ranges: [PfnRange; CAPACITY],
    len: usize,
}

impl RegionSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: [PfnRange::new(Pfn::new(0), Pfn::new(0)); CAPACITY], len: 0 }
    }

    /// The ranges, lowest first.
    pub fn ranges(&self) -> &[PfnRange] {
        &self.ranges[..self.len]
    }

    /// Frames in the set.
    pub fn frames(&self) -> usize {
        self.ranges().iter().map(|range| range.frames()).sum()
    }

    /// Whether every frame of `range` is in the set.
    pub fn contains(&self, range: PfnRange) -> bool {
        range.frames() == 0 || self.ranges().iter().any(|held| held.intersection(range) == range)
    }

    /// Adds the frames of `range`.
    pub fn insert(&mut self, range: PfnRange) -> Result<(), BootmemError> {
        if range.frames() == 0 {
            return Ok(());
        }
        // Everything from `first` to `last` touches the new range and melts into it.
        let first = self.ranges().partition_point(|held| held.end < range.start);
        let last = self.ranges().partition_point(|held| held.start <= range.end);
        let mut merged = range;
        if first < last {
            merged.start = merged.start.min(self.ranges[first].start);
            merged.end = merged.end.max(self.ranges[last - 1].end);
        }
        self.replace(first..last, &[merged])
    }

    /// Takes the frames of `range` out.
    pub fn remove(&mut self, range: PfnRange) -> Result<(), BootmemError> {
        if range.frames() == 0 {
            return Ok(());
        }
        let first = self.ranges().partition_point(|held| held.end <= range.start);
        let last = self.ranges().partition_point(|held| held.start < range.end);
        if first >= last {
            return Ok(());
        }
        let head = PfnRange::new(self.ranges[first].start, range.start);
        let tail = PfnRange::new(range.end, self.ranges[last - 1].end);
        match (head.frames() > 0, tail.frames() > 0) {
            (true, true) => self.replace(first..last, &[head, tail]),
            (true, false) => self.replace(first..last, &[head]),
            (false, true) => self.replace(first..last, &[tail]),
            (false, false) => self.replace(first..last, &[]),
        }
    }

    /// Puts `new` in the place of the ranges `old`.
    fn replace(&mut self, old: core::ops::Range<usize>, new: &[PfnRange]) -> Result<(), BootmemError> {
        let len = self.len - old.len() + new.len();
        if len > CAPACITY {
            return Err(BootmemError::TooManyRanges);
        }
        self.ranges.copy_within(old.end..self.len, old.start + new.len());
        self.ranges[old.start..old.start + new.len()].copy_from_slice(new);
        self.len = len;
        Ok(())
    }
}

impl Default for RegionSet {
    fn default() -> Self {
        Self::new()
    }
}
