//! The reaper: frees what dead threads leave behind.
//!
//! Then it tells those who wait for a thread's end.

use core::sync::atomic::Ordering;

use mm::AllocError;

use super::current::set_essential;
use super::run_queue::{SCHEDULER, Scheduler};
use super::thread::{EXITED, Thread, spawn};
use super::wait::WaitQueue;

/// The reaper sleeps here; the scheduler wakes its thread directly.
static WORK: WaitQueue = WaitQueue::new();

/// Starts the thread. Needs an allocator.
pub(super) fn start() -> Result<(), AllocError> {
    let reaper = spawn("reaper", reap_for_ever)?;
    SCHEDULER.with(|scheduler| scheduler.set_reaper(reaper.task()));
    Ok(())
}

fn reap_for_ever() -> i32 {
    set_essential();
    loop {
        let woken = WORK.wait_until(|| SCHEDULER.with(|scheduler| scheduler.has_dead()));
        if woken.is_err() {
            return 1;
        }
        while let Some(task) = SCHEDULER.with(Scheduler::take_dead) {
            drop(task.stack.with(Option::take));
            // SAFETY: the thread is dead, and this is the reaper.
            drop(unsafe { task.user.take_owner() });
            task.finished.store(true, Ordering::Release);
            EXITED.wake_all();
            drop(Thread::adopt(task));
        }
    }
}
