//! What the files of a file system hold together, and may hold, in bytes.
//!
//! Counted is what memory costs, with all that is kept for a file.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kapi::Errno;
use mm::PAGE_SIZE;
use services::budget::{Budget, Charge};
use vfs::Costs;

/// A file system's account.
pub(super) struct Account {
    budget: Budget,
    pages: AtomicUsize,
    /// How many bytes there may be.
    limit: fn() -> u64,
}

impl Account {
    /// Nothing is held.
    pub(super) const fn new(limit: fn() -> u64) -> Self {
        Self { budget: Budget::new(), pages: AtomicUsize::new(0), limit }
    }

    /// Charges `bytes` until what is returned is dropped; `ENOSPC` beyond the limit.
    pub(super) fn charge(&self, bytes: usize) -> Result<Charge<'_>, Errno> {
        Ok(self.budget.charge(bytes as u64, (self.limit)())?)
    }

    /// What trees of names cost goes here too.
    pub(super) const fn costs(&'static self) -> Costs {
        Costs { budget: &self.budget, limit: self.limit }
    }

    /// Bytes that are held, and may be held.
    pub(super) fn usage(&self) -> (u64, u64) {
        (self.budget.used(), (self.limit)())
    }

    /// Pages of content.
    pub(super) fn pages(&self) -> usize {
        self.pages.load(Relaxed)
    }

    /// Counts one more page of content, and charges it; whether the limit allows that. Any context.
    pub(super) fn add_page(&self) -> bool {
        let is_charged = self.budget.take(PAGE_SIZE as u64, (self.limit)()).is_ok();
        self.pages.fetch_add(usize::from(is_charged), Relaxed);
        is_charged
    }

    /// Counts one page less, which [`add_page`](Self::add_page) has counted. Any context.
    pub(super) fn remove_page(&self) {
        self.pages.fetch_sub(1, Relaxed);
        self.budget.give(PAGE_SIZE as u64);
    }
}
