//! What only the hart can do: its TLB, and where its tables are.

use core::arch::asm;
use core::marker::PhantomData;

use mm::mapper::Format;
use mm::{MustFlush, PAGE_SIZE, Pfn, Tlb, VirtAddr};

use super::{Devices, Sv};

/// Pages from which on it is cheaper to drop the whole TLB than page by page.
const FLUSH_ALL_FROM: usize = 16;

/// The TLB of a machine on which one hart runs, with tables of the format `F`, an [`Sv`]. Its instruction faults in
/// user mode.
pub struct OneHartTlb<F>(PhantomData<fn() -> F>);

impl<F: Format> OneHartTlb<F> {
    /// The TLB of the one hart.
    pub const NEW: Self = Self(PhantomData);
}

// SAFETY: `sfence.vma` drops what the hart keeps of an address, or of all, in every address space: leaves, tables, and
// that an entry was empty.
unsafe impl<const LEVELS: usize, D: Devices> Tlb for OneHartTlb<Sv<LEVELS, D>> {
    type Format = Sv<LEVELS, D>;

    const FLUSH_ANYWHERE: bool = true;

    fn flush(&self, pages: &MustFlush) {
        drop_pages(pages.start(), pages.pages());
    }

    fn flush_local(&self, pages: &MustFlush) {
        self.flush(pages);
    }

    fn after_map(&self, at: VirtAddr, pages: usize) {
        drop_pages(at, pages);
    }
}

fn drop_pages(start: VirtAddr, pages: usize) {
    if pages >= FLUSH_ALL_FROM {
        // SAFETY: the hart forgets what it finds in the tables.
        unsafe { asm!("sfence.vma zero, zero", options(nostack, preserves_flags)) };
        return;
    }
    for page in 0..pages {
        let at = start.add(page * PAGE_SIZE).as_usize();
        // SAFETY: as above.
        unsafe { asm!("sfence.vma {}, zero", in(reg) at, options(nostack, preserves_flags)) };
    }
}

/// The root of the tables in use (`satp`); `None` if addresses are not translated, or it lies beyond 16 TiB. Faults in
/// user mode.
pub fn root() -> Option<Pfn> {
    const MODE: u32 = 60;
    let satp: u64;
    // SAFETY: reading changes nothing.
    unsafe { asm!("csrr {}, satp", out(reg) satp, options(nomem, nostack, preserves_flags)) };
    let frame = satp & ((1 << 44) - 1);
    if satp >> MODE == 0 { None } else { u32::try_from(frame).ok().map(Pfn::new) }
}
