//! The alternate stack for handlers (`sigaltstack`).

use linux_raw_sys::general as raw;

use crate::bytes::{put, u32_at, u64_at};

/// Why a stack is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StackError {
    /// The program runs on the one there is (`EPERM`).
    InUse,
    /// Flags that mean nothing (`EINVAL`).
    BadFlags,
    /// Less than a frame and a little work need (`ENOMEM`).
    TooSmall,
}

/// A stack for handlers, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AlternateStack {
    base: u64,
    /// 0: there is none.
    bytes: u64,
    is_disarmed_in_use: bool,
}

impl AlternateStack {
    /// There is none.
    pub const NONE: Self = Self { base: 0, bytes: 0, is_disarmed_in_use: false };
    /// Bytes of a `stack_t`.
    pub const BYTES: usize = 24;

    /// Whether there is one.
    pub const fn is_there(self) -> bool {
        self.bytes != 0
    }

    /// Whether a program with this stack pointer runs on it. One that is given up while in use never counts as such.
    pub const fn is_in_use(self, stack_pointer: u64) -> bool {
        !self.is_disarmed_in_use && self.holds(stack_pointer)
    }

    /// Whether an address is on it.
    pub(crate) const fn holds(self, address: u64) -> bool {
        address > self.base && address - self.base <= self.bytes
    }

    /// The address after its last byte.
    pub const fn top(self) -> u64 {
        self.base.wrapping_add(self.bytes)
    }

    /// Whether it is given up as soon as a handler runs on it (SS_AUTODISARM).
    pub const fn is_disarmed_in_use(self) -> bool {
        self.is_disarmed_in_use
    }

    /// What a program with this stack pointer wants to have instead.
    ///
    /// # Errors
    /// Why it cannot be: then the stack stays.
    pub fn replaced(self, wanted: &[u8; Self::BYTES], stack_pointer: u64) -> Result<Self, StackError> {
        let (base, flags, bytes) = (u64_at(wanted, 0), u32_at(wanted, 8), u64_at(wanted, 16));
        if self.is_in_use(stack_pointer) {
            return Err(StackError::InUse);
        }
        let disarm = flags & raw::SS_AUTODISARM != 0;
        match flags & !raw::SS_AUTODISARM {
            raw::SS_DISABLE => Ok(Self { is_disarmed_in_use: disarm, ..Self::NONE }),
            0 | raw::SS_ONSTACK if bytes < u64::from(raw::MINSIGSTKSZ) => Err(StackError::TooSmall),
            0 | raw::SS_ONSTACK => Ok(Self { base, bytes, is_disarmed_in_use: disarm }),
            _ => Err(StackError::BadFlags),
        }
    }

    /// As a program with this stack pointer sees it.
    pub fn to_bytes(self, stack_pointer: u64) -> [u8; Self::BYTES] {
        let state = match self {
            _ if !self.is_there() => raw::SS_DISABLE,
            _ if self.is_in_use(stack_pointer) => raw::SS_ONSTACK,
            _ => 0,
        };
        let flags = state | if self.is_disarmed_in_use { raw::SS_AUTODISARM } else { 0 };
        let mut bytes = [0; Self::BYTES];
        put(&mut bytes, 0, self.base.to_le_bytes());
        put(&mut bytes, 8, flags.to_le_bytes());
        put(&mut bytes, 16, self.bytes.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use linux_raw_sys::general as raw;

    use super::{AlternateStack, StackError};
    use crate::bytes::put;

    fn wanted(base: u64, flags: u32, bytes: u64) -> [u8; AlternateStack::BYTES] {
        let mut stack = [0; AlternateStack::BYTES];
        put(&mut stack, 0, base.to_le_bytes());
        put(&mut stack, 8, flags.to_le_bytes());
        put(&mut stack, 16, bytes.to_le_bytes());
        stack
    }

    #[test]
    fn a_stack_is_set_read_back_and_not_changed_from_within() {
        let stack = AlternateStack::NONE.replaced(&wanted(0x1000, 0, 8192), 0x9_0000).expect("large enough");
        assert_eq!(stack.to_bytes(0x9_0000), wanted(0x1000, 0, 8192));
        assert_eq!(stack.to_bytes(0x2000), wanted(0x1000, raw::SS_ONSTACK, 8192));
        assert_eq!(stack.replaced(&wanted(0, raw::SS_DISABLE, 0), 0x2000), Err(StackError::InUse));
        assert_eq!(stack.replaced(&wanted(0, raw::SS_DISABLE, 0), 0x9_0000), Ok(AlternateStack::NONE));
    }

    #[test]
    fn bad_stacks_are_refused() {
        let none = AlternateStack::NONE;
        assert_eq!(none.replaced(&wanted(0x1000, 0, 2047), 0), Err(StackError::TooSmall));
        assert_eq!(none.replaced(&wanted(0x1000, 8, 4096), 0), Err(StackError::BadFlags));
        assert_eq!(none.to_bytes(0), wanted(0, raw::SS_DISABLE, 0));
    }

    #[test]
    fn a_stack_that_is_given_up_in_use_can_be_replaced_there() {
        let stack = AlternateStack::NONE.replaced(&wanted(0x1000, raw::SS_AUTODISARM, 4096), 0).expect("fits");
        assert!(!stack.is_in_use(0x1800) && stack.is_disarmed_in_use());
    }
}
