//! One walk over the zones that may serve a request, behind the magazines.

use super::PageAllocator;
use super::events::Event;
use super::zeroing::ZeroPages;
use super::zone::Granted;
use crate::addr::Pfn;
use crate::atomic::Ordering::Relaxed;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::order::Order;
use crate::page::BlockKey;
use crate::platform::Platform;
use crate::tag::Tag;

impl<P: Platform> PageAllocator<P> {
    /// From this CPU's magazines, filled if need be, or else from the zones.
    pub(crate) fn alloc_admitted(&'static self, gfp: GfpFlags, order: Order, tag: Tag) -> Option<Pfn> {
        self.alloc_one_cached(gfp, order, tag).or_else(|| self.alloc_from_zones(gfp, order, tag))
    }

    /// A block from this CPU's magazines or from a zone that has plenty. It calls no shrinker.
    pub(crate) fn alloc_at_hand(&'static self, gfp: GfpFlags, order: Order, tag: Tag) -> Option<Pfn> {
        if !self.platform.admits(order) {
            return None;
        }
        if let Some(frame) = self.alloc_one_cached(gfp, order, tag) {
            return Some(frame);
        }
        let plenty =
            |&kind: &ZoneKind| Some((self.with_zone(kind, |zone| zone.alloc_plenty(self.map(), order, tag))?, kind));
        let (frame, kind) = gfp.zones().iter().find_map(plenty)?;
        self.count(Event::Direct, 1);
        self.hand_out(frame, BlockKey::new(kind, order), tag)
    }

    /// A block from this CPU's magazines, filled if need be.
    fn alloc_one_cached(&self, gfp: GfpFlags, order: Order, tag: Tag) -> Option<Pfn> {
        let key = BlockKey::new(self.first_zone(gfp), order);
        // Of a zone that is tight, what the spare magazine holds goes to it once it is short.
        if self.tight[key.zone_index()].load(Relaxed) {
            return None;
        }
        let mut frame = [Pfn::new(0)];
        if self.alloc_cached(key, tag, frame.iter_mut()) == 0 {
            return None;
        }
        self.platform.on_alloc(frame[0], order, key.zone());
        Some(frame[0])
    }

    /// One walk over the zonelist.
    #[cold]
    fn alloc_from_zones(&'static self, gfp: GfpFlags, order: Order, tag: Tag) -> Option<Pfn> {
        let mut has_settled = false;
        for &kind in gfp.zones() {
            // Once a walk, and not for a zone that the machine does not have.
            let mut settles =
                || self.direct.frames_of(kind).frames() > 0 && !core::mem::replace(&mut has_settled, true);
            let alloc = || self.with_zone(kind, |zone| zone.alloc(self.map(), order, gfp.priority(), tag));
            let settle = || self.settle_shrinkers() + self.drain_own(self.direct.zones());
            let granted = match alloc() {
                // Lazy frames, this CPU's cached pages and the pool of cleared pages count as free too.
                Granted::Refused if settles() && settle() > 0 => alloc(),
                granted => granted,
            };
            let (Granted::Plenty(frame) | Granted::Scarce(frame) | Granted::Reserve(frame)) = granted else { continue };
            self.count(Event::Direct, 1);
            if matches!(granted, Granted::Reserve(_)) {
                self.count(Event::Reserve, 1);
            }
            if !matches!(granted, Granted::Plenty(_)) {
                self.drain_own(&[kind]);
                self.platform.wake_reclaimer();
            }
            return self.hand_out(frame, BlockKey::new(kind, order), tag);
        }
        None
    }

    /// A block that a zone has granted, looked at and cleared if that is wanted; it is freed when it cannot be cleared.
    pub(super) fn hand_out(&self, frame: Pfn, key: BlockKey, tag: Tag) -> Option<Pfn> {
        self.platform.on_alloc(frame, key.order(), key.zone());
        if self.zeroing.is_wanted_at(ZeroPages::ON_ALLOC | ZeroPages::POISON) {
            self.looked_at(frame, key.order(), tag)
        } else {
            Some(frame)
        }
    }

    /// A block that was just allocated, after a look for writes since it was freed, cleared if that is wanted. Where
    /// pages are poisoned, those that a free would have cleared are cleared here.
    #[cold]
    #[inline(never)]
    fn looked_at(&self, frame: Pfn, order: Order, tag: Tag) -> Option<Pfn> {
        if self.zeroing.is_wanted_at(ZeroPages::POISON) {
            self.inspect_block(frame, order);
        }
        if self.zeroing.is_wanted_at(ZeroPages::ON_ALLOC | ZeroPages::ON_FREE) {
            return self.cleared(frame, order, tag);
        }
        Some(frame)
    }

    /// A block that was just allocated, cleared; it is freed when it cannot be.
    #[cold]
    #[inline(never)]
    pub(super) fn cleared(&self, frame: Pfn, order: Order, tag: Tag) -> Option<Pfn> {
        if self.clear_block(frame, order).is_err() {
            let freed = self.free_block(frame, order, tag);
            debug_assert!(freed.is_ok());
            return None;
        }
        Some(frame)
    }

    /// Has the shrinkers give back what is free except for a last step; returns how many pages that were.
    pub(super) fn settle_shrinkers(&self) -> usize {
        self.ask_shrinkers(|shrinker| shrinker.settle())
    }
}
