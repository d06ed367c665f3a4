//! The ways into the kernel and out of it, in assembly.
//!
//! Each of the 256 vectors has a stub of 16 bytes that pushes its number and goes on to one of three entries; SYSCALL
//! has an entry of its own. All of them save the same [`TrapFrame`] and call the kernel above
//! ([`upcalls`](super::upcalls)); ring 3 is left to by `iretq` alone, from one place. A frame record made on the way in
//! lets backtraces run through to what was interrupted, and end where that was ring 3. Interrupts are off until the
//! kernel above says otherwise; in a system call they are on.
//!
//! | entry | for | stack |
//! |---|---|---|
//! | `trap_entry` | interrupts, exceptions | the thread's: its top, from ring 3 |
//! | `debug_entry` | vector 1 | its own; from ring 3 it goes on like the others, on the thread's |
//! | `paranoid_entry` | vectors 2, 8, 18, and 1 from ring 0 | of its own each |
//! | `syscall_entry` | SYSCALL | the thread's top |
//!
//! Invariants:
//! - (a) gs is the kernel's while code of the kernel runs, but for the first instructions of an entry from ring 3 and
//!   the last of the way back. What can come between these has a stack of its own and looks which one gs is, by the
//!   sign of its base: [`paranoid_entry`](self) changes it if need be, and changes it back.
//! - (b) a frame of ring 3 is the topmost thing on its thread's stack, so a thread has one at most.
//! - (c) AC is clear in the kernel, or SMAP would be off: interrupts and exceptions leave it as it was in ring 3, so
//!   the entries clear it where there is SMAP. (SYSCALL clears what the FMASK register says.)

use core::arch::global_asm;
use core::mem::offset_of;

use super::cpu::SMAP;
use super::percpu::{KERNEL_STACK_OFFSET, USER_STACK_OFFSET};
use super::trap_frame::{FIRST_INTERRUPT, SYSCALL, TrapFrame, USER_CODE, USER_DATA};
use super::upcalls::{kernel_exception, kernel_interrupt, kernel_return, kernel_syscall, kernel_user_exception};

global_asm!(
    ".macro save_registers",
    "push rax",
    "push rbx",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push rbp",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    ".endm",
    // And takes vector and error code off the stack.
    ".macro restore_registers",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rbp",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rbx",
    "pop rax",
    "add rsp, 16",
    ".endm",
    ".macro clear_ac",
    "cmp byte ptr [rip + {smap}], 0",
    "je 7f",
    "clac",
    "7:",
    ".endm",
    // The frame record: as if what was interrupted had called here.
    ".macro record_interrupted",
    "mov rdi, rsp",
    "push qword ptr [rdi + {rip}]",
    "push rbp",
    "mov rbp, rsp",
    ".endm",
    // The frame record of the outermost function.
    ".macro record_end",
    "mov rdi, rsp",
    "push 0",
    "push 0",
    "mov rbp, rsp",
    ".endm",
    //
    ".pushsection .text.trap, \"ax\"",
    ".align 16",
    ".global trap_stubs",
    ".type trap_stubs, @function",
    ".type trap_entry, @function",
    ".type debug_entry, @function",
    ".type paranoid_entry, @function",
    ".global syscall_entry",
    ".type syscall_entry, @function",
    ".global return_to_user",
    ".type return_to_user, @function",
    "trap_stubs:",
    ".set vector, 0",
    ".rept 256",
    ".align 16",
    // Of the exceptions, these push an error code themselves.
    ".if vector != 8 && vector != 10 && vector != 11 && vector != 12 && vector != 13 && vector != 14 && vector != 17 \
        && vector != 21 && vector != 29 && vector != 30",
    "push 0",
    ".endif",
    ".byte 0x68", // push imm32
    ".long vector",
    ".if vector == 1",
    "jmp debug_entry",
    ".elseif vector == 2 || vector == 8 || vector == 18",
    "jmp paranoid_entry",
    ".else",
    "jmp trap_entry",
    ".endif",
    ".set vector, vector + 1",
    ".endr",
    ".size trap_stubs, . - trap_stubs",
    //
    "trap_entry:",
    "test byte ptr [rsp + 24], 3", // the RPL of cs
    "jnz 4f",
    "clear_ac",
    "save_registers",
    "cld",
    "record_interrupted",
    "mov eax, dword ptr [rdi + {vector}]",
    "cmp eax, {first_interrupt}",
    "jb 2f",
    "mov edi, eax",
    "call {interrupt}",
    "jmp 3f",
    "2:",
    "call {exception}",
    "3:",
    "add rsp, 16",
    "restore_registers",
    "iretq",
    // From ring 3.
    "4:",
    "swapgs",
    "5:",
    "clear_ac",
    "save_registers",
    "cld",
    "record_end",
    "mov eax, dword ptr [rdi + {vector}]",
    "cmp eax, {first_interrupt}",
    "jb 6f",
    "mov edi, eax",
    "call {interrupt}",
    "jmp return_to_user",
    "6:",
    "call {user_exception}",
    "jmp return_to_user",
    //
    "debug_entry:",
    "test byte ptr [rsp + 24], 3",
    "jz paranoid_entry",
    // From ring 3: the frame so far moves to the thread's stack, so that this stack is free for the next.
    "swapgs",
    "push rax",
    "mov rax, rsp",
    "mov rsp, gs:[{kernel_stack}]",
    "push qword ptr [rax + 7*8]",
    "push qword ptr [rax + 6*8]",
    "push qword ptr [rax + 5*8]",
    "push qword ptr [rax + 4*8]",
    "push qword ptr [rax + 3*8]",
    "push qword ptr [rax + 2*8]",
    "push qword ptr [rax + 1*8]",
    "mov rax, [rax]",
    "jmp 5b",
    ".size trap_entry, . - trap_entry",
    //
    "paranoid_entry:",
    "clear_ac",
    "save_registers",
    "cld",
    "mov ecx, {gs_base}",
    "rdmsr",
    "xor ebx, ebx",
    "test edx, edx",
    "js 8f",
    "swapgs",
    "inc ebx",
    "8:",
    "record_interrupted",
    "call {exception}",
    "add rsp, 16",
    "test ebx, ebx",
    "jz 8f",
    "swapgs",
    "8:",
    "restore_registers",
    "iretq",
    ".size paranoid_entry, . - paranoid_entry",
    //
    "syscall_entry:",
    "swapgs",
    "mov gs:[{user_stack}], rsp",
    "mov rsp, gs:[{kernel_stack}]",
    "push {user_data}",
    "push qword ptr gs:[{user_stack}]",
    "push r11",
    "push {user_code}",
    "push rcx",
    "push rax",
    "push {syscall_vector}",
    "save_registers",
    "record_end",
    "sti",
    "call {syscall}",
    // Falls through. Here rsp is 16 bytes below the frame, and gs the kernel's.
    "return_to_user:",
    "lea rdi, [rsp + 16]",
    "call {before_return}",
    "add rsp, 16",
    "restore_registers",
    "swapgs",
    "iretq",
    ".size syscall_entry, return_to_user - syscall_entry",
    ".size return_to_user, . - return_to_user",
    ".popsection",
    smap = sym SMAP,
    vector = const offset_of!(TrapFrame, vector),
    rip = const offset_of!(TrapFrame, rip),
    first_interrupt = const FIRST_INTERRUPT,
    kernel_stack = const KERNEL_STACK_OFFSET,
    user_stack = const USER_STACK_OFFSET,
    user_data = const USER_DATA,
    user_code = const USER_CODE,
    syscall_vector = const SYSCALL,
    gs_base = const GS_BASE,
    interrupt = sym kernel_interrupt,
    exception = sym kernel_exception,
    user_exception = sym kernel_user_exception,
    syscall = sym kernel_syscall,
    before_return = sym kernel_return,
);

/// Number of the register that holds the base of gs.
const GS_BASE: u32 = 0xc000_0101;

unsafe extern "C" {
    static trap_stubs: [[u8; 16]; 256];
    static syscall_entry: u8;
}

/// Where the CPU enters the kernel for `vector`.
pub(super) fn stub(vector: u8) -> u64 {
    (&raw const trap_stubs).addr() as u64 + u64::from(vector) * 16
}

/// Where it does by SYSCALL.
pub(super) fn syscall() -> u64 {
    (&raw const syscall_entry).addr() as u64
}
