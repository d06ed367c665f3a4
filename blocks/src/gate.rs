//! Who may have a request while few are left.
//!
//! A gate shuts when no request is left, and opens when some are free again: so those that wait get a few at a time,
//! and what they submit can travel together. Nobody overtakes those that wait.

/// Requests that only reads get.
const FOR_READS: usize = 16;
/// Requests that are free when the gate opens.
const BATCH: usize = 16;

/// The gate of reads, or of all else.
pub(crate) struct Gate {
    /// Requests that stay free on this side.
    reserve: usize,
    is_open: bool,
    waiting: usize,
}

impl Gate {
    pub(crate) const fn for_reads() -> Self {
        Self { reserve: 0, is_open: true, waiting: 0 }
    }

    pub(crate) const fn for_writes() -> Self {
        Self { reserve: FOR_READS, is_open: true, waiting: 0 }
    }

    /// Whether a newcomer may take one of so many free requests.
    pub(crate) const fn admits_newcomer(&mut self, free: usize) -> bool {
        self.admits(free) && self.waiting == 0
    }

    /// Whether one of those that wait may. The gate shuts when there is none.
    pub(crate) const fn admits(&mut self, free: usize) -> bool {
        if free <= self.reserve {
            self.is_open = false;
        }
        self.is_open
    }

    /// One more waits.
    pub(crate) const fn join(&mut self) {
        self.waiting += 1;
    }

    /// One less.
    pub(crate) const fn leave(&mut self) {
        self.waiting -= 1;
    }

    /// Whether somebody waits.
    pub(crate) const fn has_waiters(&self) -> bool {
        self.waiting > 0
    }

    /// So many requests are free now: whether those that wait should look.
    pub(crate) const fn freed(&mut self, free: usize) -> bool {
        let opens = !self.is_open && free >= self.reserve + BATCH;
        self.is_open |= opens;
        opens && self.waiting > 0
    }
}
