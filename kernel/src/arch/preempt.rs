//! The end of a section without preemption: where a thread may lose the CPU.
//!
//! The preempt count is 0 exactly where this CPU should change threads and may
//! ([`NO_RESCHED`](super::percpu::NO_RESCHED) is a bit of it), so that the subtraction itself finds that out.

use core::arch::{asm, global_asm};

use super::percpu::{PREEMPT_COUNT, PREEMPT_COUNT_OFFSET};
use super::upcalls::kernel_preempt;

/// Changes threads if this CPU should and may.
#[inline]
pub fn preempt_point() {
    if PREEMPT_COUNT.get() == 0 {
        kernel_preempt();
    }
}

/// Subtracts one from the preempt count, and calls [`kernel_preempt`] if that leaves 0. A compiler barrier too.
///
/// It sits at the end of every fast path, so it is two instructions there, and the call, out of line, keeps every
/// register: a function that does nothing else needs neither stack nor saved registers for it. The call lies behind the
/// function in the function's own section, so that the linker keeps the two together or drops them together.
#[inline(always)]
pub fn leave_section() {
    // SAFETY: by the invariants of `percpu` the word is this CPU's to write; `preempt_thunk` keeps all registers and
    // aligns the stack.
    unsafe {
        asm!(
            "dec dword ptr gs:[{count}]",
            "jz 2f",
            "3:",
            ".subsection 1",
            "2:",
            "call preempt_thunk",
            "jmp 3b",
            ".previous",
            count = const PREEMPT_COUNT_OFFSET,
        );
    }
}

global_asm!(
    ".pushsection .text.preempt, \"ax\"",
    ".global preempt_thunk",
    ".type preempt_thunk, @function",
    "preempt_thunk:",
    "push rbp",
    "mov rbp, rsp",
    "push rax",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "and rsp, -16",
    "cld",
    "call {preempt}",
    "lea rsp, [rbp - 9*8]",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rax",
    "pop rbp",
    "ret",
    ".size preempt_thunk, . - preempt_thunk",
    ".popsection",
    preempt = sym kernel_preempt,
);
