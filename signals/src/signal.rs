//! One signal: its number, its name, and what it does by default.

use core::fmt;

use linux_raw_sys::general as raw;

/// A signal, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// What a signal does to a process that has set no action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// It ends the process.
    Terminate,
    /// Nothing.
    Ignore,
    /// It stops the process until SIGCONT.
    Stop,
    /// The process goes on if it was stopped.
    Continue,
}

macro_rules! standard {
    ($($name:ident = $number:ident, $action:ident;)*) => {
        impl Signal {
            $(
                #[doc = concat!("`", stringify!($number), "`.")]
                pub const $name: Self = Self(raw::$number as u8);
            )*

            /// What it does by default.
            pub const fn default_action(self) -> DefaultAction {
                match self {
                    $(Self::$name => DefaultAction::$action,)*
                    _ => DefaultAction::Terminate,
                }
            }

            /// Its name, `SIGINT`; real-time signals share one.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($number),)*
                    _ => "SIGRT",
                }
            }
        }
    };
}

standard! {
    HUP = SIGHUP, Terminate;
    INT = SIGINT, Terminate;
    QUIT = SIGQUIT, Terminate;
    ILL = SIGILL, Terminate;
    TRAP = SIGTRAP, Terminate;
    ABRT = SIGABRT, Terminate;
    BUS = SIGBUS, Terminate;
    FPE = SIGFPE, Terminate;
    KILL = SIGKILL, Terminate;
    USR1 = SIGUSR1, Terminate;
    SEGV = SIGSEGV, Terminate;
    USR2 = SIGUSR2, Terminate;
    PIPE = SIGPIPE, Terminate;
    ALRM = SIGALRM, Terminate;
    TERM = SIGTERM, Terminate;
    STKFLT = SIGSTKFLT, Terminate;
    CHLD = SIGCHLD, Ignore;
    CONT = SIGCONT, Continue;
    STOP = SIGSTOP, Stop;
    TSTP = SIGTSTP, Stop;
    TTIN = SIGTTIN, Stop;
    TTOU = SIGTTOU, Stop;
    URG = SIGURG, Ignore;
    XCPU = SIGXCPU, Terminate;
    XFSZ = SIGXFSZ, Terminate;
    VTALRM = SIGVTALRM, Terminate;
    PROF = SIGPROF, Terminate;
    WINCH = SIGWINCH, Ignore;
    IO = SIGIO, Terminate;
    PWR = SIGPWR, Terminate;
    SYS = SIGSYS, Terminate;
}

impl Signal {
    /// How many there are.
    pub const COUNT: usize = raw::_NSIG as usize;

    /// The signal with this number, if there is one.
    pub const fn new(number: u64) -> Option<Self> {
        if number >= 1 && number <= Self::COUNT as u64 { Some(Self(number as u8)) } else { None }
    }

    /// Its number, from 1 on.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its place in a table of all signals, from 0 on.
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }

    /// Whether it is one of those that queue, each with what it tells: from 32 on.
    pub const fn is_real_time(self) -> bool {
        self.0 as u32 >= raw::SIGRTMIN
    }

    /// Whether no process can catch, block or ignore it.
    pub const fn is_unstoppable(self) -> bool {
        matches!(self, Self::KILL | Self::STOP)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_real_time() {
            write!(f, "{}{}", self.name(), u32::from(self.0) - raw::SIGRTMIN)
        } else {
            f.pad(self.name())
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::{DefaultAction, Signal};

    #[test]
    fn numbers_are_those_of_linux() {
        let numbers = [(Signal::HUP, 1), (Signal::KILL, 9), (Signal::CHLD, 17), (Signal::WINCH, 28), (Signal::SYS, 31)];
        assert!(numbers.iter().all(|(signal, number)| signal.number() == *number));
        assert_eq!((Signal::new(0), Signal::new(65)), (None, None));
        assert_eq!(Signal::new(64).map(Signal::index), Some(63));
    }

    #[test]
    fn every_standard_signal_has_a_name_and_real_time_ones_a_number() {
        for number in 1..=31 {
            let signal = Signal::new(number).expect("in range");
            assert!(signal.name().starts_with("SIG") && !signal.is_real_time(), "{number}");
        }
        assert_eq!(Signal::new(34).expect("in range").to_string(), "SIGRT2");
    }

    #[test]
    fn four_signals_stop_and_three_do_nothing() {
        let all = || (1..=64).filter_map(Signal::new);
        let which = |action| all().filter(|signal| signal.default_action() == action).count();
        assert_eq!((which(DefaultAction::Stop), which(DefaultAction::Ignore)), (4, 3));
        assert_eq!(which(DefaultAction::Continue), 1);
    }
}
