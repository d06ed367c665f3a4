//! What failed to start at boot.
//!
//! Each has one line in the log and counts, and all the rest goes on.

use core::fmt::{self, Display};
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::board::qemu::ExitCode;
use crate::klog;

static FAILURES: AtomicUsize = AtomicUsize::new(0);

/// Takes note of how the start of something went that the log calls `name`. Process context.
pub fn check<E: Display>(name: fmt::Arguments<'_>, outcome: Result<(), E>) {
    if let Err(error) = outcome {
        FAILURES.fetch_add(1, Ordering::Relaxed);
        klog!("startup: {name}: {error}");
    }
}

/// How many failed. Any context.
pub fn failures() -> usize {
    FAILURES.load(Ordering::Relaxed)
}

/// How a run that nobody watches ends: badly if something that it may count on did not start. Any context.
pub fn verdict() -> ExitCode {
    if failures() == 0 { ExitCode::Success } else { ExitCode::Failure }
}
