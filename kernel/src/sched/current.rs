//! What a thread asks of the scheduler for itself.

use core::sync::atomic::Ordering;
use core::time::Duration;

use kapi::{LockError, WrongContext};

use super::may_sleep::may_sleep;
use super::name::Name;
use super::run_queue;
use super::task::{self, Heir};
use super::thread::Thread;
use super::view::View;
use super::wait::WaitQueue;

/// The current thread.
///
/// # Panics
/// Before `sched::init`.
pub fn current() -> Thread {
    Thread::from_task(task::current())
}

/// Whether ^C has come for the current thread. Stays so until [`clear_interrupt`].
pub fn interrupted() -> bool {
    task::current().is_interrupted()
}

/// Whether the current thread is wanted elsewhere, by ^C or a signal: what takes long ends then.
pub fn is_called() -> bool {
    task::current().is_called()
}

/// Forgets a ^C that came for the current thread: for a shell, which survives it.
pub fn clear_interrupt() {
    task::current().set_interrupted(false);
}

/// Gives the current thread another name, cut to 15 bytes: that of the program that it runs.
pub fn set_name(name: &str) {
    task::current().name.set(Name::new(name));
}

/// Says that the kernel cannot go on without the current thread: its death is a panic.
pub fn set_essential() {
    task::current().essential.store(true, Ordering::Relaxed);
}

/// Makes `heir` settle what the current thread leaves behind, should it die.
pub fn set_heir(heir: &'static dyn Heir) {
    task::current().heir.with(|place| *place = Some(heir));
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
    may_sleep("sleep")?;
    let never_woken = WaitQueue::new();
    never_woken.wait_timeout_interruptible(|| false, duration).map(|_| ())
}

/// The running thread as drivers in C see it: that stays where it is as long as the thread. Any context; in an
/// interrupt it is the interrupted thread's.
pub fn view() -> *mut View {
    task::current().view.get()
}
