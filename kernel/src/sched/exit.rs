//! Where a thread begins and ends.

use core::sync::atomic::Ordering;

use super::run_queue;
use super::task::{self, ThreadState};

/// Where a new thread starts.
pub(super) extern "C" fn thread_main() -> ! {
    run_queue::finish_first_switch();
    let entry = task::current().entry.with(Option::take);
    exit(entry.map_or(0, |entry| entry()))
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
    me.set_state(ThreadState::Dead);
    run_queue::schedule();
    unreachable!("a dead thread was run")
}
