//! What a process wants done about a signal: `struct sigaction`.

use bitflags::bitflags;
use linux_raw_sys::general as raw;

use crate::bytes::{put, u64_at};
use crate::set::SignalSet;

bitflags! {
    /// How a handler is called.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct ActionFlags: u32 {
        /// SIGCHLD does not come when a child stops or goes on.
        const NOCLDSTOP = raw::SA_NOCLDSTOP;
        /// Children leave no zombies.
        const NOCLDWAIT = raw::SA_NOCLDWAIT;
        /// The handler wants to know the cause. It is told in any case.
        const SIGINFO = raw::SA_SIGINFO;
        /// The handler runs on the alternate stack, if there is one.
        const ONSTACK = raw::SA_ONSTACK;
        /// A call that the signal interrupted begins anew.
        const RESTART = raw::SA_RESTART;
        /// The signal is not blocked while its handler runs.
        const NODEFER = raw::SA_NODEFER;
        /// The action becomes the default one when the handler is called.
        const RESETHAND = raw::SA_RESETHAND;
        /// `restorer` says where the handler returns to: every C library sets it on x86-64.
        const RESTORER = raw::SA_RESTORER;
    }
}

/// Where a signal goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handler {
    /// Wherever it goes by default.
    Default,
    /// Nowhere.
    Ignore,
    /// To this address.
    At(u64),
}

/// What is done about a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action {
    /// Who is called.
    pub handler: Handler,
    /// How.
    pub flags: ActionFlags,
    /// Where the handler returns to.
    pub restorer: u64,
    /// What is blocked while it runs, besides the signal itself.
    pub mask: SignalSet,
}

impl Action {
    /// What a process begins with.
    pub const DEFAULT: Self =
        Self { handler: Handler::Default, flags: ActionFlags::empty(), restorer: 0, mask: SignalSet::EMPTY };
    /// Bytes of a `struct sigaction` of the system call.
    pub const BYTES: usize = 32;

    /// From what a program gives; flags that mean nothing here are dropped, and the mask blocks nothing unstoppable.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let handler = match u64_at(bytes, 0) {
            0 => Handler::Default,
            1 => Handler::Ignore,
            address => Handler::At(address),
        };
        Self {
            handler,
            flags: ActionFlags::from_bits_truncate(u64_at(bytes, 8) as u32),
            restorer: u64_at(bytes, 16),
            mask: SignalSet::from_bits(u64_at(bytes, 24)).without(SignalSet::UNSTOPPABLE),
        }
    }

    /// As a program sees it.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let handler = match self.handler {
            Handler::Default => 0,
            Handler::Ignore => 1,
            Handler::At(address) => address,
        };
        let mut bytes = [0; Self::BYTES];
        put(&mut bytes, 0, handler.to_le_bytes());
        put(&mut bytes, 8, u64::from(self.flags.bits()).to_le_bytes());
        put(&mut bytes, 16, self.restorer.to_le_bytes());
        put(&mut bytes, 24, self.mask.bits().to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use linux_raw_sys::general::kernel_sigaction;

    use super::{Action, ActionFlags, Handler};
    use crate::set::SignalSet;
    use crate::signal::Signal;

    #[test]
    fn layout_is_that_of_linux() {
        assert_eq!(size_of::<kernel_sigaction>(), Action::BYTES);
        assert_eq!(offset_of!(kernel_sigaction, sa_flags), 8);
        assert_eq!((offset_of!(kernel_sigaction, sa_restorer), offset_of!(kernel_sigaction, sa_mask)), (16, 24));
    }

    #[test]
    fn a_program_reads_back_what_it_set() {
        let flags = ActionFlags::SIGINFO | ActionFlags::RESTORER | ActionFlags::RESETHAND;
        let mask = SignalSet::of(&[Signal::INT, Signal::CHLD]);
        let action = Action { handler: Handler::At(0x40_1000), flags, restorer: 0x40_2000, mask };
        assert_eq!(Action::from_bytes(&action.to_bytes()), action);
    }

    #[test]
    fn nothing_unstoppable_is_blocked_and_unknown_flags_are_dropped() {
        let mut bytes = Action { mask: SignalSet::from_bits(u64::MAX), ..Action::DEFAULT }.to_bytes();
        bytes[9] = 0x04;
        let action = Action::from_bytes(&bytes);
        assert!(!action.mask.contains(Signal::KILL) && !action.mask.contains(Signal::STOP));
        assert_eq!((action.flags, action.handler), (ActionFlags::empty(), Handler::Default));
    }
}
