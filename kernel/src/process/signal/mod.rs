//! A process's signals: their state under its lock, its stop, its alarm.
//!
//! What is sent and delivered is decided by the crate `signals`; this is the place where a process keeps it, and names
//! nothing of processes. Who sends and who is told of it: [`deliver`](super::deliver).

use signals::{Delivery, Info, Protection, QueueFull, Sent, Signal, SignalState};

use crate::sched::WaitQueue;
use crate::sync::SpinLock;
use crate::time::Ticks;

/// The signals of a process. All calls: any context, unless they say otherwise.
pub struct Signals {
    kept: SpinLock<Kept>,
    /// Woken when the process goes on that a signal has stopped.
    resumed: WaitQueue,
}

struct Kept {
    state: SignalState,
    stop: Stop,
    alarm: Alarm,
}

/// How far a signal has come in stopping the process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// None does.
    No,
    /// This one was taken, and SIGCONT may still revoke it.
    Coming(Signal),
    /// This one has.
    Stopped(Signal),
}

/// When SIGALRM comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Alarm {
    /// At this tick.
    pub at: Option<Ticks>,
    /// And so many ticks after each; 0: no more.
    pub interval: u64,
}

impl Signals {
    /// Those of a process that the kernel starts.
    pub const fn new(protection: Protection) -> Self {
        Self::with_state(SignalState::new(protection))
    }

    /// Those of a new child.
    pub fn fork(&self) -> Self {
        Self::with_state(self.with(|state| state.fork()))
    }

    const fn with_state(state: SignalState) -> Self {
        let kept = Kept { state, stop: Stop::No, alarm: Alarm { at: None, interval: 0 } };
        Self { kept: SpinLock::new(kept), resumed: WaitQueue::new() }
    }

    /// The process runs another program.
    pub fn exec(&self) {
        self.with(SignalState::exec);
    }

    /// Runs `f` with the state.
    pub fn with<R>(&self, f: impl FnOnce(&mut SignalState) -> R) -> R {
        self.kept.with(|kept| f(&mut kept.state))
    }

    /// Sends a signal; whether that lets the process go on that was stopped. The caller tells those who want to know.
    ///
    /// # Errors
    /// A real-time signal finds no place.
    pub(super) fn send(&self, info: Info) -> Result<(Sent, Resumed), QueueFull> {
        let sent = self.kept.with(|kept| {
            let sent = kept.state.send(info)?;
            let resumed = match info.signal {
                Signal::CONT | Signal::KILL if !kept.is_protected_from(info.signal) => kept.resume(),
                _ => Resumed::No,
            };
            Ok((sent, resumed))
        })?;
        if sent.1 == Resumed::Yes {
            self.resumed.wake_all();
        }
        Ok(sent)
    }

    /// What comes next. A signal that stops is coming then, and [`stop`](Self::stop) says whether it still does.
    pub(super) fn take_next(&self) -> Delivery {
        self.kept.with(|kept| {
            let delivery = kept.state.take_next();
            if let Delivery::Stop(signal) = delivery {
                kept.stop = Stop::Coming(signal);
            }
            delivery
        })
    }

    /// Makes the process a stopped one, unless SIGCONT has come since the signal was taken; says whether it is.
    pub(super) fn stop(&self) -> bool {
        self.kept.with(|kept| match kept.stop {
            Stop::Coming(signal) => {
                kept.stop = Stop::Stopped(signal);
                true
            }
            Stop::No | Stop::Stopped(_) => false,
        })
    }

    /// The signal that was taken stops nobody.
    pub(super) fn revoke_stop(&self) {
        self.kept.with(|kept| kept.stop = Stop::No);
    }

    /// The signal that has stopped the process, if one has.
    pub fn stopped_by(&self) -> Option<Signal> {
        self.kept.with(|kept| match kept.stop {
            Stop::Stopped(signal) => Some(signal),
            Stop::No | Stop::Coming(_) => None,
        })
    }

    /// Sleeps until the process goes on. The process's own thread.
    pub(super) fn wait_resumed(&self) {
        // Where a thread may not sleep none comes from ring 3.
        let _: Result<(), _> = self.resumed.wait_until(|| self.stopped_by().is_none());
    }

    /// When SIGALRM comes.
    pub fn alarm(&self) -> Alarm {
        self.kept.with(|kept| kept.alarm)
    }

    /// Changes when SIGALRM comes; returns what was.
    pub(super) fn set_alarm(&self, alarm: Alarm) -> Alarm {
        self.kept.with(|kept| core::mem::replace(&mut kept.alarm, alarm))
    }

    /// Whether the alarm goes off at `now`; if so, it is set for the next time.
    pub(super) fn take_alarm(&self, now: Ticks) -> bool {
        self.kept.with(|kept| {
            let Some(at) = kept.alarm.at.filter(|at| *at <= now) else { return false };
            let interval = kept.alarm.interval;
            // Those that were missed are one.
            let missed = (now.0 - at.0).checked_div(interval).unwrap_or(0);
            kept.alarm.at = (interval > 0).then(|| Ticks(at.0.saturating_add((missed + 1).saturating_mul(interval))));
            true
        })
    }
}

/// Whether a stopped process goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Resumed {
    /// It does.
    Yes,
    /// It was not stopped, or stays so.
    No,
}

impl Kept {
    fn resume(&mut self) -> Resumed {
        match core::mem::replace(&mut self.stop, Stop::No) {
            Stop::Stopped(_) => Resumed::Yes,
            Stop::No | Stop::Coming(_) => Resumed::No,
        }
    }

    /// Whether the process is one that a signal does not end.
    fn is_protected_from(&self, signal: Signal) -> bool {
        signal == Signal::KILL && !self.state.is_killed()
    }
}
