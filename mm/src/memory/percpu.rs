//! The way through a CPU's magazines: what most page allocations and frees take.

use core::sync::atomic::Ordering::Relaxed;

use super::Memory;
use crate::addr::Pfn;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::magazine::{Class, CpuCache, Entered, Slot};
use crate::order::Order;
use crate::page::{PageState, Word};
use crate::platform::{Pinned, Platform};

impl<P: Platform> Memory<P> {
    /// The zone that a request tries first.
    #[inline]
    pub(super) fn first_zone(&self, gfp: GfpFlags) -> ZoneKind {
        if gfp.contains(GfpFlags::DMA) {
            ZoneKind::Dma
        } else if gfp.contains(GfpFlags::HIGHMEM) && self.config.highmem_start.as_u32() < self.map.frames() {
            ZoneKind::HighMem
        } else {
            ZoneKind::Normal
        }
    }

    /// A block from this CPU's magazines, traded with the zone's depot when both are empty.
    #[inline(always)]
    pub(super) fn alloc_cached(&self, zone: ZoneKind, order: Order) -> Option<Pfn> {
        let class = Class::of(order)?;
        let pin = self.platform.pin()?;
        let cache = self.cpus.get(pin.cpu())?.enter()?;
        let slot = cache.slot(zone, class);
        let frame = match slot.pop(&self.map) {
            Some(frame) => frame,
            None => self.refill(&cache, slot, zone, class)?,
        };
        self.map.at(frame).set_word(Word::new(PageState::Allocated(order), zone));
        Some(frame)
    }

    /// Trades for a full magazine, unless the zone has little left.
    #[cold]
    #[inline(never)]
    fn refill(&self, cache: &Entered<'_>, slot: &Slot, zone: ZoneKind, class: Class) -> Option<Pfn> {
        if cache.take_drain_wish() {
            self.empty_cache(cache);
        }
        if self.tight[zone as usize].load(Relaxed) {
            return None;
        }
        slot.load(self.with_zone(zone, |zone| zone.take_magazine(&self.map, class))?);
        slot.pop(&self.map)
    }

    /// Puts an allocated block into this CPU's magazines; says whether that was possible.
    #[inline(always)]
    pub(super) fn free_cached(&self, frame: Pfn, order: Order, zone: ZoneKind) -> bool {
        if self.tight[zone as usize].load(Relaxed) {
            return false;
        }
        let Some(class) = Class::of(order) else { return false };
        let Some(pin) = self.platform.pin() else { return false };
        let Some(cache) = self.cpus.get(pin.cpu()).and_then(CpuCache::enter) else { return false };
        self.platform.on_free(frame, order, zone);
        self.map.at(frame).set_word(Word::new(PageState::Parked(order), zone));
        let slot = cache.slot(zone, class);
        if !slot.push(&self.map, frame, class) {
            self.hand_in(&cache, slot, zone, class);
            slot.push(&self.map, frame, class);
        }
        true
    }

    /// Trades a full magazine in, so that there is room.
    #[cold]
    #[inline(never)]
    fn hand_in(&self, cache: &Entered<'_>, slot: &Slot, zone: ZoneKind, class: Class) {
        let full = slot.take_spare();
        self.with_zone(zone, |zone| zone.put_magazine(&self.map, class, full));
        if cache.take_drain_wish() {
            self.empty_cache(cache);
        }
    }

    /// Gives all blocks of a CPU to the buddy lists; returns how many pages that were.
    fn empty_cache(&self, cache: &Entered<'_>) -> usize {
        let mut pages = 0;
        for kind in ZoneKind::ALL {
            for class in Class::all() {
                for magazine in cache.slot(kind, class).take_all() {
                    pages += (magazine.len() as usize) << class.order().log2();
                    if magazine.len() > 0 {
                        self.with_zone(kind, |zone| zone.empty(&self.map, class, magazine));
                    }
                }
            }
        }
        pages
    }

    /// Empties this CPU's magazines into the buddy lists; returns how many pages that were. Any context.
    pub(super) fn drain_own_magazines(&self) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        let cache = self.cpus.get(pin.cpu()).and_then(CpuCache::enter);
        cache.map_or(0, |cache| self.empty_cache(&cache))
    }

    /// Empties the magazines of this CPU and of CPUs where nothing runs, and asks the others to empty theirs.
    pub(super) fn drain_magazines(&self) {
        self.drain_own_magazines();
        for (cpu, cache) in self.cpus.iter().enumerate() {
            let pin = self.platform.pin_idle(cpu);
            match pin.as_ref().and_then(|_| cache.enter()) {
                Some(cache) => {
                    self.empty_cache(&cache);
                }
                None if has_blocks(cache) => cache.want_drain(),
                None => {}
            }
        }
    }

    /// Free pages of a zone that wait in magazines.
    pub(super) fn parked_pages(&self, zone: ZoneKind) -> usize {
        let of_class = |cache: &CpuCache, class: Class| cache.slot(zone, class).blocks() << class.order().log2();
        self.cpus.iter().map(|cache| Class::all().map(|class| of_class(cache, class)).sum::<usize>()).sum()
    }

    /// Blocks of a zone that the magazines have handed out and taken back.
    pub(super) fn cached_counts(&self, zone: ZoneKind) -> (u64, u64) {
        let slots = self.cpus.iter().flat_map(|cache| Class::all().map(|class| cache.slot(zone, class).counts()));
        slots.fold((0, 0), |sum, slot| (sum.0 + slot.0, sum.1 + slot.1))
    }

    /// Checks that magazines hold parked blocks of their zone and order only. Needs the CPUs at rest.
    pub(super) fn validate_magazines(&self) -> Result<(), &'static str> {
        for cache in &self.cpus {
            for kind in ZoneKind::ALL {
                for class in Class::all() {
                    let parked = Word::new(PageState::Parked(class.order()), kind);
                    cache.slot(kind, class).validate(&self.map, parked)?;
                }
            }
        }
        Ok(())
    }
}

fn has_blocks(cache: &CpuCache) -> bool {
    ZoneKind::ALL.into_iter().any(|kind| Class::all().any(|class| cache.slot(kind, class).blocks() > 0))
}
