//! The CPU itself: its features, its protection bits, its counter.

use core::arch::x86_64::{__cpuid, _rdtsc};

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags};

/// Switches on the protection that the page tables rely on: read-only pages hold for the kernel too, NX is known, and
/// user pages can neither be run nor, where the CPU can tell, touched by accident.
pub fn init() {
    // SAFETY: WP only makes writes to read-only pages fault, which the kernel never relies on.
    unsafe { Cr0::update(|flags| flags.insert(Cr0Flags::WRITE_PROTECT)) };
    // SAFETY: all 64-bit CPUs that the kernel runs on know NX.
    unsafe { Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE)) };
    let mut wanted = Cr4Flags::empty();
    wanted.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, extended_features() & (1 << 7) != 0);
    wanted.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, extended_features() & (1 << 20) != 0);
    // SAFETY: the CPU has what is switched on, and no user page exists.
    unsafe { Cr4::update(|flags| flags.insert(wanted)) };
}

/// Empties the TLB, global pages included; from the first call on these stay in it over a change of address space. Call
/// when only our own page tables are in use.
pub(super) fn reset_global_pages() {
    // SAFETY: without the bit, the CPU merely treats global pages as others; clearing it empties the TLB.
    unsafe { Cr4::update(|flags| flags.remove(Cr4Flags::PAGE_GLOBAL)) };
    // SAFETY: every 64-bit CPU has global pages.
    unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::PAGE_GLOBAL)) };
}

/// EBX of CPUID leaf 7, or 0 on CPUs that do not have the leaf.
fn extended_features() -> u32 {
    const LEAF: u32 = 7;
    if __cpuid(0).eax < LEAF { 0 } else { __cpuid(LEAF).ebx }
}

/// Whether the CPU can map 1 GiB by one entry.
pub fn has_gigabyte_pages() -> bool {
    const LEAF: u32 = 0x8000_0001;
    __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & (1 << 26) != 0
}

/// The time-stamp counter. Under icount it advances by one an instruction.
pub fn cycles() -> u64 {
    // SAFETY: the kernel leaves CR4.TSD clear, and it runs in ring 0 anyway.
    unsafe { _rdtsc() }
}
