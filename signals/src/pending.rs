//! The queue of signals that wait for a process, in the order they came.

use crate::info::Info;
use crate::set::SignalSet;
use crate::signal::Signal;

/// Signals that fit: one of each standard signal, which always has a place, and so many more of the real-time ones.
const PLACES: usize = 48;
/// Standard signals.
const STANDARD: usize = 31;

/// No place for one more real-time signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueFull;

/// What waits for a process.
///
/// Invariants:
/// - (a) of a standard signal at most one waits: who sends it again changes nothing;
/// - (b) of real-time signals at most `PLACES - STANDARD` wait, so that each standard one finds a place;
/// - (c) `set` holds those that are in the queue.
#[derive(Clone, Debug)]
pub struct Pending {
    queue: [Option<Info>; PLACES],
    len: usize,
    set: SignalSet,
}

impl Pending {
    /// Nothing waits.
    pub const fn new() -> Self {
        Self { queue: [None; PLACES], len: 0, set: SignalSet::EMPTY }
    }

    /// Which signals wait.
    pub const fn set(&self) -> SignalSet {
        self.set
    }

    /// Adds a signal; a standard one that waits already stays as it came.
    ///
    /// # Errors
    /// There is no place: real-time signals alone meet this.
    pub fn add(&mut self, info: Info) -> Result<(), QueueFull> {
        let signal = info.signal;
        if signal.is_real_time() {
            let waiting = self.entries().filter(|info| info.signal.is_real_time()).count();
            if waiting == PLACES - STANDARD {
                return Err(QueueFull);
            }
        } else if self.set.contains(signal) {
            return Ok(());
        }
        self.queue[self.len] = Some(info);
        self.len += 1;
        self.set = self.set.with(signal);
        Ok(())
    }

    /// Takes the one that comes first of those in `wanted`: what the program did itself, then the lowest number, and of
    /// one number the oldest. SIGKILL is before all.
    pub fn take(&mut self, wanted: SignalSet) -> Option<Info> {
        let ready = self.set & wanted;
        let kill = ready & SignalSet::of(&[Signal::KILL]);
        let signal = kill.first().or((ready & SignalSet::FAULTS).first()).or(ready.first())?;
        let place = self.place(|info| info.signal == signal)?;
        self.remove(place)
    }

    /// Drops those in `signals`.
    pub fn discard(&mut self, signals: SignalSet) {
        while let Some(place) = self.place(|info| signals.contains(info.signal)) {
            self.remove(place);
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Info> {
        self.queue[..self.len].iter().flatten()
    }

    fn place(&self, is_it: impl Fn(&Info) -> bool) -> Option<usize> {
        self.entries().position(is_it)
    }

    fn remove(&mut self, place: usize) -> Option<Info> {
        let info = self.queue[place].take()?;
        self.queue[place..self.len].rotate_left(1);
        self.len -= 1;
        if self.entries().all(|other| other.signal != info.signal) {
            self.set = self.set.without(SignalSet::of(&[info.signal]));
        }
        Some(info)
    }
}

impl Default for Pending {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{PLACES, Pending, QueueFull, STANDARD};
    use crate::info::Info;
    use crate::set::SignalSet;
    use crate::signal::Signal;

    const ALL: SignalSet = SignalSet::from_bits(u64::MAX);

    fn number(number: u64) -> Signal {
        Signal::new(number).expect("1 to 64")
    }

    #[test]
    fn a_standard_signal_waits_once_with_its_first_cause() {
        let mut pending = Pending::new();
        assert_eq!(pending.add(Info::sent_by(Signal::USR1, 1)), Ok(()));
        assert_eq!(pending.add(Info::sent_by(Signal::USR1, 2)), Ok(()));
        assert_eq!(pending.take(ALL), Some(Info::sent_by(Signal::USR1, 1)));
        assert_eq!((pending.take(ALL), pending.set()), (None, SignalSet::EMPTY));
    }

    #[test]
    fn real_time_signals_queue_in_their_order_until_there_is_no_place() {
        let mut pending = Pending::new();
        for pid in 0..(PLACES - STANDARD) as u32 {
            assert_eq!(pending.add(Info::sent_by(number(40), pid)), Ok(()));
        }
        assert_eq!(pending.add(Info::sent_by(number(41), 0)), Err(QueueFull));
        // Every standard signal has its place all the same.
        for signal in 1..=31 {
            assert_eq!(pending.add(Info::kernel(number(signal))), Ok(()));
        }
        let rest = ALL.without(SignalSet::from_bits((1 << 31) - 1));
        assert_eq!(pending.take(rest), Some(Info::sent_by(number(40), 0)));
        assert_eq!(pending.take(rest), Some(Info::sent_by(number(40), 1)));
    }

    #[test]
    fn kill_comes_first_then_faults_then_the_lowest_number() {
        let mut pending = Pending::new();
        for signal in [Signal::TERM, Signal::HUP, Signal::SEGV, Signal::KILL, number(33)] {
            assert_eq!(pending.add(Info::kernel(signal)), Ok(()));
        }
        let order = [Signal::KILL, Signal::SEGV, Signal::HUP, Signal::TERM, number(33)];
        assert!(order.iter().all(|signal| pending.take(ALL).map(|info| info.signal) == Some(*signal)));
    }

    #[test]
    fn only_wanted_ones_are_taken_and_discarded_ones_are_gone() {
        let mut pending = Pending::new();
        for signal in [Signal::STOP, Signal::TSTP, Signal::INT] {
            assert_eq!(pending.add(Info::kernel(signal)), Ok(()));
        }
        assert_eq!(pending.take(SignalSet::of(&[Signal::QUIT])), None);
        pending.discard(SignalSet::STOPS);
        assert_eq!(pending.set(), SignalSet::of(&[Signal::INT]));
    }
}
