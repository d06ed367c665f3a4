//! The check that every call which may sleep begins with.

use core::panic::Location;

use kapi::WrongContext;

use crate::klog;
use crate::sync::preempt::{context, in_process};

/// Refuses a call that may sleep where it may not, with a report in the log.
///
/// Every call that may sleep begins with this, so that a call in the wrong place is found even when it would not have
/// slept. (Spec: K11.)
#[track_caller]
#[inline]
pub fn may_sleep(call: &'static str) -> Result<(), WrongContext> {
    if in_process() { Ok(()) } else { Err(refuse(call, Location::caller())) }
}

#[cold]
#[inline(never)]
fn refuse(call: &'static str, caller: &'static Location<'static>) -> WrongContext {
    klog!("{call}: may sleep, called in {} at {}", context(), super::task::caller(caller));
    WrongContext
}
