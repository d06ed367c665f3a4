//! The CPU: its tables, the ways in and out, page tables, stacks.

pub mod clear;
mod copy;
pub mod cpu;
mod entry;
pub mod fpu;
pub mod gdt;
pub mod hide;
pub mod layout;
pub mod paging;
pub mod percpu;
pub mod preempt;
pub mod ring3;
pub mod stacks;
pub mod switch;
pub mod trap;
pub mod trap_frame;
pub mod upcalls;
pub mod user_copy;
pub mod user_registers;

/// Brings up the CPU, its segments and its exceptions: the kernel's first call. Interrupts stay off.
pub fn init() {
    percpu::init();
    gdt::init();
    trap::init();
    cpu::init();
    ring3::init();
}
