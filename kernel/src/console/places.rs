//! Places for the commands of jobs: so many may run at a time, for all jobs.

use kapi::Errno;

use crate::sched::WaitQueue;
use crate::sync::SpinLock;

/// Most commands of one pipeline.
pub const MAX_COMMANDS: usize = 16;
/// Most commands that the jobs run at a time: at least as many as a pipeline has.
pub const JOBS_COMMANDS: usize = MAX_COMMANDS;

/// How many more may run.
static FREE: SpinLock<usize> = SpinLock::new(JOBS_COMMANDS);
/// Woken when one has ended.
static FREED: WaitQueue = WaitQueue::new();

/// Waits until `count` commands of jobs may run, as many as a pipeline has at most, and takes their places. `EINTR`
/// when somebody ends the job.
pub fn wait_for(count: usize) -> Result<(), Errno> {
    let take = || {
        FREE.with(|free| {
            let enough = *free >= count;
            *free -= if enough { count } else { 0 };
            enough
        })
    };
    Ok(FREED.wait_until_interruptible(take)?)
}

/// Gives back the places of `count` commands that have ended or were not claimed.
pub fn give_back(count: usize) {
    FREE.with(|free| *free += count);
    FREED.wake_all();
}
