//! What only the processor can do: its TLB, and where its tables are.

use core::arch::asm;

use mm::{MustFlush, PAGE_SIZE, Pfn, PhysAddr, Tlb, VirtAddr};

use super::{ADDRESS, X86_64};

/// Pages from which on it is cheaper to drop the whole TLB than page by page.
const FLUSH_ALL_FROM: usize = 16;

/// CR4.PGE: global pages stay in the TLB when CR3 is loaded.
const GLOBAL_PAGES: u64 = 1 << 7;

/// The TLB of a machine on which one CPU runs. Its instructions fault outside of ring 0.
pub struct OneCpuTlb;

// SAFETY: `invlpg` drops a page's translation, global or not, and all that the processor keeps of ways through tables;
// so does `drop_all`. Entries that were empty are not kept.
unsafe impl Tlb for OneCpuTlb {
    type Format = X86_64;

    const FLUSH_ANYWHERE: bool = true;

    fn flush(&self, pages: &MustFlush) {
        if pages.pages() >= FLUSH_ALL_FROM {
            return drop_all();
        }
        // By any of its addresses a large page is dropped whole.
        (0..pages.pages()).for_each(|page| drop_page(pages.start().add(page * PAGE_SIZE)));
    }

    fn flush_local(&self, pages: &MustFlush) {
        self.flush(pages);
    }
}

fn drop_page(at: VirtAddr) {
    // SAFETY: the processor forgets what it finds in the tables.
    unsafe { asm!("invlpg [{}]", in(reg) at.as_usize(), options(nostack, preserves_flags)) };
}

/// Drops global pages too.
fn drop_all() {
    let cr4: u64;
    // SAFETY: reading changes nothing.
    unsafe { asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack, preserves_flags)) };
    if cr4 & GLOBAL_PAGES == 0 {
        // SAFETY: the tables in use stay in use.
        unsafe { asm!("mov cr3, {}", in(reg) cr3(), options(nostack, preserves_flags)) };
        return;
    }
    // Clearing the bit empties the TLB; without it, global pages are as others.
    for value in [cr4 & !GLOBAL_PAGES, cr4] {
        // SAFETY: nothing but global pages is switched, and they end as they were.
        unsafe { asm!("mov cr4, {}", in(reg) value, options(nostack, preserves_flags)) };
    }
}

fn cr3() -> u64 {
    let cr3;
    // SAFETY: reading changes nothing.
    unsafe { asm!("mov {}, cr3", out(reg) cr3, options(nomem, nostack, preserves_flags)) };
    cr3
}

/// The root of the tables in use (CR3); `None` if it lies beyond 16 TiB. Faults outside of ring 0.
pub fn root() -> Option<Pfn> {
    PhysAddr::new(cr3() & ADDRESS).frame()
}
