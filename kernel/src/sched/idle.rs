//! The idle thread: runs when no other is ready.
//!
//! It works off what can wait, then sleeps until the next interrupt.

use spin::Once;

use super::run_queue;

/// What the idle thread does before it halts: `false` when there is nothing left to do.
pub type IdleWork = fn() -> bool;

static WORK: Once<IdleWork> = Once::new();

/// Gives the idle thread something to do, in small pieces. Later calls change nothing.
pub fn set_idle_work(work: IdleWork) {
    WORK.call_once(|| work);
}

/// Where the idle thread starts.
pub(super) extern "C" fn idle_main() -> ! {
    run_queue::finish_first_switch();
    loop {
        while WORK.get().is_some_and(|work| work()) {}
        x86_64::instructions::interrupts::enable_and_hlt();
    }
}
