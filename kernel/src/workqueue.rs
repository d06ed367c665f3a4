//! The thread on which work runs that may sleep.
//!
//! It starts with the first work that wants it. If a call kills it, the next call has a new one: the report says whose
//! work it was, and what that work held stays taken. (Linux 2.4: keventd.)

use core::fmt;

use ::mm::AllocError;

use crate::calls::CallList;
use crate::klog;
use crate::sched::{self, FramesGone, Heir, Mutex, WaitQueue};
use crate::sync::SpinLock;

/// Work that waits for the thread.
pub static SCHEDULER: CallList = CallList::new();

static NAME: &str = "events";
/// Woken when work was queued.
static QUEUED: WaitQueue = WaitQueue::new();
/// Whether the thread has been started.
static STARTED: Mutex<bool> = Mutex::new(false);
/// Number of the thread, for calls that ask whether they are on it.
static THREAD: SpinLock<Option<u32>> = SpinLock::new(None);

/// Starts the thread, if nobody did before. Process context; may sleep.
pub fn ensure_started() -> Result<(), AllocError> {
    let mut started = STARTED.lock_uninterruptible().map_err(|_| AllocError)?;
    if !*started {
        start()?;
        *started = true;
    }
    Ok(())
}

/// Has the thread look for work. Any context.
pub fn wake() {
    QUEUED.wake_one();
}

/// Whether the caller is the thread. Any context.
pub fn is_current() -> bool {
    let thread = THREAD.with(|thread| *thread);
    !sched::in_interrupt() && thread == Some(sched::current().id())
}

fn start() -> Result<(), AllocError> {
    let thread = sched::spawn(NAME, run)?;
    THREAD.with(|current| *current = Some(thread.id()));
    Ok(())
}

fn run() -> i32 {
    sched::set_heir(&Successor);
    let mut next = None;
    loop {
        let ready = || {
            next = SCHEDULER.begin(u64::MAX);
            next.is_some()
        };
        if QUEUED.wait_until(ready).is_err() {
            return 1;
        }
        if let Some(call) = next.take() {
            call.run();
            drop(call);
            SCHEDULER.end();
        }
    }
}

/// What comes after a thread that died at its work.
struct Successor;

impl Heir for Successor {
    fn write_work(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("work")
    }

    fn close(&self, _: &FramesGone) {}

    fn settle(&self, _: i32) {
        SCHEDULER.end();
        if start().is_err() {
            klog!("{NAME}: no memory for another thread: work waits for ever");
        }
    }
}
