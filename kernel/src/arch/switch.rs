//! The switch from one thread's stack to another's.
//!
//! A thread that does not run has its callee-saved registers and a return address on its stack, and its stack pointer
//! in its `Task`. Interrupts are off during a switch. The kernel has no floating-point state.

use core::arch::naked_asm;

use mm::VirtAddr;

/// What `switch` leaves on a stack, lowest address first.
#[repr(C)]
struct Saved {
    r15: usize,
    r14: usize,
    r13: usize,
    r12: usize,
    rbx: usize,
    rbp: usize,
    return_address: usize,
    /// A return address for `main`, which never returns: 0 ends backtraces and keeps the alignment.
    end: usize,
}

/// Saves the registers of the running thread on its stack, puts its stack pointer at `save`, and goes on as the thread
/// whose stack pointer `load` was saved before. Returns when a later switch loads what this one saved.
///
/// # Safety
/// Interrupts are off; `save` may be written; `load` was saved by `switch` or made by [`prepare`], and is used once.
#[unsafe(naked)]
pub unsafe extern "C" fn switch(save: *mut usize, load: usize) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Lays out a fresh stack that ends at `top`, so that switching to the returned stack pointer calls `main`.
pub fn prepare(top: VirtAddr, main: extern "C" fn() -> !) -> VirtAddr {
    let saved = Saved { r15: 0, r14: 0, r13: 0, r12: 0, rbx: 0, rbp: 0, return_address: main as usize, end: 0 };
    let at = VirtAddr::new(top.as_usize() - size_of::<Saved>());
    // SAFETY: `top` is the 16-byte aligned end of a stack that is not in use yet.
    unsafe { at.as_mut_ptr::<Saved>().write(saved) };
    at
}

/// Goes on in `main` on an empty stack that ends at `top`, in the address space of the level-4 table at `root`.
///
/// # Safety
/// Interrupts are off. The table maps the kernel image as it is mapped now, and the stack. Nothing that lives on the
/// stack in use now is needed any more.
#[unsafe(naked)]
pub unsafe extern "C" fn move_to(root: u64, top: usize, main: extern "C" fn() -> !) -> ! {
    naked_asm!("mov cr3, rdi", "mov rsp, rsi", "xor ebp, ebp", "call rdx", "ud2")
}

/// Goes on in `main` on the stack that ends at `top`, which may be the one in use: all that lies on it is given up.
///
/// # Safety
/// Interrupts are off. Nothing that lives on that stack or on the one in use is needed any more.
#[unsafe(naked)]
pub unsafe extern "C" fn restart(top: usize, main: extern "C" fn() -> !) -> ! {
    naked_asm!("mov rsp, rdi", "xor ebp, ebp", "call rsi", "ud2")
}
