//! What the TLB has to forget when page tables change.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use mm::{MustFlush, PAGE_SIZE};
use x86_64::instructions::tlb;

use crate::arch::cpu;
use crate::arch::layout::Area;

/// How often translations were flushed.
static FLUSHES: AtomicU64 = AtomicU64::new(0);

/// Pages from which on it is cheaper to drop the whole TLB than page by page.
const FLUSH_ALL_FROM: usize = 16;

/// Drops what the TLB knows of the pages that `must_flush` tells of, and all that it knows of the ways to them.
///
/// Mappings made while the kernel runs are not global, so a reload of CR3 drops them all; those that the builder made
/// are. Other CPUs, once they run, must be told by an interrupt from here.
pub fn flush(must_flush: MustFlush) {
    FLUSHES.store(FLUSHES.load(Relaxed) + 1, Relaxed);
    let (start, end) = (must_flush.start().as_usize(), must_flush.end().as_usize());
    if end - start >= FLUSH_ALL_FROM * PAGE_SIZE {
        match Area::of(must_flush.start()) {
            Area::User | Area::Vmalloc | Area::Kmap | Area::Modules => tlb::flush_all(),
            _ => cpu::reset_global_pages(),
        }
        return must_flush.flushed();
    }
    // One page's address drops a large page whole. Any of these drops the ways through tables too, whatever address
    // they were used for.
    for page in (start..end).step_by(PAGE_SIZE) {
        tlb::flush(x86_64::VirtAddr::new_truncate(page as u64));
    }
    must_flush.flushed();
}

/// How often translations were flushed since boot.
pub fn flushes() -> u64 {
    FLUSHES.load(Relaxed)
}
