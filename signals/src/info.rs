//! What a signal tells of its cause: Linux's `siginfo_t`, 128 bytes.

use linux_raw_sys::general as raw;

use crate::bytes::{put, u32_at, u64_at};
use crate::signal::Signal;

/// A signal on its way, with its cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// Which signal.
    pub signal: Signal,
    /// How it came (`si_code`).
    pub code: Code,
    /// From whom, or from what.
    pub origin: Origin,
}

/// How a signal came (`si_code`): positive from the kernel, the others from a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code(pub i32);

impl Code {
    /// By `kill`.
    pub const USER: Self = Self(raw::SI_USER as i32);
    /// By `tkill` or `tgkill`.
    pub const TKILL: Self = Self(raw::SI_TKILL);
    /// From the kernel: a key of the terminal, for one.
    pub const KERNEL: Self = Self(raw::SI_KERNEL as i32);
    /// By a timer of the process.
    pub const TIMER: Self = Self(raw::SI_TIMER);
    /// A child has ended.
    pub const CHILD_EXITED: Self = Self(raw::CLD_EXITED as i32);
    /// A child was ended by a signal.
    pub const CHILD_KILLED: Self = Self(raw::CLD_KILLED as i32);
    /// A child has stopped.
    pub const CHILD_STOPPED: Self = Self(raw::CLD_STOPPED as i32);
    /// A child that was stopped goes on.
    pub const CHILD_CONTINUED: Self = Self(raw::CLD_CONTINUED as i32);
    /// SIGSEGV: nothing is mapped there.
    pub const NOT_MAPPED: Self = Self(raw::SEGV_MAPERR as i32);
    /// SIGSEGV: what is mapped there does not allow it.
    pub const NOT_ALLOWED: Self = Self(raw::SEGV_ACCERR as i32);
    /// SIGBUS: the address is not aligned.
    pub const NOT_ALIGNED: Self = Self(raw::BUS_ADRALN as i32);
    /// SIGBUS: nothing is behind the mapping there.
    pub const BEYOND: Self = Self(raw::BUS_ADRERR as i32);
    /// SIGFPE: an integer was divided by zero, or the quotient has no room.
    pub const DIVIDED: Self = Self(raw::FPE_INTDIV as i32);
    /// SIGFPE: a floating-point operation.
    pub const FLOATING_POINT: Self = Self(raw::FPE_FLTINV as i32);
    /// SIGILL: no such instruction.
    pub const NO_SUCH_OPCODE: Self = Self(raw::ILL_ILLOPN as i32);
    /// SIGTRAP: a breakpoint.
    pub const BREAKPOINT: Self = Self(raw::TRAP_BRKPT as i32);
    /// SIGTRAP: one step.
    pub const STEP: Self = Self(raw::TRAP_TRACE as i32);

    /// Whether a process made it, not the kernel.
    pub const fn is_from_user(self) -> bool {
        self.0 <= 0
    }
}

/// From whom a signal came, or from what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The kernel.
    Kernel,
    /// A process.
    Sender {
        /// Its number.
        pid: u32,
        /// Its user.
        uid: u32,
    },
    /// A process, which sent a value along.
    Value {
        /// Its number.
        pid: u32,
        /// Its user.
        uid: u32,
        /// What it sent.
        value: u64,
    },
    /// A child.
    Child {
        /// Its number.
        pid: u32,
        /// Its exit status, or the signal that ended, stopped or continued it.
        status: i32,
        /// Clock ticks of 1/100 s that it ran in ring 3.
        user: u32,
        /// Clock ticks that it ran in the kernel.
        system: u32,
    },
    /// What the program did.
    Fault {
        /// At which address.
        address: u64,
    },
}

/// Where each part of the union begins.
const UNION: usize = 16;

impl Info {
    /// Bytes of a `siginfo_t`.
    pub const BYTES: usize = 128;

    /// `signal` from the kernel.
    pub const fn kernel(signal: Signal) -> Self {
        Self { signal, code: Code::KERNEL, origin: Origin::Kernel }
    }

    /// `signal` from process `pid` of the superuser, by `kill`.
    pub const fn sent_by(signal: Signal, pid: u32) -> Self {
        Self { signal, code: Code::USER, origin: Origin::Sender { pid, uid: 0 } }
    }

    /// `signal` for what a program did at `address`.
    pub const fn fault(signal: Signal, code: Code, address: u64) -> Self {
        Self { signal, code, origin: Origin::Fault { address } }
    }

    /// As a program sees it.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        put(&mut bytes, 0, u32::from(self.signal.number()).to_le_bytes());
        put(&mut bytes, 8, self.code.0.to_le_bytes());
        match self.origin {
            Origin::Kernel => {}
            Origin::Sender { pid, uid } => {
                put(&mut bytes, UNION, pid.to_le_bytes());
                put(&mut bytes, UNION + 4, uid.to_le_bytes());
            }
            Origin::Value { pid, uid, value } => {
                put(&mut bytes, UNION, pid.to_le_bytes());
                put(&mut bytes, UNION + 4, uid.to_le_bytes());
                put(&mut bytes, UNION + 8, value.to_le_bytes());
            }
            Origin::Child { pid, status, user, system } => {
                put(&mut bytes, UNION, pid.to_le_bytes());
                put(&mut bytes, UNION + 8, status.to_le_bytes());
                put(&mut bytes, UNION + 16, u64::from(user).to_le_bytes());
                put(&mut bytes, UNION + 24, u64::from(system).to_le_bytes());
            }
            Origin::Fault { address } => put(&mut bytes, UNION, address.to_le_bytes()),
        }
        bytes
    }

    /// `signal` with what a program made up of it, for `rt_sigqueueinfo`; `None` where it claims to be the kernel.
    pub fn from_user(signal: Signal, bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let code = Code(u32_at(bytes, 8).cast_signed());
        let is_honest = code.is_from_user() && code != Code::TKILL;
        let (pid, uid) = (u32_at(bytes, UNION), u32_at(bytes, UNION + 4));
        is_honest.then(|| Self { signal, code, origin: Origin::Value { pid, uid, value: u64_at(bytes, UNION + 8) } })
    }
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use linux_raw_sys::general as raw;

    use super::{Code, Info, Origin};
    use crate::signal::Signal;

    #[test]
    fn layout_is_that_of_linux() {
        type Parts = raw::siginfo__bindgen_ty_1__bindgen_ty_1;
        assert_eq!(size_of::<raw::siginfo_t>(), Info::BYTES);
        assert_eq!((offset_of!(Parts, si_signo), offset_of!(Parts, si_code)), (0, 8));
        assert_eq!(offset_of!(Parts, _sifields), 16);
        type Child = raw::__sifields__bindgen_ty_4;
        let offsets = (offset_of!(Child, _pid), offset_of!(Child, _status), offset_of!(Child, _utime));
        assert_eq!(offsets, (0, 8, 16));
    }

    #[test]
    fn a_child_tells_who_and_how() {
        let origin = Origin::Child { pid: 7, status: 3, user: 5, system: 6 };
        let bytes = Info { signal: Signal::CHLD, code: Code::CHILD_EXITED, origin }.to_bytes();
        assert_eq!((bytes[0], bytes[8], bytes[16], bytes[24], bytes[32], bytes[40]), (17, 1, 7, 3, 5, 6));
    }

    #[test]
    fn a_program_cannot_pose_as_the_kernel() {
        let mut bytes = Info::kernel(Signal::USR1).to_bytes();
        assert_eq!(Info::from_user(Signal::USR1, &bytes), None);
        bytes[8..12].copy_from_slice(&(-1i32).to_le_bytes());
        bytes[24] = 9;
        let info = Info::from_user(Signal::USR1, &bytes).expect("SI_QUEUE is a program's");
        assert_eq!(info.origin, Origin::Value { pid: 0, uid: 0, value: 9 });
    }
}
