//! The CPU itself: its features, its protection bits, its counter.

use core::arch::asm;
use core::arch::x86_64::{__cpuid, _rdtsc, CpuidResult};
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags};

/// Whether the CPU keeps the kernel from user pages (SMAP) except between `stac` and `clac`, which other CPUs do not
/// know. For instructions that test it: see `entry.rs` and `user_copy.rs`.
pub(super) static SMAP: AtomicBool = AtomicBool::new(false);

/// Switches on the protection that the page tables rely on: read-only pages hold for the kernel too, NX is known, and
/// user pages can neither be run nor, where the CPU can tell, touched by accident. Ring 3 may use SSE, whose registers
/// [`fpu`](super::fpu) keeps for each thread, and nothing that the kernel does not know of.
pub fn init() {
    // SAFETY: WP only makes writes to read-only pages fault, which the kernel never relies on.
    unsafe { Cr0::update(|flags| flags.insert(Cr0Flags::WRITE_PROTECT)) };
    // SAFETY: all 64-bit CPUs that the kernel runs on know NX.
    unsafe { Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE)) };
    // SAFETY: the kernel has no floating-point instructions; ring 3's go to the CPU and their errors to vector 16.
    unsafe {
        Cr0::update(|flags| {
            flags.remove(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED);
            flags.insert(Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR);
        });
    }
    let features = extended_features();
    let has_smap = features.ebx & (1 << 20) != 0;
    SMAP.store(has_smap, Ordering::Relaxed);
    let mut wanted = Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    wanted.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, features.ebx & (1 << 7) != 0);
    wanted.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, has_smap);
    wanted.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, features.ecx & (1 << 2) != 0);
    // With OSXSAVE ring 3 could use registers that FXSAVE does not keep; with FSGSBASE it could set the base of gs to a
    // kernel address, by which the ways into the kernel tell whose it is.
    let unwanted = Cr4Flags::OSXSAVE | Cr4Flags::FSGSBASE | Cr4Flags::PERFORMANCE_MONITOR_COUNTER;
    // SAFETY: the CPU has what is switched on, and no user page exists.
    unsafe { Cr4::update(|flags| *flags = flags.difference(unwanted).union(wanted)) };
}

/// Empties the TLB, global pages included; from the first call on these stay in it over a change of address space. Call
/// when only our own page tables are in use.
pub(super) fn reset_global_pages() {
    // SAFETY: without the bit, the CPU merely treats global pages as others; clearing it empties the TLB.
    unsafe { Cr4::update(|flags| flags.remove(Cr4Flags::PAGE_GLOBAL)) };
    // SAFETY: every 64-bit CPU has global pages.
    unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::PAGE_GLOBAL)) };
}

/// CPUID leaf 7, or zeros on CPUs that do not have the leaf.
fn extended_features() -> CpuidResult {
    const LEAF: u32 = 7;
    const NONE: CpuidResult = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    if __cpuid(0).eax < LEAF { NONE } else { __cpuid(LEAF) }
}

/// What the CPU says that it can do: EDX of CPUID leaf 1, for programs.
pub fn capabilities() -> u32 {
    __cpuid(1).edx
}

/// Whether the CPU can map 1 GiB by one entry.
pub fn has_gigabyte_pages() -> bool {
    const LEAF: u32 = 0x8000_0001;
    __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & (1 << 26) != 0
}

/// A random number of the CPU's own; `None` where it has none to give.
pub fn random() -> Option<u64> {
    if __cpuid(1).ecx & (1 << 30) == 0 {
        return None;
    }
    let (number, valid): (u64, u8);
    // SAFETY: the CPU knows the instruction, which only writes registers.
    unsafe { asm!("rdrand {}", "setc {}", out(reg) number, out(reg_byte) valid, options(nomem, nostack)) };
    (valid != 0).then_some(number)
}

/// The time-stamp counter. Under icount it advances by one an instruction.
pub fn cycles() -> u64 {
    // SAFETY: the kernel leaves CR4.TSD clear, and it runs in ring 0 anyway.
    unsafe { _rdtsc() }
}
