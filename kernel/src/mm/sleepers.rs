//! Who sleeps for memory: a trace, and an end to waits for oneself.
//!
//! A thread that does a disk's work may need memory, and memory may come back only when that disk has written pages. If
//! the thread then waits for I/O, it waits for itself, for ever: that is what GFP_BUFFER is for. The cycle is shown,
//! and the request fails. (Chapter: "The Flags Argument".)

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ::mm::{GfpFlags, Slept, Verdict, Waiting};
use services::options::Switch;
use services::ratelimit::{Admission, RateLimit};

use crate::klog;
use crate::sched::{self, Served};
use crate::sync::SpinLock;
use crate::time::{self, HZ};

/// Ticks for which a thread that serves a disk may wait for I/O.
const LONGEST: u64 = HZ as u64;

/// Ticks in which one such wait is shown: the thread's next request is like the last one.
const INTERVAL: u64 = 5 * HZ as u64;

static CYCLES: SpinLock<RateLimit> = SpinLock::new(RateLimit::new(1, INTERVAL));
static TRACE: AtomicBool = AtomicBool::new(false);

/// Whether the log has a line for each request that slept for memory. (/proc/sys/vm/trace_sleep)
pub fn trace() -> Switch {
    if TRACE.load(Relaxed) { Switch::On } else { Switch::Off }
}

/// Sets it. Any context.
pub fn set_trace(trace: Switch) {
    TRACE.store(trace == Switch::On, Relaxed);
}

/// Writes the line, if it is wanted.
pub(super) fn slept(slept: &Slept) {
    if trace() == Switch::On {
        let (thread, at) = (sched::current(), slept.waiting.call.at());
        klog!("memory: {}[{}] {slept}; called from {}:{}", thread.name(), thread.id(), at.file(), at.line());
    }
}

/// Has a request fail whose thread serves a disk, if it waits for that disk and thus for itself.
pub(super) fn after_nap(waiting: &Waiting) -> Verdict {
    let ticks = time::ticks().0.saturating_sub(waiting.since);
    if !waiting.gfp.contains(GfpFlags::IO) || ticks < LONGEST {
        return Verdict::TryOn;
    }
    match sched::served() {
        Some(disk) if disk.open_requests() > 0 => {
            if CYCLES.with(|limit| limit.admit(time::ticks().0)) == Admission::Print {
                tell_of_cycle(waiting, ticks, &*disk);
            }
            Verdict::Fail
        }
        _ => Verdict::TryOn,
    }
}

fn tell_of_cycle(waiting: &Waiting, ticks: u64, disk: &dyn Served) {
    let (thread, at, disk, open) = (sched::current(), waiting.call.at(), disk.name(), disk.open_requests());
    let (name, id) = (thread.name(), thread.id());
    let _together = sched::preempt_disable();
    klog!("I/O waits for itself: {name}[{id}], which serves {disk}, has waited for memory for {ticks} ticks");
    klog!("  {name}[{id}] waits for memory: {waiting}, called from {}:{}", at.file(), at.line());
    klog!("  memory waits for {disk}, which is to write pages: open requests: {open}");
    klog!("  {disk} waits for {name}[{id}]: the allocation fails. GFP_BUFFER starts no I/O and waits for none.");
}
