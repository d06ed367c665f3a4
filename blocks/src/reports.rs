//! Failures, as the log tells them.
//!
//! A few lines a kind, and how many more there were.

use core::fmt;

use kapi::services::ratelimit::{Admission, RateLimit};
use kapi::{BlockError, BlockOp};

/// Lines of a kind in a stretch of time.
const BURST: u32 = 5;
/// That stretch, in milliseconds.
const STRETCH: u64 = 5000;

/// A line about a failure.
pub(crate) struct Report {
    op: BlockOp,
    sector: u64,
    sectors: u64,
    error: BlockError,
}

/// A line about failures that had none.
pub(crate) struct Missed {
    error: BlockError,
    count: u64,
}

/// What may be told of one kind.
struct Kind {
    error: BlockError,
    limit: RateLimit,
    /// When those that were left out are to be told of.
    due: Option<u64>,
}

/// What may be told.
pub(crate) struct Reports([Kind; 4]);

impl Reports {
    pub(crate) fn new() -> Self {
        let errors = [BlockError::Io, BlockError::Timeout, BlockError::Gone, BlockError::NoMemory];
        Self(errors.map(|error| Kind { error, limit: RateLimit::new(BURST, STRETCH), due: None }))
    }

    /// The line for a failure of so many sectors from one on, if there is one.
    pub(crate) fn failed(
        &mut self,
        op: BlockOp,
        (sector, sectors): (u64, u64),
        error: BlockError,
        now: u64,
    ) -> Option<Report> {
        let kind = self.0.iter_mut().find(|kind| kind.error == error)?;
        match kind.limit.admit(now) {
            Admission::Print => return Some(Report { op, sector, sectors, error }),
            Admission::First(due) => kind.due = Some(due),
            Admission::Leave => {}
        }
        None
    }

    /// A line about those that were left out, if it is time for one.
    pub(crate) fn missed(&mut self, now: u64) -> Option<Missed> {
        let kind = self.0.iter_mut().find(|kind| kind.due.is_some_and(|due| due <= now))?;
        kind.due = None;
        Some(Missed { error: kind.error, count: kind.limit.take_missed() })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.op {
            BlockOp::Read => "read",
            BlockOp::Write => "write",
            BlockOp::Flush => return write!(f, "flush failed: {}", self.error),
        };
        write!(f, "{what} of {} sectors from {} on failed: {}", self.sectors, self.sector, self.error)
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} more requests failed: {}", self.count, self.error)
    }
}
