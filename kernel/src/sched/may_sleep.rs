//! The check that every call which may sleep begins with.

use kapi::WrongContext;
use mm::Report;

use crate::klog;
use crate::sync::preempt::context;

/// Refuses a call that may sleep where it may not, with a report in the log.
///
/// Every call that may sleep begins with this, so that a call in the wrong place is found even when it would not have
/// slept. (Spec: K11.)
#[track_caller]
pub fn may_sleep(call: &'static str) -> Result<(), WrongContext> {
    let context = context();
    if context.may_sleep() {
        return Ok(());
    }
    let caller = core::panic::Location::caller();
    klog!("{} at {}:{}", Report::WrongContext { call, context }, caller.file(), caller.line());
    Err(WrongContext)
}
