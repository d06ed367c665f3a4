//! Clocks, and sleeping by them.

use core::time::Duration;

use abi::restart::Restart;
use abi::time::{duration, duration_in_micros, timespec_of, timeval_of};
use kapi::Errno;
use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME,
};
use mm::VirtAddr;

use super::call::{Call, Outcome, result};
use super::entry::{Entry, calls};
use crate::time::{TICK, realtime, set_realtime, uptime};
use crate::{sched, user};

pub(super) const CALLS: &[Entry] = calls![
    clock_gettime(Count, Address),
    clock_settime(Count, Address),
    clock_getres(Count, Address),
    clock_nanosleep(Count, Flags, Address, Address) IfUnhandled,
    gettimeofday(Address, Address),
    settimeofday(Address, Address),
    time(Address),
    nanosleep(Address, Address),
    restart_syscall(),
];

/// What a clock counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// Time since 1970.
    Real,
    /// Time since boot.
    Monotonic,
    /// Time that the caller has run.
    Cpu,
}

impl Clock {
    /// The clock with a number of Linux's; `EINVAL`.
    const fn new(number: u32) -> Result<Self, Errno> {
        match number {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => Ok(Self::Real),
            CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => Ok(Self::Monotonic),
            CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => Ok(Self::Cpu),
            _ => Err(Errno::EINVAL),
        }
    }

    fn now(self) -> Duration {
        match self {
            Self::Real => realtime(),
            Self::Monotonic => uptime(),
            Self::Cpu => TICK.saturating_mul(u32::try_from(sched::current().ticks()).unwrap_or(u32::MAX)),
        }
    }
}

fn clock_gettime(call: &mut Call<'_>) -> Outcome {
    let clock = Clock::new(call.word(0))?;
    user::copy_to(call.address(1), &timespec_of(clock.now()))?;
    Ok(0)
}

fn clock_settime(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    if call.word(0) != CLOCK_REALTIME {
        return Err(Errno::EINVAL);
    }
    set_realtime(read_span(call.address(1))?);
    Ok(0)
}

fn clock_getres(call: &mut Call<'_>) -> Outcome {
    const NANO: Duration = Duration::from_nanos(1);
    let number = call.word(0);
    let resolution = match (Clock::new(number)?, number) {
        (Clock::Cpu, _) | (_, CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE) => TICK,
        _ => NANO,
    };
    if let Some(at) = call.optional(1) {
        user::copy_to(at, &timespec_of(resolution))?;
    }
    Ok(0)
}

fn gettimeofday(call: &mut Call<'_>) -> Outcome {
    if let Some(at) = call.optional(0) {
        user::copy_to(at, &timeval_of(realtime()))?;
    }
    if let Some(zone) = call.optional(1) {
        user::clear(zone, ZONE_BYTES)?;
    }
    Ok(0)
}

/// Bytes of the time zone, which is always that of UTC.
const ZONE_BYTES: usize = size_of::<linux_raw_sys::general::timezone>();

fn settimeofday(call: &mut Call<'_>) -> Outcome {
    call.check_root()?;
    if let Some(at) = call.optional(0) {
        let mut bytes = [0; 16];
        user::copy_from(at, &mut bytes)?;
        set_realtime(duration_in_micros(&bytes)?);
    }
    Ok(0)
}

fn time(call: &mut Call<'_>) -> Outcome {
    let seconds = realtime().as_secs();
    if let Some(at) = call.optional(0) {
        user::write_value(at, seconds)?;
    }
    result(seconds)
}

fn nanosleep(call: &mut Call<'_>) -> Outcome {
    let span = read_span(call.address(0))?;
    sleep(call, uptime().saturating_add(span), call.optional(1))
}

fn clock_nanosleep(call: &mut Call<'_>) -> Outcome {
    let (clock, flags) = (Clock::new(call.word(0))?, call.word(1));
    if clock == Clock::Cpu {
        return Err(Errno::EINVAL);
    }
    let time = read_span(call.address(2))?;
    if flags & TIMER_ABSTIME == 0 {
        return sleep(call, uptime().saturating_add(time), call.optional(3));
    }
    // It is the same moment when the call begins again.
    let left = time.saturating_sub(clock.now());
    sleep_until(uptime().saturating_add(left)).map(|()| 0)
}

/// Goes on with the sleep that a signal interrupted, for as long as it had left.
fn restart_syscall(call: &mut Call<'_>) -> Outcome {
    let Some((end, rest)) = call.process.interrupted_sleep() else { return Err(Errno::EINTR) };
    sleep(call, end, rest)
}

/// Sleeps until `end`, since boot. A signal ends it: how much is left is told at `rest`, and kept for a restart.
fn sleep(call: &mut Call<'_>, end: Duration, rest: Option<VirtAddr>) -> Outcome {
    let slept = sleep_until(end);
    if slept == Err(Errno::EINTR) {
        call.restart = Restart::Rest;
        call.process.set_interrupted_sleep(end, rest);
        if let Some(at) = rest {
            user::copy_to(at, &timespec_of(end.saturating_sub(uptime())))?;
        }
    }
    slept.map(|()| 0)
}

fn sleep_until(end: Duration) -> Result<(), Errno> {
    let left = end.saturating_sub(uptime());
    if left.is_zero() { Ok(()) } else { Ok(sched::sleep(left)?) }
}

fn read_span(at: VirtAddr) -> Result<Duration, Errno> {
    let mut bytes = [0; 16];
    user::copy_from(at, &mut bytes)?;
    duration(&bytes)
}
