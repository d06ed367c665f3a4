//! How a call ends that a signal interrupts, until the signal's end is known.
//!
//! The result is one of three codes that no program ever sees. The delivery of signals, on the way out, replaces it:
//! by `EINTR` when a handler runs that did not ask for a restart, by the call's number with the program counter at the
//! instruction again otherwise.

use kapi::Errno;
use linux_raw_sys::general::__NR_restart_syscall;

/// Bytes of the instruction `syscall`.
pub const INSTRUCTION: u64 = 2;

/// Which handlers let the call begin again. Where no handler runs, it always does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// Those that were installed with `SA_RESTART`.
    IfAsked,
    /// None.
    IfUnhandled,
    /// None; and what begins is `restart_syscall`, which knows how much is left.
    Rest,
}

/// What the signal does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handling {
    /// No handler runs.
    None,
    /// A handler that was installed without `SA_RESTART`.
    Handler,
    /// A handler that was installed with `SA_RESTART`.
    RestartingHandler,
}

/// How the call ends now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// It is over: with this result, as it stood.
    Result(u64),
    /// It begins again: rax is this number, and rip goes back by [`INSTRUCTION`] bytes.
    Again(u64),
}

impl Restart {
    /// The result that stands for it: Linux's own numbers, which are no errors.
    pub const fn code(self) -> u64 {
        match self {
            Self::IfAsked => -512_i64 as u64,
            Self::IfUnhandled => -514_i64 as u64,
            Self::Rest => -516_i64 as u64,
        }
    }

    /// What the result `rax` stands for, if it is a code.
    pub fn of(rax: u64) -> Option<Self> {
        [Self::IfAsked, Self::IfUnhandled, Self::Rest].into_iter().find(|restart| restart.code() == rax)
    }
}

/// How call `number` ends, whose result is `rax`, when a signal does what `handling` says.
pub fn settle(rax: u64, number: u64, handling: Handling) -> Settled {
    match (Restart::of(rax), handling) {
        (None, _) => Settled::Result(rax),
        (Some(Restart::Rest), Handling::None) => Settled::Again(__NR_restart_syscall.into()),
        (Some(_), Handling::None) | (Some(Restart::IfAsked), Handling::RestartingHandler) => Settled::Again(number),
        (Some(_), _) => Settled::Result(error(Errno::EINTR)),
    }
}

/// The result that says that a call failed.
pub const fn error(errno: Errno) -> u64 {
    -(errno.number() as i64) as u64
}

#[cfg(test)]
mod tests {
    use super::{Errno, Handling, Restart, Settled, error, settle};

    #[test]
    fn without_a_handler_all_begin_again() {
        for restart in [Restart::IfAsked, Restart::IfUnhandled] {
            assert_eq!(settle(restart.code(), 7, Handling::None), Settled::Again(7));
        }
        assert_eq!(settle(Restart::Rest.code(), 230, Handling::None), Settled::Again(219));
    }

    #[test]
    fn a_handler_ends_what_did_not_ask_for_a_restart() {
        let interrupted = Settled::Result(error(Errno::EINTR));
        for restart in [Restart::IfAsked, Restart::IfUnhandled, Restart::Rest] {
            assert_eq!(settle(restart.code(), 0, Handling::Handler), interrupted);
        }
        assert_eq!(settle(Restart::IfAsked.code(), 0, Handling::RestartingHandler), Settled::Again(0));
        assert_eq!(settle(Restart::IfUnhandled.code(), 0, Handling::RestartingHandler), interrupted);
        assert_eq!(settle(Restart::Rest.code(), 0, Handling::RestartingHandler), interrupted);
    }

    #[test]
    fn other_results_stay() {
        assert_eq!(settle(error(Errno::EIO), 0, Handling::None), Settled::Result(error(Errno::EIO)));
    }
}
