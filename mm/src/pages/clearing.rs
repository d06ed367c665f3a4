//! Pages filled with zeros: one block, or ahead of time on an idle CPU.

use super::PageAllocator;
use super::prezeroed::Prezeroed;
use super::window::Use;
use crate::addr::{Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::error::AllocError;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::order::Order;
use crate::page::Word;
use crate::platform::{Cpus, Platform};
use crate::tag::Tag;

impl<P: Platform> PageAllocator<P> {
    /// Fills a block that only the caller uses with zeros. Any context. High memory: no lock held, and it fails before
    /// the windows exist, and for a caller without a CPU.
    pub(super) fn clear_block(&self, block: Pfn, order: Order) -> Result<(), AllocError> {
        (0..order.pages()).try_for_each(|page| self.show(block.add(page), |at| self.platform.clear_page(at)))
    }

    /// Runs `f` with the address at which a page shows meanwhile. Context as [`clear_block`](Self::clear_block).
    pub(super) fn show<R>(&self, frame: Pfn, f: impl FnOnce(VirtAddr) -> R) -> Result<R, AllocError> {
        if let Some(page) = self.direct.page_address(frame) {
            return Ok(f(page));
        }
        let window = self.windows.open(&self.platform, frame, Use::Clear)?;
        let result = f(window.addr());
        self.windows.close(&self.platform, &window);
        Ok(result)
    }

    /// Clears one page ahead for a zeroed page that was requested, up to 64; `false` when there is nothing to do. The
    /// idle thread calls it until it says no. Any context.
    pub fn clear_ahead(&self) -> bool {
        if !self.prezeroed.is_wanting() || self.tight[Prezeroed::<P>::ZONE as usize].load(Relaxed) {
            return false;
        }
        // Pinned, so that on this CPU no other thread sees the page while it is in no magazine and not in the pool.
        let _pin = self.platform.cpus().pin();
        let mut frame = [Pfn::new(0)];
        if self.alloc_cached(Prezeroed::<P>::KEY, Tag::None, frame.iter_mut()) == 0 {
            return false;
        }
        self.platform.clear_page(self.direct.virt(frame[0]));
        self.prezeroed.add(self.map(), frame[0]);
        true
    }

    /// A cleared page from the pool, with this tag, if it has one and the request tries its zone first.
    #[inline]
    pub(super) fn take_prezeroed(&self, gfp: GfpFlags, tag: Tag) -> Option<Pfn> {
        if self.first_zone(gfp) != Prezeroed::<P>::ZONE {
            return None;
        }
        self.prezeroed.note_request();
        if self.prezeroed.len() == 0 { None } else { self.take_cleared(tag) }
    }

    #[inline(never)]
    fn take_cleared(&self, tag: Tag) -> Option<Pfn> {
        if !self.platform.admits(Order::ZERO) {
            return None;
        }
        let frame = self.prezeroed.take(self.map())?;
        self.map().at(frame).set_word(Word::allocated(Prezeroed::<P>::KEY, tag));
        self.platform.on_alloc(frame, Order::ZERO, Prezeroed::<P>::ZONE);
        Some(frame)
    }

    /// Gives all cleared pages to the zone; returns how many that were. Any context.
    pub(super) fn drain_prezeroed(&self) -> usize {
        let all = self.prezeroed.take_all();
        if all.len() > 0 {
            self.with_zone(Prezeroed::<P>::ZONE, |zone| zone.free_all(self.map(), Order::ZERO, all));
        }
        all.len() as usize
    }

    /// Cleared pages of `zone`.
    pub(super) fn prezeroed_pages(&self, zone: ZoneKind) -> usize {
        if zone == Prezeroed::<P>::ZONE { self.prezeroed.len() } else { 0 }
    }
}
