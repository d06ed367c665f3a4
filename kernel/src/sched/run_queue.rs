//! The run queue: who runs next. Round robin, one tick each.
//!
//! Invariants, all under `SCHEDULER`'s lock:
//! - (a) a runnable task is on the ready list or on a CPU; a sleeping one is on neither, once it has been switched
//!   from.
//! - (b) the idle task is never on the ready list: it runs when that is empty.
//! - (c) the lock is held across the switch: the task that is switched to gives it back. So no CPU sees a task as
//!   switched out whose registers are not saved yet, and the reaper frees no stack that is still in use.
//!
//! Nothing here allocates.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use super::task::{self, ALL, RUN, Task, ThreadState};
use crate::arch::percpu::{CURRENT, IDLE};
use crate::arch::switch::switch;
use crate::sync::list::{Link, Linked, List};
use crate::sync::{SpinLock, preempt};

/// The scheduler's lists.
pub(super) struct Scheduler {
    ready: List<Task, RUN>,
    dead: List<Task, RUN>,
    /// Every thread that has not been reaped.
    pub(super) all: List<Task, ALL>,
    reaper: Option<&'static Task>,
}

/// Guards the lists, and the scheduling fields of all tasks.
pub(super) static SCHEDULER: SpinLock<Scheduler> =
    SpinLock::new(Scheduler { ready: List::new(), dead: List::new(), all: List::new(), reaper: None });

/// Why a thread stops running.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// It said so: if its state is not runnable, it is off the run queue until it is woken.
    Voluntarily,
    /// Its time is up: it stays runnable, even half way into falling asleep.
    Preempted,
}

impl Scheduler {
    /// Adds a new thread, ready to run.
    pub(super) fn admit(&mut self, task: &'static Task) {
        self.all.push(task);
        self.ready.push(task);
        self.kick_idle();
    }

    /// Takes the next dead thread off all lists.
    pub(super) fn take_dead(&mut self) -> Option<&'static Task> {
        let task = self.dead.pop()?;
        self.all.remove(task);
        Some(task)
    }

    /// Makes `task` the one that is woken when a thread has died.
    pub(super) fn set_reaper(&mut self, task: &'static Task) {
        self.reaper = Some(task);
    }

    /// Whether a dead thread waits for the reaper.
    pub(super) const fn has_dead(&self) -> bool {
        self.dead.first().is_some()
    }

    fn wake(&mut self, task: &'static Task) {
        if !matches!(task.state(), ThreadState::Sleeping | ThreadState::Interruptible) {
            return;
        }
        task.set_state(ThreadState::Runnable);
        // One that has not got as far as switching away, or was preempted on its way, needs no place.
        let link: &Link<Task> = Linked::<RUN>::link(task);
        if !task.on_cpu.load(Ordering::Relaxed) && !link.is_on_list() {
            self.ready.push(task);
            self.kick_idle();
        }
    }

    /// Ends this CPU's idleness; another CPU finds the thread at its next tick.
    fn kick_idle(&self) {
        if CURRENT.get() == IDLE.get() {
            preempt::set_need_resched();
        }
    }

    /// Puts the task that stops running where it belongs, and picks the next.
    fn exchange(&mut self, leaving: &'static Task, how: Leave) -> &'static Task {
        let is_idle = core::ptr::from_ref(leaving) as usize == IDLE.get();
        match (how, leaving.state()) {
            _ if is_idle => {}
            (Leave::Voluntarily, ThreadState::Sleeping | ThreadState::Interruptible) => {}
            (_, ThreadState::Dead) => {
                self.dead.push(leaving);
                if let Some(reaper) = self.reaper {
                    self.wake(reaper);
                }
            }
            _ => {
                self.ready.push(leaving);
            }
        }
        self.ready.pop().unwrap_or_else(idle)
    }
}

fn idle() -> &'static Task {
    let idle = IDLE.get() as *const Task;
    // SAFETY: `sched::init` set it to a static task before it let anything switch.
    unsafe { &*idle }
}

/// Lets others run: until it is woken if the caller has put itself to sleep, else until its turn comes again.
#[inline]
pub(crate) fn schedule() {
    leave(Leave::Voluntarily);
}

/// Takes the CPU from the current thread for as long as others are ready; see [`crate::arch::upcalls`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
#[cold]
#[inline(never)]
extern "C" fn kernel_preempt() {
    if CURRENT.get() != 0 {
        leave(Leave::Preempted);
    }
}

/// Makes a sleeping thread ready. Any context.
pub(crate) fn wake(task: &'static Task) {
    SCHEDULER.with(|scheduler| scheduler.wake(task));
}

/// Makes the sleeping thread ready whose task is at this address: its alarm went off. Soft interrupt.
pub(super) fn wake_by_alarm(task: usize) {
    // SAFETY: the alarm was armed with the address of a task that takes it down before it goes on.
    wake(unsafe { &*(task as *const Task) });
}

/// Threads that want to run, the running one included and the idle one not. Any context.
pub fn ready_threads() -> usize {
    let running = usize::from(CURRENT.get() != IDLE.get());
    SCHEDULER.with(|scheduler| scheduler.ready.iter().count()) + running
}

/// Ticks that found a thread of a process running.
static USER_TICKS: AtomicU64 = AtomicU64::new(0);

/// Ticks so far that found a thread of a process running. Any context.
pub fn user_ticks() -> u64 {
    USER_TICKS.load(Ordering::Relaxed)
}

/// The running thread's time slice is over: called at each tick, in interrupt context.
pub(crate) fn tick() {
    if let Some(task) = task::try_current() {
        task.ticks.fetch_add(1, Ordering::Relaxed);
        if task.user.is_user() {
            USER_TICKS.fetch_add(1, Ordering::Relaxed);
        }
        preempt::set_need_resched();
    }
}

/// Makes a thread ready that sleeps interruptibly; one that has ended, or sleeps otherwise, is left alone. Any context.
pub(crate) fn wake_interruptible(task: NonNull<Task>) {
    SCHEDULER.with(|scheduler| {
        let alive = scheduler.all.iter().find(|other| core::ptr::eq(*other, task.as_ptr()));
        if let Some(task) = alive.filter(|task| task.state() == ThreadState::Interruptible) {
            scheduler.wake(task);
        }
    });
}

fn leave(how: Leave) {
    let mut scheduler = SCHEDULER.lock();
    preempt::clear_need_resched();
    let previous = task::current();
    let next = scheduler.exchange(previous, how);
    if core::ptr::eq(previous, next) {
        return;
    }
    previous.on_cpu.store(false, Ordering::Relaxed);
    next.on_cpu.store(true, Ordering::Relaxed);
    CURRENT.set(core::ptr::from_ref(next) as usize);
    previous.user.save();
    next.user.load();
    let next_stack = next.stack_pointer.load(Ordering::Relaxed);
    // SAFETY: `next` was prepared or switched from before, and by (c) all of its registers are on its stack; the lock
    // is held, so interrupts are off.
    unsafe { switch(previous.stack_pointer.as_ptr(), next_stack) };
    // Here `previous` runs again, perhaps much later. The guard on this stack gives back the lock that the thread
    // before it took.
}

/// First act of a new thread, which has no guard on its stack: gives the lock back that the thread before it took.
pub(super) fn finish_first_switch() {
    // SAFETY: by (c) this CPU holds the lock, and the guard lies on the stack of the thread that was switched from.
    unsafe { SCHEDULER.release_taken_over() };
    x86_64::instructions::interrupts::enable();
}
