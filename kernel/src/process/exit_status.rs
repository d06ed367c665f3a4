//! How a process ended, and what its parent learns of it, in the words of wait.

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// By its own call, with this status.
    Code(u8),
    /// By a signal, or by a fault of its own that is told of as one.
    Signal(u8),
}

impl Exit {
    /// As wait stores it.
    pub const fn wait_status(self) -> u32 {
        match self {
            Self::Code(code) => (code as u32) << 8,
            Self::Signal(signal) => signal as u32 & 0x7f,
        }
    }

    /// As a shell shows it: the code, or 128 and the signal's number.
    pub const fn shell_status(self) -> i32 {
        match self {
            Self::Code(code) => code as i32,
            Self::Signal(signal) => 128 + signal as i32,
        }
    }
}

/// What became of a child, as its parent learns it by wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildEvent {
    /// It has ended.
    Ended(Exit),
    /// This signal stopped it.
    Stopped(u8),
    /// SIGCONT let it go on.
    Continued,
}

impl ChildEvent {
    /// As wait stores it.
    pub const fn wait_status(self) -> u32 {
        match self {
            Self::Ended(exit) => exit.wait_status(),
            Self::Stopped(signal) => (signal as u32) << 8 | 0x7f,
            Self::Continued => 0xffff,
        }
    }
}
