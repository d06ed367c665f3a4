//! The way through a CPU's magazines: what most page allocations and frees take.

use core::sync::atomic::Ordering::Relaxed;

use super::Memory;
use crate::addr::Pfn;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::magazine::{Class, CpuCache, Entered};
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

    /// A block from this CPU's magazines as they are. It calls nothing, so that it needs no stack.
    #[inline]
    pub(super) fn pop_cached(&self, zone: ZoneKind, order: Order) -> Option<Pfn> {
        let class = Class::of(order)?;
        let pin = self.platform.pin()?;
        let cache = self.cpus.get(pin.cpu())?.enter()?;
        self.platform.step();
        let frame = cache.slot(zone, class).pop(&self.map)?;
        self.platform.step();
        self.map.at(frame).set_word(Word::new(PageState::Allocated(order), zone));
        Some(frame)
    }

    /// A block from this CPU's magazines, traded with the zone's depot when both are empty.
    pub(super) fn alloc_cached(&self, zone: ZoneKind, order: Order) -> Option<Pfn> {
        let class = Class::of(order)?;
        let pin = self.platform.pin()?;
        let cache = self.cpus.get(pin.cpu())?.enter()?;
        self.platform.step();
        let frame = match cache.slot(zone, class).pop(&self.map) {
            Some(frame) => frame,
            None => self.refill(&cache, pin.cpu(), zone, class)?,
        };
        self.platform.step();
        self.map.at(frame).set_word(Word::new(PageState::Allocated(order), zone));
        Some(frame)
    }

    /// Trades for a full magazine, unless the zone has little left.
    #[cold]
    fn refill(&self, cache: &Entered<'_>, cpu: usize, zone: ZoneKind, class: Class) -> Option<Pfn> {
        if cache.take_drain_wish() {
            self.empty_cache(cache);
        }
        if self.tight[zone as usize].load(Relaxed) {
            return None;
        }
        self.platform.step();
        let slot = cache.slot(zone, class);
        slot.load(self.with_zone(zone, |zone| zone.take_magazine(&self.map, class, cpu))?);
        self.platform.step();
        slot.pop(&self.map)
    }

    /// Puts an allocated block into this CPU's magazines as they are; says whether one had room. It calls nothing.
    #[inline]
    pub(super) fn push_cached(&self, frame: Pfn, order: Order, zone: ZoneKind) -> bool {
        if self.tight[zone as usize].load(Relaxed) {
            return false;
        }
        let Some(class) = Class::of(order) else { return false };
        let Some(pin) = self.platform.pin() else { return false };
        let Some(cache) = self.cpus.get(pin.cpu()).and_then(CpuCache::enter) else { return false };
        self.platform.step();
        cache.slot(zone, class).push(&self.map, frame, class) && {
            self.platform.step();
            // Nobody can take the block out before the cache is left.
            self.platform.on_free(frame, order, zone);
            self.map.at(frame).set_word(Word::new(PageState::Parked(order), zone));
            true
        }
    }

    /// Puts an allocated block into this CPU's magazines, one of which is traded in when both are full; says whether that
    /// was possible.
    pub(super) fn free_cached(&self, frame: Pfn, order: Order, zone: ZoneKind) -> bool {
        if self.tight[zone as usize].load(Relaxed) {
            return false;
        }
        let Some(class) = Class::of(order) else { return false };
        let Some(pin) = self.platform.pin() else { return false };
        let Some(cache) = self.cpus.get(pin.cpu()).and_then(CpuCache::enter) else { return false };
        self.platform.on_free(frame, order, zone);
        self.platform.step();
        self.map.at(frame).set_word(Word::new(PageState::Parked(order), zone));
        self.platform.step();
        let slot = cache.slot(zone, class);
        if !slot.push(&self.map, frame, class) {
            self.hand_in(&cache, pin.cpu(), zone, class);
            slot.push(&self.map, frame, class);
        }
        true
    }

    /// Trades a full magazine in, so that there is room.
    #[cold]
    fn hand_in(&self, cache: &Entered<'_>, cpu: usize, zone: ZoneKind, class: Class) {
        self.platform.step();
        let full = cache.slot(zone, class).take_spare();
        self.platform.step();
        self.with_zone(zone, |zone| zone.put_magazine(&self.map, class, full, cpu));
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

    /// Empties this CPU's magazines and the pool of cleared pages into the buddy lists; returns how many pages that were.
    /// Any context.
    pub(super) fn drain_own_magazines(&self) -> usize {
        let cleared = self.drain_cleared();
        let Some(pin) = self.platform.pin() else { return cleared };
        let cache = self.cpus.get(pin.cpu()).and_then(CpuCache::enter);
        cleared + cache.map_or(0, |cache| self.empty_cache(&cache))
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
        let parked: usize =
            self.cpus.iter().map(|cache| Class::all().map(|class| of_class(cache, class)).sum::<usize>()).sum();
        parked + self.cleared_pages(zone)
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
        self.validate_cleared()
    }
}

fn has_blocks(cache: &CpuCache) -> bool {
    ZoneKind::ALL.into_iter().any(|kind| Class::all().any(|class| cache.slot(kind, class).blocks() > 0))
}
