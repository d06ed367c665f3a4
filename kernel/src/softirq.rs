//! Soft interrupts: work put off until interrupts are on again.
//!
//! Key types: [`Softirq`]. A handler raises one; it runs when the outermost hardware interrupt ends, with interrupts
//! on, before the interrupted thread goes on. It may not sleep, and does not nest.

use x86_64::instructions::interrupts;

use crate::arch::percpu::SOFTIRQS;
use crate::sync::{preempt, without_interrupts};
use crate::{timer, work};

/// The soft interrupts, most urgent first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Softirq {
    /// Timers whose time has come.
    Timer,
    /// The work in [`IMMEDIATE`](work::IMMEDIATE).
    Immediate,
    /// The work in [`TICK`](work::TICK), once a tick.
    TaskTimer,
}

/// What each does, in the order of [`Softirq`].
const HANDLERS: [fn(); 3] = [timer::run, || work::IMMEDIATE.run(), || work::TICK.run()];

/// Rounds in a row; what is raised again after them waits for the next interrupt, so that threads get on.
const MAX_ROUNDS: u32 = 8;

/// Has `softirq` run soon: at the end of this interrupt, or of the next if none is being handled. Any context.
pub fn raise(softirq: Softirq) {
    SOFTIRQS.set_bits(1 << softirq as u32);
    // A thread that may be interrupted need not wait for the next interrupt.
    if preempt::context().may_sleep() {
        without_interrupts(run_pending);
    }
}

/// Runs what was raised. Called at the end of an interrupt, with interrupts off; they are on while handlers run.
#[inline]
pub(crate) fn run_pending() {
    if SOFTIRQS.get() != 0 && !preempt::in_interrupt() {
        run_all();
    }
}

fn run_all() {
    preempt::as_softirq(|| {
        for _ in 0..MAX_ROUNDS {
            let raised = SOFTIRQS.replace(0);
            if raised == 0 {
                break;
            }
            interrupts::enable();
            run_raised(raised);
            interrupts::disable();
        }
    });
}

fn run_raised(raised: u32) {
    for (bit, handler) in HANDLERS.iter().enumerate() {
        if raised & (1 << bit) != 0 {
            handler();
        }
    }
}
