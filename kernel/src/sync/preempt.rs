//! The preempt count: may this CPU switch threads, and in what context is it?
//!
//! One word per CPU counts, in four fields, how deep it is in sections without preemption, in soft interrupts, in
//! hardware interrupts, and in interrupts of either kind that came into a section. A section with interrupts off is one
//! without preemption too ([`crate::sync::without_interrupts`] is the way to one), so that the word alone tells the
//! context: all fields are 0 exactly where a thread may sleep. (Chapter: "GFP_ATOMIC is used from interrupt handlers
//! and other code outside of a process context".)
//!
//! The topmost bit is set while no other thread should run. So the word as a whole is 0 exactly where the CPU should
//! change threads and may, and the end of a section finds that out from the subtraction itself.

use core::marker::PhantomData;

use mm::Context;

use crate::arch::percpu::{self, CURRENT, CacheIndex, NO_RESCHED, PREEMPT_COUNT};
use crate::arch::preempt;

/// One soft interrupt.
const SOFTIRQ: u32 = 1 << 8;
/// One hardware interrupt.
const HARDIRQ: u32 = 1 << 16;
/// One interrupt, soft or hard, that came into a section.
const INTRUSION: u32 = 1 << 24;
/// How deep this CPU is in sections and interrupts.
#[inline]
fn depth() -> u32 {
    PREEMPT_COUNT.get() & !NO_RESCHED
}

/// The context of the caller. Any context.
#[inline]
pub fn context() -> Context {
    match depth() {
        0 => Context::Process,
        1..SOFTIRQ => Context::Atomic,
        SOFTIRQ.. => Context::Interrupt,
    }
}

/// Whether the caller is an interrupt handler, a soft interrupt or a timer callback.
#[inline]
pub fn in_interrupt() -> bool {
    depth() >= SOFTIRQ
}

/// Whether the caller may sleep: [`context`] in one instruction and a jump.
#[inline(always)]
pub(crate) fn in_process() -> bool {
    PREEMPT_COUNT.has_none::<{ !NO_RESCHED }>()
}

/// Enters an interrupt. One that came into a section may find this CPU's caches of the allocators
/// in use, and gets none.
#[inline]
fn enter(interrupt: u32) {
    if depth().is_multiple_of(SOFTIRQ) {
        PREEMPT_COUNT.add(interrupt);
    } else {
        PREEMPT_COUNT.add(interrupt + INTRUSION);
        percpu::set_cache_index(CacheIndex::None);
    }
}

/// Leaves an interrupt; as many sections are open as when it came.
#[inline]
fn leave(interrupt: u32) {
    if depth().is_multiple_of(SOFTIRQ) {
        PREEMPT_COUNT.sub(interrupt);
    } else {
        PREEMPT_COUNT.sub(interrupt + INTRUSION);
        if depth() < INTRUSION {
            percpu::set_cache_index(CacheIndex::ThisCpu);
        }
    }
}

/// Has this CPU change threads as soon as it may.
pub(crate) fn set_need_resched() {
    PREEMPT_COUNT.clear_bits(NO_RESCHED);
}

/// The CPU is changing threads.
pub(crate) fn clear_need_resched() {
    PREEMPT_COUNT.set_bits(NO_RESCHED);
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

/// Switches preemption back on, for a [`preempt_disable`] whose guard was forgotten.
#[inline]
pub(crate) fn preempt_enable() {
    preempt::leave_section();
}

/// How many sections without preemption this CPU is in.
#[inline]
pub(crate) fn sections() -> u32 {
    depth() & (SOFTIRQ - 1)
}

impl Drop for PreemptGuard {
    #[inline]
    fn drop(&mut self) {
        preempt::leave_section();
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
#[inline]
pub(crate) fn enter_hardirq() {
    enter(HARDIRQ);
}

/// Leaves a hardware interrupt.
#[inline]
pub(crate) fn leave_hardirq() {
    leave(HARDIRQ);
}

/// Runs `f` as a soft interrupt.
#[inline]
pub(crate) fn as_softirq(f: impl FnOnce()) {
    enter(SOFTIRQ);
    f();
    leave(SOFTIRQ);
}

/// Whether what an interrupt or exception interrupted is a thread that is in no section.
pub(crate) fn is_preemptible() -> bool {
    depth() == 0 && CURRENT.get() != 0
}
