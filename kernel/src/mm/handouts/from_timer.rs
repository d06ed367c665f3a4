//! A call that is made in a timer's callback, while its thread waits for it.

use core::time::Duration;

use super::calls::{Done, Errand};
use super::outcome::Refusal;
use crate::sched::WaitQueue;
use crate::sync::SpinLock;
use crate::timer::Timer;

/// The errand that waits for the timer, then what came of it. There is one at a time: the table is locked meanwhile.
enum Desk {
    Empty,
    Waiting(Errand),
    Over(Result<Done, Refusal>),
}

static DESK: SpinLock<Desk> = SpinLock::new(Desk::Empty);
static OVER: WaitQueue = WaitQueue::new();
static TIMER: Timer = Timer::new(|_| {
    // No lock is held while the call is made: its context is the timer's own.
    if let Desk::Waiting(errand) = DESK.with(|desk| core::mem::replace(desk, Desk::Empty)) {
        let outcome = errand.carry_out();
        DESK.with(|desk| *desk = Desk::Over(outcome));
        OVER.wake_all();
    }
});

/// Has a timer make the call at the next tick, and waits for it: the outer result says whether it was made.
pub(super) fn carry_out(errand: Errand) -> Result<Result<Done, Refusal>, Refusal> {
    DESK.with(|desk| *desk = Desk::Waiting(errand));
    TIMER.add(Duration::ZERO, 0);
    OVER.wait_until(|| DESK.with(|desk| matches!(desk, Desk::Over(_)))).map_err(|error| Refusal::Lock(error.into()))?;
    Ok(match DESK.with(|desk| core::mem::replace(desk, Desk::Empty)) {
        Desk::Over(outcome) => outcome,
        Desk::Empty | Desk::Waiting(_) => Err(Refusal::Alloc),
    })
}
