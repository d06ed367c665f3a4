//! Writes to free pages are found: `page_poison=1`.
//!
//! A page is filled with a pattern when it is freed and looked at when it is allocated again. As with `zeroing.rs`,
//! magazines and depots stay empty meanwhile, and no page is cleared ahead: every free page is in the buddy lists.

use super::PageAllocator;
use super::zeroing::ZeroPages;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::AllocError;
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::BlockChain;
use crate::platform::Platform;
use crate::report::{Call, Dump, Incident};

/// The bytes of a free page.
const POISON: u8 = 0xaa;

impl<P: Platform> PageAllocator<P> {
    /// From now on fills pages with a pattern when they are freed, and now those that are free, and reports what was
    /// written there meanwhile when they are allocated. Boot, after `init_caches`: it takes all free pages for a
    /// moment. (Kernel option `page_poison=1`.)
    pub fn poison_pages(&self) {
        self.set_events(ZeroPages::POISON, ZeroPages::POISON);
        self.poison_free();
    }

    /// Poisons the pages that are free now, if that is wanted: some came to their zones as they were.
    pub(crate) fn poison_released(&self) {
        if self.zeroing.is_wanted_at(ZeroPages::POISON) {
            self.poison_free();
        }
    }

    fn poison_free(&self) {
        for kind in ZoneKind::ALL {
            let mut chains = [BlockChain::EMPTY; Order::COUNT];
            // Largest first: no block is split.
            for order in Order::all().rev() {
                let chain = &mut chains[order.log2()];
                while let Some(block) = self.with_zone(kind, |zone| zone.take_any(self.map(), order)) {
                    let shown = self.poison_block(block, order);
                    debug_assert!(shown.is_ok());
                    chain.push(self.map(), block);
                }
            }
            for order in Order::all() {
                self.with_zone(kind, |zone| zone.free_all(self.map(), order, chains[order.log2()]));
            }
        }
    }

    /// Fills a block that only the caller uses with the pattern. Context as [`clear_block`](Self::clear_block).
    pub(super) fn poison_block(&self, block: Pfn, order: Order) -> Result<(), AllocError> {
        let fill = |at: VirtAddr| {
            // SAFETY: the page shows there, and only the caller uses it.
            unsafe { at.as_mut_ptr::<u8>().write_bytes(POISON, PAGE_SIZE) };
        };
        (0..order.pages()).try_for_each(|page| self.show(block.add(page), fill))
    }

    /// Reports what was written to a block since it was freed: once a page.
    pub(super) fn inspect_block(&self, block: Pfn, order: Order) {
        for frame in (0..order.pages()).map(|page| block.add(page)) {
            if let Ok(Some((dump, span))) = self.show(frame, written) {
                self.report(Call::here(&"page_poison"), Incident::PageDamage { frame, dump, span });
            }
        }
    }
}

/// The first bytes in the page at `at` that are not the pattern, and the bytes from there to the last one.
fn written(at: VirtAddr) -> Option<(Dump, usize)> {
    // SAFETY: the page shows there, and only the caller uses it.
    let words = unsafe { core::slice::from_raw_parts(at.as_mut_ptr::<u64>().cast_const(), PAGE_SIZE / 8) };
    if words.iter().all(|&word| word == u64::from_ne_bytes([POISON; 8])) {
        return None;
    }
    // SAFETY: as above.
    let bytes = unsafe { core::slice::from_raw_parts(at.as_mut_ptr::<u8>().cast_const(), PAGE_SIZE) };
    let is_wrong = |&byte: &u8| byte != POISON;
    let (first, last) = (bytes.iter().position(is_wrong)?, bytes.iter().rposition(is_wrong)?);
    let shown = &bytes[first..PAGE_SIZE.min(first + 8)];
    let mut dump = Dump { at: first as isize, bytes: [0; 8], len: shown.len() };
    dump.bytes[..shown.len()].copy_from_slice(shown);
    Some((dump, last - first + 1))
}
