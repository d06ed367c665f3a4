//! SIGALRM after a time.
//!
//! One timer of the kernel for all processes, set for the first of their alarms.

use core::time::Duration;

use signals::{Info, Signal};

use super::send::send;
use crate::process::record::Process;
use crate::process::signal::Alarm;
use crate::process::table::{self, Table};
use crate::time::{self, TICK, Ticks};
use crate::timer::Timer;

static TIMER: Timer = Timer::new(|_| go_off());

/// How long it is to an alarm, and from one to the next; zero: there is none, or no next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// To the next.
    pub rest: Duration,
    /// From one to the next.
    pub interval: Duration,
}

/// Sets a process's alarm, and returns what was left of the one before.
pub fn set(process: &Process, times: Times) -> Times {
    let at = (!times.rest.is_zero()).then(|| time::deadline(times.rest));
    let before = process.signals().set_alarm(Alarm { at, interval: in_ticks(times.interval) });
    table::with(|table| set_timer(table));
    left(before)
}

/// What is left of a process's alarm.
pub fn get(process: &Process) -> Times {
    left(process.signals().alarm())
}

fn left(alarm: Alarm) -> Times {
    let of_ticks = |ticks: u64| TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX));
    // One that is due says that a little is left: none means that there is no alarm.
    let rest = alarm.at.map(|at| of_ticks(at.0.saturating_sub(time::ticks().0).max(1)));
    Times { rest: rest.unwrap_or_default(), interval: of_ticks(alarm.interval) }
}

fn in_ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
}

/// Has the timer go off for the first alarm.
fn set_timer(table: &Table) {
    let first = table.iter().filter_map(|process| process.signals().alarm().at).min();
    match first {
        Some(Ticks(at)) => TIMER.add_at(Ticks(at), 0),
        None => {
            TIMER.cancel();
        }
    }
}

/// Sends SIGALRM to those whose time has come. Soft interrupt.
fn go_off() {
    let now = time::ticks();
    table::with(|table| {
        for process in table.iter().filter(|process| process.signals().take_alarm(now)) {
            // A standard signal always has a place.
            let _: Result<(), _> = send(process, Info::kernel(Signal::ALRM));
        }
        set_timer(table);
    });
}
