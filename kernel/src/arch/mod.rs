//! All that knows the machine: ports, tables, the boot protocol.

pub mod backtrace;
pub mod clear;
pub mod cpu;
pub mod crash;
pub mod fault;
pub mod floppy;
pub mod fw_cfg;
pub mod gdt;
pub mod hide;
pub mod irq;
pub mod isa_dma;
pub mod layout;
pub mod paging;
pub mod pci;
pub mod percpu;
pub mod pic;
pub mod pit;
pub mod probe;
pub mod qemu;
pub mod serial;
pub mod stacks;
pub mod switch;
pub mod symbols;
pub mod trap;

pub use irq::IrqBusy;

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
