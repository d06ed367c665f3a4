//! What the ways into the kernel save, and the numbers of the vectors.

use core::fmt;

use mm::VirtAddr;

use super::layout::USER_END;

/// The first vector that is not an exception.
pub const FIRST_INTERRUPT: u8 = 32;
/// Vector of the debug exception: a single step, or a breakpoint of the debug registers.
pub const DEBUG: u64 = 1;
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
/// In the place of a vector: the frame is one of a system call.
pub const SYSCALL: u64 = 256;

/// Selector of the kernel's code.
pub const KERNEL_CODE: u16 = 0x08;
/// Selector of user data, for ring 3.
pub const USER_DATA: u16 = 0x18 | 3;
/// Selector of user code, for ring 3.
pub const USER_CODE: u16 = 0x20 | 3;

/// RFLAGS: the next instruction is followed by a debug exception.
pub const TRAP_FLAG: u64 = 1 << 8;
/// RFLAGS: interrupts are let in.
pub const INTERRUPT_FLAG: u64 = 1 << 9;
/// RFLAGS: what a program may set as it likes. These are CF, PF, AF, ZF, SF, TF, DF, OF, NT, AC and ID; not IF, IOPL,
/// RF and those of virtual machines.
const USERS_FLAGS: u64 = 0x0024_4dd5;
/// RFLAGS: the bit that is always set.
const FIXED_FLAG: u64 = 1 << 1;

/// The registers of what was interrupted, as every way into the kernel saves them. A system call's frame is like any
/// other's, but for `vector` and `error`; the CPU has put rip into `rcx` then and rflags into `r11`.
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
    /// Number of the vector, or [`SYSCALL`].
    pub vector: u64,
    /// The exception's error code; 0 where it has none. The number of a system call, which stays when `rax` becomes its
    /// result.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl TrapFrame {
    /// The registers of a program that begins at `entry`, with its stack pointer at `stack`: all others are 0.
    pub const fn user(entry: VirtAddr, stack: VirtAddr) -> Self {
        Self {
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            r11: 0,
            r10: 0,
            r9: 0,
            r8: 0,
            rbp: 0,
            rdi: 0,
            rsi: 0,
            rdx: 0,
            rcx: 0,
            rbx: 0,
            rax: 0,
            vector: SYSCALL,
            error: 0,
            rip: entry.as_usize() as u64,
            cs: USER_CODE as u64,
            rflags: FIXED_FLAG | INTERRUPT_FLAG,
            rsp: stack.as_usize() as u64,
            ss: USER_DATA as u64,
        }
    }

    /// Whether ring 3 was interrupted.
    pub const fn is_user(&self) -> bool {
        self.cs & 3 == 3
    }

    /// Whether it is the frame of a system call.
    pub const fn is_syscall(&self) -> bool {
        self.vector == SYSCALL
    }

    /// Makes the frame one that ring 3 may go on with, whatever was written to it: the return by `iretq` cannot fault
    /// in the kernel, and gives no privilege. A `rip` that is no user address becomes the end of the user half, where
    /// nothing is ever mapped.
    #[inline]
    pub const fn make_user(&mut self) {
        self.cs = USER_CODE as u64;
        self.ss = USER_DATA as u64;
        self.rflags = self.rflags & USERS_FLAGS | FIXED_FLAG | INTERRUPT_FLAG;
        let end = USER_END.as_usize() as u64;
        if self.rip > end {
            self.rip = end;
        }
    }
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
