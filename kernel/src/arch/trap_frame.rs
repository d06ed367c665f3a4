//! What the trap entry saves, and the numbers of the vectors.

use core::fmt;

/// The first vector that is not an exception.
pub const FIRST_INTERRUPT: u8 = 32;
/// Vector of the non-maskable interrupt.
pub const NMI: u64 = 2;
/// Vector of the breakpoint instruction.
pub const BREAKPOINT: u64 = 3;
/// Vector of the double fault.
pub const DOUBLE_FAULT: u64 = 8;
/// Vector of the stack-segment fault: a non-canonical address by way of the stack pointer.
pub const STACK_SEGMENT: u64 = 12;
/// Vector of the general protection fault: a non-canonical address, for one.
pub const GENERAL_PROTECTION: u64 = 13;
/// Vector of the machine check.
pub const MACHINE_CHECK: u64 = 18;
/// Vector of the page fault.
pub const PAGE_FAULT: u64 = 14;

/// The registers of what was interrupted, as `trap_entry` saves them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "registers are named as the CPU's manual names them")]
pub struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// Number of the vector.
    pub vector: u64,
    /// The exception's error code; 0 where it has none.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl fmt::Display for TrapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "rip {:016x} rsp {:016x} rflags {:08x} error {:x}", self.rip, self.rsp, self.rflags, self.error)?;
        writeln!(f, "rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}", self.rax, self.rbx, self.rcx, self.rdx)?;
        writeln!(f, "rsi {:016x} rdi {:016x} rbp {:016x} r8  {:016x}", self.rsi, self.rdi, self.rbp, self.r8)?;
        writeln!(f, "r9  {:016x} r10 {:016x} r11 {:016x} r12 {:016x}", self.r9, self.r10, self.r11, self.r12)?;
        write!(f, "r13 {:016x} r14 {:016x} r15 {:016x}", self.r13, self.r14, self.r15)
    }
}
