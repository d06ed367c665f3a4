//! Hardware interrupts: which handler serves which line.
//!
//! Key types: [`Irq`], [`IrqChip`]. An IRQ is a line of the machine; the chip knows the vector by which the CPU sees
//! it. A handler runs with interrupts off, in interrupt context. After it come soft interrupts, and then, if one should
//! run, another thread.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::arch::percpu::HANDLED_IRQ;
use crate::arch::preempt::preempt_point;
pub use crate::board::irq::{Irq, IrqChip};
use crate::board::pic;
use crate::softirq;
use crate::sync::{SpinLock, preempt};

/// The line has a handler already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IrqBusy;

/// A line's handler. Interrupt context.
pub type Handler = fn(Irq);

#[derive(Clone, Copy)]
struct Action {
    name: &'static str,
    handler: Handler,
}

static ACTIONS: SpinLock<[Option<Action>; Irq::COUNT]> = SpinLock::new([None; Irq::COUNT]);
static COUNTS: [AtomicU64; Irq::COUNT] = [const { AtomicU64::new(0) }; Irq::COUNT];
static SPURIOUS: AtomicU64 = AtomicU64::new(0);

/// The machine's interrupt controller.
pub fn chip() -> &'static dyn IrqChip {
    &pic::PIC
}

/// Sets the controller up, with all lines masked. Once, before interrupts are let in.
pub fn init() {
    chip().init();
}

/// Has `handler` called for each interrupt on `irq`, and lets the line through. Any context.
pub fn request_irq(irq: Irq, name: &'static str, handler: Handler) -> Result<(), IrqBusy> {
    ACTIONS.with(|actions| {
        let slot = &mut actions[irq.index()];
        if slot.is_some() {
            return Err(IrqBusy);
        }
        *slot = Some(Action { name, handler });
        chip().unmask(irq);
        Ok(())
    })
}

/// Holds `irq` back and forgets its handler. Any context.
pub fn free_irq(irq: Irq) {
    ACTIONS.with(|actions| {
        chip().mask(irq);
        actions[irq.index()] = None;
    });
}

/// Interrupts handled so far on `irq`. Any context.
pub fn count(irq: Irq) -> u64 {
    COUNTS[irq.index()].load(Ordering::Relaxed)
}

/// Interrupts that turned out not to be any. Any context.
pub fn spurious() -> u64 {
    SPURIOUS.load(Ordering::Relaxed)
}

/// The name under which `irq`'s handler was requested, if it has one. Any context.
pub fn name(irq: Irq) -> Option<&'static str> {
    ACTIONS.with(|actions| actions[irq.index()].map(|action| action.name))
}

/// The line whose handler runs on this CPU now.
pub fn handled_now() -> Option<Irq> {
    HANDLED_IRQ.get().checked_sub(1).and_then(|number| Irq::new(number as u8))
}

/// Handles the interrupt that the CPU saw as `vector`; then soft interrupts; then another thread runs, if one should.
/// See [`crate::arch::upcalls`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn kernel_interrupt(vector: u8) {
    match chip().accept(vector) {
        Some(irq) => handle(irq),
        None => {
            SPURIOUS.fetch_add(1, Ordering::Relaxed);
        }
    }
    softirq::run_pending();
    // `iretq` waits on the interrupted thread's stack until that thread runs again.
    preempt_point();
}

fn handle(irq: Irq) {
    preempt::enter_hardirq();
    let outer = HANDLED_IRQ.replace(u32::from(irq.number()) + 1);
    COUNTS[irq.index()].fetch_add(1, Ordering::Relaxed);
    if let Some(action) = ACTIONS.with(|actions| actions[irq.index()]) {
        (action.handler)(irq);
    }
    chip().end(irq);
    HANDLED_IRQ.replace(outer);
    preempt::leave_hardirq();
}
