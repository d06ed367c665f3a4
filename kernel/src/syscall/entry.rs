//! What is known of a call: number, arguments, and the function that answers.

use abi::restart::Restart;

use super::call::{Call, Outcome};

/// A call that is answered.
#[derive(Clone, Copy)]
pub struct Entry {
    pub(super) number: u32,
    pub(super) arguments: &'static [Kind],
    /// What a signal does that interrupts it.
    pub(super) restart: Restart,
    pub(super) function: fn(&mut Call<'_>) -> Outcome,
}

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A descriptor.
    Fd,
    /// The address of a file's name.
    Path,
    /// Another address.
    Address,
    /// How many bytes or things, or another number.
    Count,
    /// Bits.
    Flags,
    /// A file's rights.
    Mode,
}

impl Entry {
    pub(super) const fn new(number: u32, arguments: &'static [Kind], function: fn(&mut Call<'_>) -> Outcome) -> Self {
        Self { number, arguments, restart: Restart::IfAsked, function }
    }

    /// The same, with another answer to signals.
    pub(super) const fn after_signal(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }
}

/// A family's row: `calls![read(Fd, Address, Count), pause() IfUnhandled]`. The function has the call's name; behind
/// the arguments stands, where it is not `IfAsked`, which handlers let an interrupted call begin again.
macro_rules! calls {
    ($($name:ident($($kind:ident),*) $($restart:ident)?),* $(,)?) => {
        &[$({
            use $crate::syscall::entry::{Entry, Kind};
            let number = linux_raw_sys::general::${concat(__NR_, $name)};
            // Some calls have no arguments.
            const ARGUMENTS: &[Kind] = &[$(Kind::$kind),*];
            Entry::new(number, ARGUMENTS, $name)
                $(.after_signal(abi::restart::Restart::$restart))?
        }),*]
    };
}

pub(super) use calls;
