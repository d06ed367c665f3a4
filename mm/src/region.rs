//! A sorted set of frame ranges in a table of fixed size.
//!
//! Invariant: ranges are not empty, ascend, and neither overlap nor touch. What does not fit into the table is refused
//! and changes nothing; the calls that never refuse say on which side they err.

use core::ops::Range;

use crate::addr::{Pfn, PfnRange};
use crate::error::BootmemError;

/// Ranges that a set can hold.
pub const CAPACITY: usize = 512;
/// Ranges that the calls which are never refused leave free, so that those which may be refused succeed after them.
pub const ROOM: usize = 64;

/// A set of frames, kept as few ranges.
#[derive(Clone)]
pub struct RegionSet {
    ranges: [PfnRange; CAPACITY],
    len: usize,
}

/// Ranges that take the place of others.
struct Change {
    old: Range<usize>,
    new: [Option<PfnRange>; 2],
}

impl Change {
    const NONE: Self = Self { old: 0..0, new: [None; 2] };
}

impl RegionSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: [PfnRange::new(Pfn::new(0), Pfn::new(0)); CAPACITY], len: 0 }
    }

    /// Every frame that has a number.
    pub const fn whole() -> Self {
        let mut all = Self::new();
        all.ranges[0] = PfnRange::ALL;
        all.len = 1;
        all
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
    ///
    /// # Errors
    /// More separate ranges than the table holds.
    pub fn insert(&mut self, range: PfnRange) -> Result<(), BootmemError> {
        self.apply(self.insertion(range))
    }

    /// Takes the frames of `range` out.
    ///
    /// # Errors
    /// More separate ranges than the table holds.
    pub fn remove(&mut self, range: PfnRange) -> Result<(), BootmemError> {
        self.apply(self.removal(range))
    }

    /// What [`insert`](Self::insert) would return.
    pub(crate) fn can_insert(&self, range: PfnRange) -> Result<(), BootmemError> {
        self.len_after(&self.insertion(range)).map(|_| ())
    }

    /// What [`remove`](Self::remove) would return.
    pub(crate) fn can_remove(&self, range: PfnRange) -> Result<(), BootmemError> {
        self.len_after(&self.removal(range)).map(|_| ())
    }

    fn insertion(&self, range: PfnRange) -> Change {
        if range.frames() == 0 {
            return Change::NONE;
        }
        // Every range from `first` to `last` touches the new range and is merged into it.
        let first = self.ranges().partition_point(|held| held.end < range.start);
        let last = self.ranges().partition_point(|held| held.start <= range.end);
        let mut merged = range;
        if first < last {
            merged.start = merged.start.min(self.ranges[first].start);
            merged.end = merged.end.max(self.ranges[last - 1].end);
        }
        Change { old: first..last, new: [Some(merged), None] }
    }

    fn removal(&self, range: PfnRange) -> Change {
        let first = self.ranges().partition_point(|held| held.end <= range.start);
        let last = self.ranges().partition_point(|held| held.start < range.end);
        if range.frames() == 0 || first >= last {
            return Change::NONE;
        }
        let head = PfnRange::new(self.ranges[first].start, range.start);
        let tail = PfnRange::new(range.end, self.ranges[last - 1].end);
        Change { old: first..last, new: [head, tail].map(|part| Some(part).filter(|part| part.frames() > 0)) }
    }

    /// [`insert`](Self::insert) that is never refused: the smallest ranges are left out until [`ROOM`] is left for
    /// others. Returns the frames left out.
    pub fn insert_or_drop(&mut self, range: PfnRange) -> usize {
        match self.insert(range) {
            Ok(()) => self.make_room(),
            Err(_) => range.frames() + self.make_room(),
        }
    }

    /// [`insert`](Self::insert) that is never refused: with a full table the narrowest gap between two ranges is
    /// filled.
    pub fn insert_or_widen(&mut self, range: PfnRange) {
        while self.insert(range).is_err() {
            let gap = |at: &usize| self.ranges[*at].start.as_u32() - self.ranges[*at - 1].end.as_u32();
            let Some(at) = (1..self.len).min_by_key(gap) else { return };
            let merged = PfnRange::new(self.ranges[at - 1].start, self.ranges[at].end);
            self.drop_at(at);
            self.ranges[at - 1] = merged;
        }
    }

    /// [`remove`](Self::remove) that is never refused: the smallest ranges go as well until [`ROOM`] is left for
    /// others. Returns how many frames went so.
    pub fn remove_or_drop(&mut self, range: PfnRange) -> usize {
        // With some room left, the removal may split a range in two; otherwise the whole range goes.
        let mut lost = self.make_room();
        if self.remove(range).is_err() {
            lost += self.drop_at(self.ranges().partition_point(|held| held.end <= range.start)) - range.frames();
        }
        lost + self.make_room()
    }

    fn make_room(&mut self) -> usize {
        let mut lost = 0;
        while self.len > CAPACITY - ROOM {
            let smallest = self.ranges().iter().enumerate().min_by_key(|(_, range)| range.frames());
            lost += smallest.map(|(at, _)| at).map_or(0, |at| self.drop_at(at));
        }
        lost
    }

    /// Takes the range at `at` out and returns its frames.
    fn drop_at(&mut self, at: usize) -> usize {
        let frames = self.ranges[at].frames();
        self.ranges.copy_within(at + 1..self.len, at);
        self.len -= 1;
        frames
    }

    /// The parts of `within` that are not in the set, lowest first.
    pub fn gaps(&self, within: PfnRange) -> impl Iterator<Item = PfnRange> {
        let mut from = within.start;
        let end = PfnRange::new(within.end, within.end);
        self.ranges().iter().copied().chain([end]).filter_map(move |held| {
            let gap = PfnRange::new(from, held.start.min(within.end));
            from = from.max(held.end);
            (gap.frames() > 0).then_some(gap)
        })
    }

    /// How many frames are in this set and in another.
    pub fn frames_in_common(&self, other: &Self) -> usize {
        let missing = |range: PfnRange| -> usize { self.gaps(range).map(PfnRange::frames).sum() };
        other.ranges().iter().map(|&range| range.frames() - missing(range)).sum()
    }

    /// How many ranges there are after a change.
    fn len_after(&self, change: &Change) -> Result<usize, BootmemError> {
        let len = self.len - change.old.len() + change.new.iter().flatten().count();
        if len > CAPACITY { Err(BootmemError::TooManyRanges) } else { Ok(len) }
    }

    fn apply(&mut self, change: Change) -> Result<(), BootmemError> {
        let len = self.len_after(&change)?;
        let Change { old, new } = change;
        let added = new.iter().flatten().count();
        self.ranges.copy_within(old.end..self.len, old.start + added);
        self.ranges[old.start..].iter_mut().zip(new.into_iter().flatten()).for_each(|(place, range)| *place = range);
        self.len = len;
        Ok(())
    }
}

impl Default for RegionSet {
    fn default() -> Self {
        Self::new()
    }
}
