//! The first threads: boot, idle, the reaper.

use core::sync::atomic::Ordering;

use mm::{AllocError, VirtAddr};

use super::idle::idle_main;
use super::reaper;
use super::run_queue::{self, SCHEDULER};
use super::stack::{self, StackSource};
use super::task::{Name, Task};
use crate::arch::percpu::{CURRENT, IDLE};
use crate::arch::{stacks, switch};

static BOOT: Task = Task::new(1, Name::new("boot"), run_queue::wake_by_alarm);
static IDLE_TASK: Task = Task::new(0, Name::new("idle"), run_queue::wake_by_alarm);

/// Makes the caller the thread "boot", and the idle thread ready. Needs no allocator, and comes before interrupts are
/// switched on.
pub fn init() {
    let (bottom, top) = stacks::IDLE.range();
    IDLE_TASK.set_stack_range(bottom, top);
    IDLE_TASK.stack_pointer.store(switch::prepare(top, idle_main).as_usize(), Ordering::Relaxed);
    IDLE.set(core::ptr::from_ref(&IDLE_TASK) as usize);
    BOOT.on_cpu.store(true, Ordering::Relaxed);
    CURRENT.set(core::ptr::from_ref(&BOOT) as usize);
    for task in [&IDLE_TASK, &BOOT] {
        task.essential.store(true, Ordering::Relaxed);
    }
    SCHEDULER.with(|scheduler| {
        scheduler.all.push(&IDLE_TASK);
        scheduler.all.push(&BOOT);
    });
}

/// Says on which stack the boot thread runs.
pub fn set_boot_stack(bottom: VirtAddr, top: VirtAddr) {
    BOOT.set_stack_range(bottom, top);
}

/// Says where stacks come from, and starts the thread that frees those of dead threads. Needs an allocator.
pub fn start_threads(source: StackSource) -> Result<(), AllocError> {
    stack::set_source(source);
    reaper::start()
}
