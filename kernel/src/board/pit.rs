//! The interval timer: an interrupt a hundred times a second.

use x86_64::instructions::port::Port;

use crate::irq::{self, Irq, IrqBusy};
use crate::sched;
use crate::softirq::{self, Softirq};
use crate::time::{self, HZ};

/// What the timer counts down with, in Hz.
const FREQUENCY: u32 = 1_193_182;
/// Counts between two ticks.
const DIVISOR: u16 = ((FREQUENCY + HZ / 2) / HZ) as u16;
/// Command: counter 0, both bytes, rate generator, binary.
const RATE_GENERATOR: u8 = 0x34;

/// Starts the tick.
pub fn init() -> Result<(), IrqBusy> {
    let mut command = Port::<u8>::new(0x43);
    let mut counter = Port::<u8>::new(0x40);
    let [low, high] = DIVISOR.to_le_bytes();
    // SAFETY: the ports are the interval timer's; counter 0 is nobody else's.
    unsafe { command.write(RATE_GENERATOR) };
    // SAFETY: as above; the timer expects the low byte first.
    unsafe { counter.write(low) };
    // SAFETY: as above.
    unsafe { counter.write(high) };
    irq::request_irq(Irq::TIMER, "timer", tick)
}

fn tick(_irq: Irq) {
    time::tick();
    sched::tick();
    softirq::raise(Softirq::Timer);
    softirq::raise(Softirq::TaskTimer);
}
