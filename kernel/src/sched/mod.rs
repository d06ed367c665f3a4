//! Kernel threads: preemptive, round robin, one timer tick each.
//!
//! Key types: [`Thread`], [`ThreadInfo`]. A thread runs a closure on a stack of its own, with an unmapped page below it,
//! and ends when the closure returns. Neighbours: [`crate::sync::preempt`] knows the context, [`run_queue`] picks who runs,
//! [`mutex`] and [`wait`] are what threads
//! sleep on, and [`crate::sync`] has the lock that interrupts share.

pub mod may_sleep;
pub mod mutex;
pub mod run_queue;
pub mod stack;
pub mod task;
pub mod thread;
pub mod wait;

use core::sync::atomic::Ordering;
use core::time::Duration;

use kapi::{LockError, WrongContext};
use mm::{AllocError, VirtAddr};
use spin::Once;

use crate::arch::percpu::{CURRENT, IDLE};
use crate::arch::stacks;
use crate::arch::switch;
pub use crate::sync::preempt::{PreemptGuard, context, in_interrupt, preempt_disable};
pub use may_sleep::may_sleep;
pub use mutex::{Mutex, MutexGuard};
use run_queue::SCHEDULER;
pub use stack::{KernelStack, STACK_BYTES, StackSource};
use task::{Name, State, Task};
pub use thread::{Thread, ThreadInfo, owner_of_stack, spawn, threads};
pub use wait::WaitQueue;

static BOOT: Task = Task::new(1, Name::new("boot"));
static IDLE_TASK: Task = Task::new(0, Name::new("idle"));
static REAPER_WORK: WaitQueue = WaitQueue::new();

/// Makes the caller the thread "boot", and the idle thread ready. Needs no allocator, and comes before interrupts are
/// switched on.
pub fn init() {
    let (bottom, top) = stacks::IDLE.range();
    IDLE_TASK.set_stack_range(bottom, top);
    IDLE_TASK.stack_pointer.store(switch::prepare(top, idle_main).as_usize(), Ordering::Relaxed);
    IDLE.set(core::ptr::from_ref(&IDLE_TASK) as usize);
    BOOT.on_cpu.store(true, Ordering::Relaxed);
    CURRENT.set(core::ptr::from_ref(&BOOT) as usize);
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
    let reaper = spawn("reaper", reap_for_ever)?;
    SCHEDULER.with(|scheduler| scheduler.set_reaper(reaper.task()));
    Ok(())
}

/// A running thread's time slice is over: called at each tick, in interrupt context.
pub(crate) fn tick() {
    if let Some(task) = task::try_current() {
        task.ticks.fetch_add(1, Ordering::Relaxed);
        crate::sync::preempt::set_need_resched();
    }
}

/// The current thread.
///
/// # Panics
/// Before [`init`].
pub fn current() -> Thread {
    Thread::from_task(task::current())
}

/// Whether ^C has come for the current thread. Stays so until [`clear_interrupt`].
pub fn interrupted() -> bool {
    task::current().is_interrupted()
}

/// Forgets a ^C that came for the current thread: for a shell, which survives it.
pub fn clear_interrupt() {
    task::current().set_interrupted(false);
}

/// Lets the other ready threads run first. Process context.
#[track_caller]
pub fn yield_now() -> Result<(), WrongContext> {
    may_sleep("yield_now")?;
    run_queue::schedule();
    Ok(())
}

/// Sleeps for `duration`, rounded up to whole ticks; ^C ends it. Process context.
#[track_caller]
pub fn sleep(duration: Duration) -> Result<(), LockError> {
    may_sleep("sleep").map_err(|_| LockError::WrongContext)?;
    let nobody_wakes = WaitQueue::new();
    nobody_wakes.wait_timeout_interruptible(|| false, duration).map(|_| ())
}

/// Ends the current thread where it stands: nothing that it holds is given back but its stack.
///
/// The way out for a thread whose stack is lost; all others return from their closure.
pub(crate) fn kill_current() -> ! {
    const KILLED: i32 = 128 + 9;
    exit(KILLED)
}

/// Ends the current thread.
fn exit(code: i32) -> ! {
    let me = task::current();
    me.exit_code.store(code, Ordering::Relaxed);
    me.set_state(State::Dead);
    run_queue::schedule();
    unreachable!("a dead thread was run")
}

/// Where a new thread starts.
extern "C" fn thread_main() -> ! {
    run_queue::finish_first_switch();
    let entry = task::current().entry.with(Option::take);
    exit(entry.map_or(0, |entry| entry()))
}

/// What the idle thread does before it halts: `false` when there is nothing left to do.
pub type IdleWork = fn() -> bool;

static IDLE_WORK: Once<IdleWork> = Once::new();

/// Gives the idle thread something to do, in small pieces. Later calls change nothing.
pub fn set_idle_work(work: IdleWork) {
    IDLE_WORK.call_once(|| work);
}

/// The thread that runs when no other wants to: works off what can wait, then sleeps until the next interrupt.
extern "C" fn idle_main() -> ! {
    run_queue::finish_first_switch();
    loop {
        while IDLE_WORK.get().is_some_and(|work| work()) {}
        x86_64::instructions::interrupts::enable_and_hlt();
    }
}

/// The reaper: frees what dead threads leave behind, then tells those who wait for their end.
fn reap_for_ever() -> i32 {
    loop {
        let woken = REAPER_WORK.wait_until(|| SCHEDULER.with(|scheduler| scheduler.has_dead()));
        if woken.is_err() {
            return 1;
        }
        while let Some(task) = SCHEDULER.with(run_queue::Scheduler::bury) {
            drop(task.stack.with(Option::take));
            task.finished.store(true, Ordering::Release);
            task.exit.wake_all();
            drop(Thread::adopt(task));
        }
    }
}
