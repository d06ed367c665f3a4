//! What a program asks: the number and the arguments in its registers.

use abi::restart::Restart;
use kapi::Errno;
use mm::VirtAddr;

use crate::arch::trap_frame::TrapFrame;
use crate::process::Process;

/// Most arguments that a call has.
pub const ARGUMENTS: usize = 6;

/// A system call, from its entry until its result is in the program's registers.
pub struct Call<'a> {
    /// The program's registers, which it goes on with.
    pub frame: &'a mut TrapFrame,
    /// Who asks.
    pub process: &'a Process,
    /// What becomes of it if a signal interrupts it.
    pub(super) restart: Restart,
}

impl Call<'_> {
    /// Argument number `index`, from 0 on, as the register has it.
    pub const fn arg(&self, index: usize) -> usize {
        self.arguments()[index] as usize
    }

    /// Argument number `index`, which is an `int`: half the register counts.
    pub const fn int(&self, index: usize) -> i32 {
        self.arg(index) as i32
    }

    /// Argument number `index`, which is an `unsigned int`: half the register counts.
    pub const fn word(&self, index: usize) -> u32 {
        self.arg(index) as u32
    }

    /// Argument number `index`, which is a signed number of 64 bits.
    pub const fn long(&self, index: usize) -> i64 {
        self.arg(index) as i64
    }

    /// Argument number `index`, which is an address of the program's. It may be any number.
    pub const fn address(&self, index: usize) -> VirtAddr {
        VirtAddr::new(self.arg(index))
    }

    /// As [`address`](Self::address), where null stands for none.
    pub fn optional(&self, index: usize) -> Option<VirtAddr> {
        Some(self.address(index)).filter(|at| at.as_usize() != 0)
    }

    /// All arguments.
    pub const fn arguments(&self) -> [u64; ARGUMENTS] {
        let frame = &*self.frame;
        [frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9]
    }
}

/// What a call returns.
pub type Outcome = Result<usize, Errno>;

/// A number that is not negative, as a result.
pub fn result(number: impl TryInto<usize>) -> Outcome {
    number.try_into().map_err(|_| Errno::EOVERFLOW)
}
