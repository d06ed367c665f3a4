//! Ring 3: what lets it make system calls, and how a thread gets there first.

use core::arch::naked_asm;

use mm::VirtAddr;
use x86_64::registers::model_specific::{Efer, EferFlags, Msr};
use x86_64::registers::rflags::RFlags;

use super::entry;
use super::trap_frame::{KERNEL_CODE, TrapFrame};

const STAR: u32 = 0xc000_0081;
const LSTAR: u32 = 0xc000_0082;
const FMASK: u32 = 0xc000_0084;
const KERNEL_GS_BASE: u32 = 0xc000_0102;

/// What SYSCALL clears in RFLAGS: interrupts stay off until the kernel's stack is in use, string instructions count
/// upwards, no step is traced, SMAP holds, and `iretq` sees no nested task.
const CLEARED: RFlags = RFlags::INTERRUPT_FLAG
    .union(RFlags::DIRECTION_FLAG)
    .union(RFlags::TRAP_FLAG)
    .union(RFlags::ALIGNMENT_CHECK)
    .union(RFlags::NESTED_TASK)
    .union(RFlags::IOPL_HIGH)
    .union(RFlags::IOPL_LOW);

/// Lets ring 3 make system calls.
pub(super) fn init() {
    // Kernel code, with kernel data behind it; SYSRET is never used, but its half may not name nonsense.
    let star = u64::from(KERNEL_CODE) << 32 | 0x10 << 48;
    for (register, value) in [(STAR, star), (LSTAR, entry::syscall()), (FMASK, CLEARED.bits()), (KERNEL_GS_BASE, 0)] {
        // SAFETY: the selectors are those of the GDT, and the entry expects what the CPU leaves for it.
        unsafe { Msr::new(register).write(value) };
    }
    // SAFETY: all 64-bit CPUs have SYSCALL, and the registers that it goes by are set.
    unsafe { Efer::update(|flags| flags.insert(EferFlags::SYSTEM_CALL_EXTENSIONS)) };
}

/// Goes on in ring 3 with the registers at `frame`. `top` is the end of the running thread's stack, whose content is
/// given up. What the thread has to do before comes first ([`upcalls`](super::upcalls): `kernel_return`), and the frame
/// is made one that ring 3 may have.
///
/// # Safety
/// The running thread's user registers are loaded, and its stack ends at `top`; `frame` does not lie on it; nothing
/// that lies on it is needed any more.
pub unsafe fn enter(frame: *const TrapFrame, top: VirtAddr) -> ! {
    // SAFETY: the caller's promise.
    unsafe { start(frame, top.as_usize() - size_of::<TrapFrame>()) }
}

/// Copies the frame to where a way in from ring 3 would have put it, and goes the way back.
#[unsafe(naked)]
unsafe extern "C" fn start(frame: *const TrapFrame, at: usize) -> ! {
    naked_asm!(
        "cli",
        "mov rsp, rsi",
        "xchg rsi, rdi",
        "mov ecx, {words}",
        "rep movsq",
        "push 0",
        "push 0",
        "mov rbp, rsp",
        "jmp return_to_user",
        words = const size_of::<TrapFrame>() / 8,
    )
}
