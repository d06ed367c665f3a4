//! The context that a call is made from, and whether it may sleep there.

use core::fmt;

/// The context that a call was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// A thread that holds no spinlock: it may sleep.
    Process,
    /// A thread that holds a spinlock or has switched preemption or interrupts off.
    Atomic,
    /// An interrupt handler, a soft interrupt or a timer callback.
    Interrupt,
}

impl Context {
    /// Whether a call may sleep here.
    pub const fn may_sleep(self) -> bool {
        matches!(self, Self::Process)
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "process context",
            Self::Atomic => "atomic context",
            Self::Interrupt => "interrupt context",
        })
    }
}
