//! The tick: what happens a hundred times a second.

use kapi::{Errno, IrqReturn, Sharing};

use crate::board::irq::Irq;
use crate::board::pit;
use crate::irq;
use crate::sched;
use crate::softirq::{self, Softirq};
use crate::time::{self, HZ};

/// Starts the tick. Comes after `sched::init`, before interrupts are let in.
pub fn start() -> Result<(), Errno> {
    pit::start::<HZ>();
    irq::request_irq(Irq::TIMER, Sharing::Exclusive, "timer", tick)?.keep();
    Ok(())
}

fn tick(_irq: Irq) -> IrqReturn {
    time::tick();
    sched::tick();
    softirq::raise(Softirq::Timer);
    softirq::raise(Softirq::TaskTimer);
    IrqReturn::Handled
}
