//! kswapd: the thread that reclaims when a zone falls below `low`.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use ::mm::AllocError;
use ::mm::pages::Balance;

use crate::sched::{self, WaitQueue};

/// Shortest pause between two rounds: with nothing to reclaim, further calls for memory cost no more than a flag.
const PAUSE: Duration = Duration::from_millis(20);

static WAKE: WaitQueue = WaitQueue::new();
static WOKEN: AtomicBool = AtomicBool::new(false);

/// Tells kswapd that memory is short. Any context.
pub fn wake() {
    if !WOKEN.swap(true, Ordering::AcqRel) {
        WAKE.wake_one();
    }
}

/// Starts the thread, which calls `balance` each time that it is woken, and again while pages are being written.
pub fn start(balance: impl Fn() -> Balance + Send + 'static) -> Result<(), AllocError> {
    sched::spawn("kswapd", move || run(&balance)).map(|_| ())
}

fn run(balance: &impl Fn() -> Balance) -> i32 {
    sched::set_essential();
    while WAKE.wait_until(|| WOKEN.swap(false, Ordering::AcqRel)).is_ok() {
        while balance() == Balance::Pending {
            if sched::sleep(PAUSE).is_err() {
                return 1;
            }
        }
        if sched::sleep(PAUSE).is_err() {
            return 1;
        }
    }
    1
}
