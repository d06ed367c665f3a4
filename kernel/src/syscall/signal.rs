//! Signals: what is done about them, what is blocked, sending, waiting.

use abi::time::{Timespec, Timeval, duration, duration_in_micros, timeval_of};
use core::time::Duration;
use kapi::Errno;
use linux_raw_sys::general::{ITIMER_REAL, itimerval};
use mm::VirtAddr;
use signals::{Action, AlternateStack, Code, Info, MaskChange, Signal, SignalSet, StackError};

use super::call::{Call, Outcome};
use super::entry::{Entry, calls};
use crate::process::Process;
use crate::process::deliver::{alarm, kill as target, sigreturn};
use crate::sched::WaitQueue;
use crate::user;

pub(super) const CALLS: &[Entry] = calls![
    rt_sigaction(Count, Address, Address, Count),
    rt_sigprocmask(Count, Address, Address, Count),
    rt_sigreturn(),
    rt_sigpending(Address, Count),
    rt_sigsuspend(Address, Count) IfUnhandled,
    rt_sigtimedwait(Address, Address, Address, Count) IfUnhandled,
    rt_sigqueueinfo(Count, Count, Address),
    rt_tgsigqueueinfo(Count, Count, Count, Address),
    sigaltstack(Address, Address),
    kill(Count, Count),
    tkill(Count, Count),
    tgkill(Count, Count, Count),
    pause() IfUnhandled,
    alarm(Count),
    getitimer(Count, Address),
    setitimer(Count, Address, Address),
];

/// Bytes of a set of signals.
const SET_BYTES: usize = 8;

/// The signal in an argument; `EINVAL`.
fn signal(call: &Call<'_>, index: usize) -> Result<Signal, Errno> {
    Signal::new(u64::from(call.word(index))).ok_or(Errno::EINVAL)
}

/// As [`signal`], where 0 stands for none.
fn signal_or_none(call: &Call<'_>, index: usize) -> Result<Option<Signal>, Errno> {
    if call.word(index) == 0 { Ok(None) } else { signal(call, index).map(Some) }
}

/// A set's size comes with each call that has one: there is but one size.
fn check_size(call: &Call<'_>, index: usize) -> Result<(), Errno> {
    if call.arg(index) == SET_BYTES { Ok(()) } else { Err(Errno::EINVAL) }
}

fn read_set(at: VirtAddr) -> Result<SignalSet, Errno> {
    Ok(SignalSet::from_bits(user::read_value(at)?))
}

fn rt_sigaction(call: &mut Call<'_>) -> Outcome {
    let (signal, new) = (signal(call, 0)?, call.optional(1));
    check_size(call, 3)?;
    if new.is_some() && signal.is_unstoppable() {
        return Err(Errno::EINVAL);
    }
    let old = match new {
        Some(at) => {
            let mut bytes = [0; Action::BYTES];
            user::copy_from(at, &mut bytes)?;
            let action = Action::from_bytes(&bytes);
            call.process.signals().with(|state| state.set_action(signal, action)).ok_or(Errno::EINVAL)?
        }
        None => call.process.signals().with(|state| state.action(signal)),
    };
    if let Some(at) = call.optional(2) {
        user::copy_to(at, &old.to_bytes())?;
    }
    Ok(0)
}

fn rt_sigprocmask(call: &mut Call<'_>) -> Outcome {
    check_size(call, 3)?;
    let old = call.process.signals().with(|state| state.blocked());
    if let Some(at) = call.optional(1) {
        let set = read_set(at)?;
        let how = MaskChange::new(call.arg(0) as u64).ok_or(Errno::EINVAL)?;
        call.process.signals().with(|state| state.change_mask(how, set));
        look_again(call.process);
    }
    if let Some(at) = call.optional(2) {
        user::write_value(at, old.bits())?;
    }
    Ok(0)
}

/// Signals that are not blocked any more come before the program goes on.
fn look_again(process: &Process) {
    if process.signals().with(|state| state.is_due()) {
        process.notify();
    }
}

/// What the handler's frame says that `rax` was is the result.
fn rt_sigreturn(call: &mut Call<'_>) -> Outcome {
    if sigreturn(call.process, call.frame).is_err() {
        let segv = Info::kernel(Signal::SEGV);
        call.process.signals().with(|state| state.force_default(segv));
        call.process.notify();
    }
    Ok(call.frame.rax as usize)
}

fn rt_sigpending(call: &mut Call<'_>) -> Outcome {
    if call.arg(1) > SET_BYTES {
        return Err(Errno::EINVAL);
    }
    let waiting = call.process.signals().with(|state| state.waiting() & state.blocked());
    user::copy_to(call.address(0), &waiting.bits().to_le_bytes()[..call.arg(1)])?;
    Ok(0)
}

fn rt_sigsuspend(call: &mut Call<'_>) -> Outcome {
    check_size(call, 1)?;
    let set = read_set(call.address(0))?;
    call.process.signals().with(|state| state.replace_mask(set));
    look_again(call.process);
    sleep_for_ever()
}

fn pause(_call: &mut Call<'_>) -> Outcome {
    sleep_for_ever()
}

/// Sleeps until a signal comes that is not blocked.
fn sleep_for_ever() -> Outcome {
    WaitQueue::new().wait_until_interruptible(|| false)?;
    Err(Errno::EINTR)
}

fn rt_sigtimedwait(call: &mut Call<'_>) -> Outcome {
    check_size(call, 3)?;
    let wanted = read_set(call.address(0))?;
    let limit = call.optional(2).map(read_timespec).transpose()?;
    let info = wait_for(call.process, wanted, limit)?;
    if let Some(at) = call.optional(1) {
        user::copy_to(at, &info.to_bytes())?;
    }
    Ok(info.signal.number().into())
}

/// Takes a signal of `wanted`, or waits for one. `EAGAIN` when the time is over, `EINTR` for another signal.
fn wait_for(process: &Process, wanted: SignalSet, limit: Option<Duration>) -> Result<Info, Errno> {
    let take = || process.signals().with(|state| state.take(wanted));
    if let Some(info) = take() {
        return Ok(info);
    }
    if limit == Some(Duration::ZERO) {
        return Err(Errno::EAGAIN);
    }
    process.signals().with(|state| state.await_signals(wanted));
    let queue = WaitQueue::new();
    let is_due = || process.signals().with(|state| state.is_due());
    let slept = match limit {
        Some(limit) => queue.wait_timeout_interruptible(is_due, limit).map(|_| ()),
        None => queue.wait_until_interruptible(is_due),
    };
    let taken = process.signals().with(|state| {
        state.await_signals(SignalSet::EMPTY);
        state.take(wanted)
    });
    match (taken, slept) {
        (Some(info), _) => Ok(info),
        (None, Ok(())) if !is_due() => Err(Errno::EAGAIN),
        (None, _) => Err(Errno::EINTR),
    }
}

fn read_timespec(at: VirtAddr) -> Result<Duration, Errno> {
    let mut bytes: Timespec = [0; 16];
    user::copy_from(at, &mut bytes)?;
    duration(&bytes)
}

fn rt_sigqueueinfo(call: &mut Call<'_>) -> Outcome {
    queue(call, call.int(0), 1)
}

fn rt_tgsigqueueinfo(call: &mut Call<'_>) -> Outcome {
    check_thread(call.int(0), call.int(1))?;
    queue(call, call.int(1), 2)
}

/// The signal is argument `index`, what it tells is behind it.
fn queue(call: &Call<'_>, process: i32, index: usize) -> Outcome {
    let mut bytes = [0; Info::BYTES];
    user::copy_from(call.address(index + 1), &mut bytes)?;
    match signal_or_none(call, index)? {
        Some(signal) => target::queue(call.process, process, Info::from_user(signal, &bytes).ok_or(Errno::EPERM)?)?,
        None => target::to_one(call.process, process, None, Code::USER)?,
    }
    Ok(0)
}

fn sigaltstack(call: &mut Call<'_>) -> Outcome {
    let stack_pointer = call.frame.rsp;
    let old = call.process.signals().with(|state| state.stack);
    if let Some(at) = call.optional(0) {
        let mut bytes = [0; AlternateStack::BYTES];
        user::copy_from(at, &mut bytes)?;
        let new = old.replaced(&bytes, stack_pointer).map_err(|error| match error {
            StackError::InUse => Errno::EPERM,
            StackError::BadFlags => Errno::EINVAL,
            StackError::TooSmall => Errno::ENOMEM,
        })?;
        call.process.signals().with(|state| state.stack = new);
    }
    if let Some(at) = call.optional(1) {
        user::copy_to(at, &old.to_bytes(stack_pointer))?;
    }
    Ok(0)
}

fn kill(call: &mut Call<'_>) -> Outcome {
    target::kill(call.process, call.int(0), signal_or_none(call, 1)?)?;
    Ok(0)
}

fn tkill(call: &mut Call<'_>) -> Outcome {
    check_thread(call.int(0), call.int(0))?;
    target::to_one(call.process, call.int(0), signal_or_none(call, 1)?, Code::TKILL)?;
    Ok(0)
}

fn tgkill(call: &mut Call<'_>) -> Outcome {
    check_thread(call.int(0), call.int(1))?;
    target::to_one(call.process, call.int(1), signal_or_none(call, 2)?, Code::TKILL)?;
    Ok(0)
}

/// A process's only thread has its number.
const fn check_thread(process: i32, thread: i32) -> Result<(), Errno> {
    if process <= 0 || thread <= 0 {
        return Err(Errno::EINVAL);
    }
    if process == thread { Ok(()) } else { Err(Errno::ESRCH) }
}

fn alarm(call: &mut Call<'_>) -> Outcome {
    let rest = Duration::from_secs(call.word(0).into());
    let old = alarm::set(call.process, alarm::Times { rest, interval: Duration::ZERO });
    // To the nearest second, and not 0 while there is an alarm.
    let seconds = (old.rest + Duration::from_millis(500)).as_secs() as usize;
    Ok(seconds.max(usize::from(!old.rest.is_zero())))
}

/// Only the timer of real time is there: `EINVAL`.
const fn check_timer(call: &Call<'_>) -> Result<(), Errno> {
    if call.word(0) == ITIMER_REAL { Ok(()) } else { Err(Errno::EINVAL) }
}

fn getitimer(call: &mut Call<'_>) -> Outcome {
    check_timer(call)?;
    user::copy_to(call.address(1), &timer_bytes(alarm::get(call.process)))?;
    Ok(0)
}

fn setitimer(call: &mut Call<'_>) -> Outcome {
    check_timer(call)?;
    let mut times = alarm::Times::default();
    if let Some(at) = call.optional(1) {
        let mut bytes = [0; size_of::<itimerval>()];
        user::copy_from(at, &mut bytes)?;
        times = timer_of(&bytes)?;
    }
    let old = alarm::set(call.process, times);
    if let Some(at) = call.optional(2) {
        user::copy_to(at, &timer_bytes(old))?;
    }
    Ok(0)
}

/// An `itimerval`: the interval, then what is left.
fn timer_of(bytes: &[u8; size_of::<itimerval>()]) -> Result<alarm::Times, Errno> {
    let half = |from: usize| {
        let mut half: Timeval = [0; 16];
        half.copy_from_slice(&bytes[from..from + 16]);
        duration_in_micros(&half)
    };
    Ok(alarm::Times { interval: half(0)?, rest: half(16)? })
}

fn timer_bytes(times: alarm::Times) -> [u8; size_of::<itimerval>()] {
    let mut bytes = [0; size_of::<itimerval>()];
    bytes[..16].copy_from_slice(&timeval_of(times.interval));
    bytes[16..].copy_from_slice(&timeval_of(times.rest));
    bytes
}
