//! Threads that serve the requests of a disk.
//!
//! Memory may come back only when a disk has written pages. So a thread that does the disk's work must not wait for
//! such memory: who serves a disk says so, and the wait is found out ([`crate::mm`], `io_cycle.rs`).
//!
//! Key types: [`Serving`], and [`Served`], the disk.

use alloc::sync::Arc;

use super::task::{self, Served};

/// While it lives, the thread that made it serves a disk.
#[must_use = "the thread serves the disk until this is dropped"]
pub struct Serving {
    before: Option<Arc<dyn Served>>,
}

/// Says that the running thread serves the requests of `disk`, until what is returned is dropped. Process context.
pub fn serving(disk: Arc<dyn Served>) -> Serving {
    Serving { before: replace(Some(disk)) }
}

/// The disk whose requests the running thread serves. Process context.
pub fn served() -> Option<Arc<dyn Served>> {
    task::try_current()?.served.with(|served| served.clone())
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(replace(self.before.take()));
    }
}

fn replace(disk: Option<Arc<dyn Served>>) -> Option<Arc<dyn Served>> {
    task::current().served.with(|served| core::mem::replace(served, disk))
}
