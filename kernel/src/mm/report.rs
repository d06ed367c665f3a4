//! What the allocators report, in the log: failed allocations only so fast.

use ::mm::Report;
use ::mm::report::Incident;
use services::ratelimit::{Admission, RateLimit};

use crate::klog;
use crate::sched;
use crate::sync::SpinLock;
use crate::time::{self, HZ, Ticks};
use crate::timer::Timer;

/// Failures that are shown in each [`INTERVAL`].
const BURST: u32 = 10;
/// Ticks.
const INTERVAL: u64 = HZ as u64;

static FAILURES: SpinLock<RateLimit> = SpinLock::new(RateLimit::new(BURST, INTERVAL));
/// Tells of the failures that were not shown, when their interval is over.
static TELLER: Timer = Timer::new(|_| {
    let missed = FAILURES.with(RateLimit::take_missed);
    if missed > 0 {
        klog!("__alloc_pages: {missed} more failures");
    }
});

/// Writes one report to the log. Any context, under no lock of the allocators.
pub(super) fn show(report: &Report<'_>) {
    if matches!(report.incident, Incident::OutOfMemory { .. }) {
        match FAILURES.with(|limit| limit.admit(time::ticks().0)) {
            Admission::Print => {}
            Admission::First(end) => return TELLER.add_at(Ticks(end), 0),
            Admission::Leave => return,
        }
    }
    klog!("{report}, called from {}", sched::caller(report.call.at()));
}
