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
pub mod trap_frame;
pub mod upcalls;

/// Brings up the CPU, its segments and its exceptions: the kernel's first call. Interrupts stay off.
pub fn init() {
    percpu::init();
    gdt::init();
    trap::init();
    cpu::init();
}
