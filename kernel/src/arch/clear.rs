//! Clearing a page, the way that this machine does it best.
//!
//! Hardware with fast string stores (ERMS) clears a page by one `rep stosb`; other hardware by `rep stosq`. QEMU's
//! software CPU does either byte by byte or word by word in a helper of its own, and is many times faster with plain
//! stores.

use core::arch::asm;
use core::arch::x86_64::__cpuid_count;

use mm::{PAGE_SIZE, VirtAddr};
use spin::Once;

/// How pages are cleared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    /// `rep stosb`.
    Bytes,
    /// `rep stosq`.
    Words,
    /// Stores, so many at a time that the loop itself costs little.
    Stores,
}

static METHOD: Once<Method> = Once::new();

/// Fills the page at `at` with zeros. The caller owns it.
#[inline]
pub fn page(at: VirtAddr) {
    match METHOD.call_once(choose) {
        Method::Bytes => {
            // SAFETY: the caller owns the page; the direction flag is clear in kernel code.
            unsafe { asm!("rep stosb", inout("rcx") PAGE_SIZE => _, inout("rdi") at.as_usize() => _, in("al") 0u8) };
        }
        Method::Words => {
            // SAFETY: as above.
            unsafe {
                asm!("rep stosq", inout("rcx") PAGE_SIZE / 8 => _, inout("rdi") at.as_usize() => _, in("rax") 0u64)
            };
        }
        Method::Stores => by_stores(at),
    }
}

fn by_stores(at: VirtAddr) {
    // SAFETY: the caller owns the page; these words are its 4096 bytes.
    let page = unsafe { &mut *at.as_mut_ptr::<[[u64; 64]; PAGE_SIZE / 512]>() };
    for line in page {
        // Volatile, or the compiler makes a call of memset of it.
        for word in line {
            // SAFETY: a word of the page.
            unsafe { core::ptr::from_mut(word).write_volatile(0) };
        }
    }
}

fn choose() -> Method {
    const HYPERVISOR_LEAF: u32 = 0x4000_0000;
    const FEATURES_LEAF: u32 = 7;
    const ERMS: u32 = 1 << 9;
    // "TCGTCGTCGTCG" in the three registers, four letters each.
    const TCG: [u32; 3] = [u32::from_le_bytes(*b"TCGT"), u32::from_le_bytes(*b"CGTC"), u32::from_le_bytes(*b"GTCG")];
    let vendor = __cpuid_count(HYPERVISOR_LEAF, 0);
    if [vendor.ebx, vendor.ecx, vendor.edx] == TCG {
        return Method::Stores;
    }
    let highest = __cpuid_count(0, 0).eax;
    if highest >= FEATURES_LEAF && __cpuid_count(FEATURES_LEAF, 0).ebx & ERMS != 0 {
        Method::Bytes
    } else {
        Method::Words
    }
}
