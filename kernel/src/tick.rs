//! The tick: what happens a hundred times a second.

use crate::board::irq::Irq;
use crate::board::pit;
use crate::irq::{self, IrqBusy};
use crate::sched;
use crate::softirq::{self, Softirq};
use crate::time::{self, HZ};

/// Starts the tick. Comes after `sched::init`, before interrupts are let in.
pub fn start() -> Result<(), IrqBusy> {
    pit::start::<HZ>();
    irq::request_irq(Irq::TIMER, "timer", tick)
}

fn tick(_irq: Irq) {
    time::tick();
    sched::tick();
    softirq::raise(Softirq::Timer);
    softirq::raise(Softirq::TaskTimer);
}
