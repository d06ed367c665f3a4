//! The CPU: its tables, its traps, its page tables, the switch between stacks.

pub mod clear;
pub mod cpu;
pub mod gdt;
pub mod hide;
pub mod layout;
pub mod paging;
pub mod percpu;
pub mod preempt;
pub mod stacks;
pub mod switch;
pub mod trap;
pub mod upcalls;

use crate::board::{pit, serial};
use crate::irq::{self, IrqBusy};

/// Brings up the CPU, the console and the exceptions: the kernel's first call. Interrupts stay off.
pub fn init() {
    percpu::init();
    serial::init();
    gdt::init();
    trap::init();
    cpu::init();
}

/// Starts the interrupt controller and the tick, and lets interrupts in. Comes after `sched::init`.
pub fn start_interrupts() -> Result<(), IrqBusy> {
    irq::chip().init();
    pit::init()?;
    x86_64::instructions::interrupts::enable();
    Ok(())
}
