//! What a disk has done so far, as /proc/diskstats shows it.

use core::fmt;

use kapi::BlockOp;

/// Requests of one kind that have ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpCounts {
    /// Requests.
    pub ended: u64,
    /// Pieces that travelled with another's request.
    pub merged: u64,
    /// Sectors moved.
    pub sectors: u64,
    /// Milliseconds, from submission to end, of all requests together.
    pub millis: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// A disk's counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Reads.
    pub reads: OpCounts,
    /// Writes.
    pub writes: OpCounts,
    /// Flushes.
    pub flushes: OpCounts,
    /// Requests now under way, or waiting for that.
    pub in_flight: u64,
    /// Milliseconds in which there were some.
    pub busy_millis: u64,
    /// The same, times how many.
    pub weighted_millis: u64,
    /// When these two were brought up to date, in milliseconds since boot.
    stamp: u64,
}

impl Counts {
    /// The counts of one kind.
    pub(crate) const fn of(&mut self, op: BlockOp) -> &mut OpCounts {
        match op {
            BlockOp::Read => &mut self.reads,
            BlockOp::Write => &mut self.writes,
            BlockOp::Flush => &mut self.flushes,
        }
    }

    /// One request more is under way.
    pub(crate) const fn begin(&mut self, now: u64) {
        self.pass(now);
        self.in_flight += 1;
    }

    /// One less.
    pub(crate) const fn end(&mut self, now: u64) {
        self.pass(now);
        self.in_flight -= 1;
    }

    /// Brings the times up to date.
    pub(crate) const fn pass(&mut self, now: u64) {
        let passed = now.saturating_sub(self.stamp);
        self.stamp = now;
        if self.in_flight > 0 {
            self.busy_millis += passed;
            self.weighted_millis += passed * self.in_flight;
        }
    }
}

/// The columns of /proc/diskstats from the fourth on: reads, writes, what is under way, no discards, flushes.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for OpCounts { ended, merged, sectors, millis, .. } in [self.reads, self.writes] {
            write!(f, "{ended} {merged} {sectors} {millis} ")?;
        }
        write!(f, "{} {} {} ", self.in_flight, self.busy_millis, self.weighted_millis)?;
        write!(f, "0 0 0 0 {} {}", self.flushes.ended, self.flushes.millis)
    }
}
