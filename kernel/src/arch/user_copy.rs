//! The instructions of the kernel that touch memory of ring 3. No others may.
//!
//! They may fault. Where the page can be brought, the exception handler has it brought and they go on; where not, it
//! sends them on by the table `.extable` and they say how much is left undone ([`is_copy`] tells these instructions
//! from all others). With SMAP they are let through by `stac` and `clac`.
//!
//! Whole words go first. A fault among them goes on byte by byte, so that every byte up to the missing page is copied.

use core::arch::naked_asm;

use super::cpu::SMAP;

/// Copies `count` bytes and returns how many were not copied. One of the two ranges is of the kernel.
///
/// # Safety
/// The kernel's range is the caller's to read or to write; the other one lies in the user half.
#[unsafe(naked)]
pub unsafe extern "C" fn copy(to: usize, from: usize, count: usize) -> usize {
    naked_asm!(
        "mov r8b, byte ptr [rip + {smap}]",
        "test r8b, r8b",
        "jz 2f",
        "stac",
        "2:",
        "mov rcx, rdx",
        "and edx, 7",
        "shr rcx, 3",
        "user_copy_words:",
        "rep movsq",
        "3:",
        "lea rcx, [rdx + rcx*8]",
        "user_copy_bytes:",
        "rep movsb",
        "4:",
        "test r8b, r8b",
        "jz 5f",
        "clac",
        "5:",
        "mov rax, rcx",
        "ret",
        ".pushsection .extable, \"a\"",
        ".quad user_copy_words, 3b",
        ".quad user_copy_bytes, 4b",
        ".popsection",
        smap = sym SMAP,
    )
}

/// Fills `count` bytes with zeros and returns how many were not.
///
/// # Safety
/// The range lies in the user half.
#[unsafe(naked)]
pub unsafe extern "C" fn clear(at: usize, count: usize) -> usize {
    naked_asm!(
        "mov r8b, byte ptr [rip + {smap}]",
        "test r8b, r8b",
        "jz 2f",
        "stac",
        "2:",
        "xor eax, eax",
        "mov edx, esi",
        "and edx, 7",
        "mov rcx, rsi",
        "shr rcx, 3",
        "user_clear_words:",
        "rep stosq",
        "3:",
        "lea rcx, [rdx + rcx*8]",
        "user_clear_bytes:",
        "rep stosb",
        "4:",
        "test r8b, r8b",
        "jz 5f",
        "clac",
        "5:",
        "mov rax, rcx",
        "ret",
        ".pushsection .extable, \"a\"",
        ".quad user_clear_words, 3b",
        ".quad user_clear_bytes, 4b",
        ".popsection",
        smap = sym SMAP,
    )
}

unsafe extern "C" {
    static user_copy_words: u8;
    static user_copy_bytes: u8;
    static user_clear_words: u8;
    static user_clear_bytes: u8;
}

/// Whether the instruction at `rip` is one of these that touch memory of ring 3.
pub fn is_copy(rip: u64) -> bool {
    let these = [
        &raw const user_copy_words,
        &raw const user_copy_bytes,
        &raw const user_clear_words,
        &raw const user_clear_bytes,
    ];
    these.iter().any(|at| at.addr() as u64 == rip)
}
