//! The oops: a thread dies of a fault or a panic, and the kernel goes on.
//!
//! One mechanism for whatever dies in process context with no spinlock held. The report says what happened, who is to
//! blame, the registers and the way there; then the thread's end is wound up ([`sched::abandon`]): the locks that it
//! held are broken, its files closed, and whoever waits for it gets the status [`sched::DIED`]. Memory that its frames
//! held stays taken.
//!
//! Everything else is a panic: with a spinlock held or in an interrupt the kernel's own state may be half changed, and
//! some threads it cannot do without. `oops=panic` makes every oops one.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::arch::trap_frame::TrapFrame;
use crate::debug::backtrace::{Site, Trace};
use crate::debug::blame::blame;
use crate::options::{self, OnOops};
use crate::sched::{self, task};
use crate::sync::preempt;
use crate::{klog, log, testing};

/// Oopses so far.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Whether the running thread can die alone. Asked in its own context: by what it called, or by the handler of an
/// exception that it ran into with interrupts on.
pub(crate) fn is_survivable() -> bool {
    preempt::is_preemptible() && !task::current().is_essential() && options::get().on_oops == OnOops::EndThread
}

/// Reports `what` as the end of the running thread, and ends it. [`is_survivable`] has said that this can be.
pub(crate) fn end_thread(what: &dyn fmt::Display, registers: Option<&TrapFrame>, trace: Trace) -> ! {
    let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    let task = task::current();
    {
        // Whatever goes wrong in here is no thread's matter.
        let _section = sched::preempt_disable();
        klog!("oops {number}: {what}");
        klog!("process context, thread {} ({}){}", task.id, task.name(), task.work());
        if let Some(site) = blame(trace.clone().sites()) {
            klog!("to blame: {site}");
        }
        // It comes back to none of those that it was in.
        trace.clone().sites().filter_map(Site::function).for_each(|place| place.blame());
        if let Some(frame) = registers {
            klog!("{frame}");
        }
        log::write_trace(trace);
        klog!("oops {number}: thread {} ({}) ends with status {}", task.id, task.name(), sched::DIED);
        testing::oopsed(what);
    }
    sched::abandon()
}
