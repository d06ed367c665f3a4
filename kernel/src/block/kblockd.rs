//! kblockd: the thread that gives up requests which get no answer.
//!
//! It allocates nothing, so it works while memory waits for disks.

use core::time::Duration;

use mm::AllocError;

use crate::sched::{self, Mutex, WaitQueue};

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Whether the thread has been started.
static STARTED: Mutex<bool> = Mutex::new(false);
/// Nobody wakes it.
static NEVER: WaitQueue = WaitQueue::new();

/// Starts the thread, if nobody did before, which calls `look` each second. Process context; may sleep.
pub(super) fn ensure_started(look: fn()) -> Result<(), AllocError> {
    let mut started = STARTED.lock_uninterruptible().map_err(|_| AllocError)?;
    if !*started {
        sched::spawn("kblockd", move || run(look))?;
        *started = true;
    }
    Ok(())
}

fn run(look: fn()) -> i32 {
    sched::set_essential();
    while NEVER.wait_timeout(|| false, PERIOD).is_ok() {
        look();
    }
    1
}
