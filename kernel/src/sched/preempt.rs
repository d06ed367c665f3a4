//! The preempt count: may this CPU switch threads now, and what context is it in?
//!
//! One word per CPU counts, in three fields, how deep it is in sections without preemption, in soft interrupts and in
//! hardware interrupts. The word is 0 exactly where a thread may be preempted; with interrupts on as well, it may sleep.
//! (Chapter: "GFP_ATOMIC is used from interrupt handlers and other code outside of a process context".)

use core::marker::PhantomData;

use kapi::WrongContext;
use mm::{Context, Report};
use x86_64::instructions::interrupts;

use crate::arch::percpu::{CURRENT, NEED_RESCHED, PREEMPT_COUNT};
use crate::klog;

/// One soft interrupt.
const SOFTIRQ: u32 = 1 << 8;
/// One hardware interrupt.
const HARDIRQ: u32 = 1 << 16;

/// The context of the caller. Any context.
#[inline]
pub fn context() -> Context {
    context_with(interrupts::are_enabled())
}

/// The context of code that ran with interrupts on or off, as its saved flags say.
pub(crate) fn context_with(interrupts_on: bool) -> Context {
    let count = PREEMPT_COUNT.get();
    if count >= SOFTIRQ {
        Context::Interrupt
    } else if count > 0 || !interrupts_on {
        Context::Atomic
    } else {
        Context::Process
    }
}

/// Whether the caller is an interrupt handler, a soft interrupt or a timer callback.
pub fn in_interrupt() -> bool {
    PREEMPT_COUNT.get() >= SOFTIRQ
}

/// Whether the caller has not interrupted a section: it is a thread, or the interrupted thread was in none.
///
/// An interrupt handler that is in a section of its own counts as one that has interrupted one.
#[inline]
pub(crate) fn is_alone() -> bool {
    let count = PREEMPT_COUNT.get();
    count < SOFTIRQ || count & (SOFTIRQ - 1) == 0
}

/// Keeps the thread on this CPU and other threads off it, until it is dropped. Interrupts still come.
#[must_use = "preemption comes back when the guard is dropped"]
pub struct PreemptGuard(PhantomData<*mut ()>);

/// Switches preemption off. Sections nest. Any context.
#[inline]
pub fn preempt_disable() -> PreemptGuard {
    PREEMPT_COUNT.increment();
    PreemptGuard(PhantomData)
}

impl Drop for PreemptGuard {
    #[inline]
    fn drop(&mut self) {
        PREEMPT_COUNT.decrement();
        preempt_point();
    }
}

/// Lets another thread run if one should and may.
#[inline]
pub(crate) fn preempt_point() {
    if NEED_RESCHED.get() != 0 {
        preempt_slow();
    }
}

#[cold]
fn preempt_slow() {
    if context().may_sleep() && CURRENT.get() != 0 {
        super::run_queue::preempt();
    }
}

/// Enters a spinlock's section: the caller has switched interrupts off.
#[inline]
pub(crate) fn enter_section() {
    PREEMPT_COUNT.increment();
}

/// Leaves a spinlock's section, interrupts being off still.
#[inline]
pub(crate) fn leave_section() {
    PREEMPT_COUNT.decrement();
}

/// Enters a hardware interrupt.
pub(crate) fn enter_hardirq() {
    PREEMPT_COUNT.add(HARDIRQ);
}

/// Leaves a hardware interrupt.
pub(crate) fn leave_hardirq() {
    PREEMPT_COUNT.sub(HARDIRQ);
}

/// Runs `f` as a soft interrupt.
pub(crate) fn as_softirq(f: impl FnOnce()) {
    PREEMPT_COUNT.add(SOFTIRQ);
    f();
    PREEMPT_COUNT.sub(SOFTIRQ);
}

/// Whether what an interrupt or exception interrupted is a thread that is in no section.
pub(crate) fn is_preemptible() -> bool {
    PREEMPT_COUNT.get() == 0 && CURRENT.get() != 0
}

/// Switches threads, if need be, at the end of an interrupt, whose `iretq` waits on the interrupted thread's stack.
pub(crate) fn preempt_at_interrupt_end() {
    if NEED_RESCHED.get() != 0 && is_preemptible() {
        super::run_queue::preempt();
    }
}

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
