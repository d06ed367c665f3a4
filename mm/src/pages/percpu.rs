//! The way through a CPU's magazines: what most page allocations and frees take.

use super::Memory;
use crate::addr::Pfn;
use crate::atomic::Ordering::Relaxed;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::magazine::{Class, CpuCache, CpuZoneCounts, capacity};
use crate::order::Order;
use crate::page::{BlockKey, Page, Word};
use crate::platform::{Pinned, Platform};
use crate::vm::FrameChain;

impl<P: Platform> Memory<P> {
    /// The zone that a request tries first.
    #[inline]
    pub(super) fn first_zone(&self, gfp: GfpFlags) -> ZoneKind {
        self.first_zones[gfp.zone_bits()]
    }

    /// A block from this CPU's magazines as they are. It calls nothing, so that it needs no stack.
    #[inline]
    pub(super) fn pop_cached(&self, key: BlockKey) -> Option<Pfn> {
        let pin = self.platform.pin()?;
        let cache = self.cpus.get(pin.front())?;
        self.platform.step();
        let frame = cache.slot(key).pop(&self.map, Word::allocated(key));
        self.platform.step();
        frame
    }

    /// Blocks from this CPU's magazines, traded with the zone's depot when both are empty; returns how many of `frames` it
    /// filled.
    pub(super) fn alloc_cached<'a>(&self, key: BlockKey, frames: impl Iterator<Item = &'a mut Pfn>) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        let Some(cache) = self.cpus.get(pin.front()) else { return 0 };
        let slot = cache.slot(key);
        let pop = || slot.pop(&self.map, Word::allocated(key));
        let take = |frame: &mut Pfn| {
            self.platform.step();
            *frame = pop().or_else(|| {
                slot.swap();
                self.platform.step();
                pop().or_else(|| self.refill(cache, pin.cpu(), key))
            })?;
            self.platform.step();
            Some(())
        };
        frames.map_while(take).count()
    }

    /// Trades for a full magazine, unless the zone has little left, and takes a block from that.
    #[cold]
    fn refill(&self, cache: &CpuCache, cpu: usize, key: BlockKey) -> Option<Pfn> {
        let class = Class::of(key.order())?;
        if cache.take_drain_wish() {
            self.empty_cache(cache);
        }
        if self.tight[key.zone_index()].load(Relaxed) {
            return None;
        }
        self.platform.step();
        let slot = cache.slot(key);
        slot.load(self.with_zone(key.zone(), |zone| zone.take_magazine(&self.map, class, cpu))?);
        self.platform.step();
        slot.pop(&self.map, Word::allocated(key))
    }

    /// Puts an allocated block of this order into this CPU's magazines as they are; says whether it is one and there was
    /// room. It calls nothing.
    ///
    /// The check comes after the pin: of two threads of a CPU that free one block, the second finds it parked.
    #[inline]
    pub(super) fn push_cached(&self, frame: Pfn, page: &Page, order: Order) -> bool {
        let Some(pin) = self.platform.pin() else { return false };
        let Some(cache) = self.cpus.get(pin.front()) else { return false };
        let Some(key) = self.parkable(page, order) else { return false };
        self.platform.step();
        let pushed = cache.slot(key).push((frame, page), Word::parked(key), capacity(key));
        self.platform.step();
        if pushed {
            // Nobody can have taken it before the pin is dropped.
            self.platform.on_free(frame, order, key.zone());
        }
        pushed
    }

    /// Puts an allocated block of this order into this CPU's magazines, one of which is traded in when both are full; says
    /// whether that was possible.
    pub(super) fn free_cached(&self, frame: Pfn, page: &Page, order: Order) -> bool {
        let Some(pin) = self.platform.pin() else { return false };
        let Some(cache) = self.cpus.get(pin.front()) else { return false };
        let Some(key) = self.parkable(page, order).filter(|&key| capacity(key) > 0) else { return false };
        self.put_or_trade(cache, pin.cpu(), (frame, page), key);
        true
    }

    /// The key of an allocated block with one reference, unless its zone has so little left that it must go there.
    #[inline]
    fn parkable(&self, page: &Page, order: Order) -> Option<BlockKey> {
        let key = page.word().allocated_key(order)?;
        (!self.tight[key.zone_index()].load(Relaxed)).then_some(key)
    }

    /// Puts allocated single pages into this CPU's magazines, as far as that is possible; returns how many.
    pub(super) fn free_cached_run(&self, frames: &[Pfn]) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        let Some(cache) = self.cpus.get(pin.front()) else { return 0 };
        let put = |&frame: &Pfn| {
            let page = self.map.get(frame)?;
            let key = self.parkable(page, Order::ZERO)?;
            self.put_or_trade(cache, pin.cpu(), (frame, page), key);
            Some(())
        };
        frames.iter().map_while(put).count()
    }

    /// Puts allocated single pages of a chain, which the caller owns, into this CPU's magazines, up to `most` and as far as
    /// that is possible; returns how many.
    pub(super) fn free_cached_chain(&self, chain: &mut FrameChain, most: usize) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        let Some(cache) = self.cpus.get(pin.front()) else { return 0 };
        // In registers, as long as nothing takes their address.
        let (mut rest, mut freed) = (*chain, 0);
        while freed < most {
            let mut after = rest;
            let Some(frame) = after.pop(&self.map) else { break };
            let page = self.map.at(frame);
            let Some(key) = self.parkable(page, Order::ZERO) else { break };
            self.put_or_trade(cache, pin.cpu(), (frame, page), key);
            rest = after;
            freed += 1;
        }
        *chain = rest;
        freed
    }

    /// Frees a block into a magazine, after trading a full one in if neither has room.
    #[inline]
    fn put_or_trade(&self, cache: &CpuCache, cpu: usize, block: (Pfn, &Page), key: BlockKey) {
        self.platform.step();
        self.platform.on_free(block.0, key.order(), key.zone());
        let slot = cache.slot(key);
        let push = || slot.push(block, Word::parked(key), capacity(key));
        if !push() {
            slot.swap();
            self.platform.step();
            if !push() {
                self.hand_in(cache, cpu, key);
                slot.swap();
                let pushed = push();
                debug_assert!(pushed, "an empty magazine has room");
            }
        }
    }

    /// Trades a full magazine in, so that there is room.
    #[cold]
    fn hand_in(&self, cache: &CpuCache, cpu: usize, key: BlockKey) {
        let Some(class) = Class::of(key.order()) else { return };
        self.platform.step();
        let full = cache.slot(key).take_spare();
        self.platform.step();
        self.with_zone(key.zone(), |zone| zone.put_magazine(&self.map, class, full, cpu));
        if cache.take_drain_wish() {
            self.empty_cache(cache);
        }
    }

    /// Gives all blocks of a CPU to the buddy lists; returns how many pages that were.
    fn empty_cache(&self, cache: &CpuCache) -> usize {
        let mut pages = 0;
        for kind in ZoneKind::ALL {
            for class in Class::all() {
                for magazine in cache.slot(class.key(kind)).take_all() {
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
        let cache = self.cpus.get(pin.front());
        cleared + cache.map_or(0, |cache| self.empty_cache(cache))
    }

    /// Empties the magazines of this CPU and of CPUs where nothing runs, and asks the others to empty theirs; returns how
    /// many pages that were.
    pub(super) fn drain_magazines(&self) -> usize {
        let mut pages = self.drain_own_magazines();
        for (cpu, cache) in self.cpus.iter().enumerate() {
            match self.platform.pin_idle(cpu) {
                Some(_pin) => pages += self.empty_cache(cache),
                None if has_blocks(cache) => cache.want_drain(),
                None => {}
            }
        }
        pages
    }

    /// Free pages of a zone that wait in magazines.
    pub(super) fn parked_pages(&self, zone: ZoneKind) -> usize {
        let parked: usize = self.cpus.iter().map(|cache| cache.counts(zone).pages).sum();
        parked + self.cleared_pages(zone)
    }

    /// What the magazines of `cpu` hold of a zone, and what they have done.
    pub(super) fn cpu_counts(&self, cpu: usize, zone: ZoneKind) -> CpuZoneCounts {
        self.cpus.get(cpu).map_or(CpuZoneCounts::default(), |cache| cache.counts(zone))
    }

    /// Checks that magazines hold parked blocks of their zone and order only. Needs the CPUs at rest.
    pub(super) fn validate_magazines(&self) -> Result<(), &'static str> {
        for cache in &self.cpus {
            for kind in ZoneKind::ALL {
                for class in Class::all() {
                    let key = class.key(kind);
                    cache.slot(key).validate(&self.map, Word::parked(key))?;
                }
            }
        }
        self.validate_cleared()
    }
}

fn has_blocks(cache: &CpuCache) -> bool {
    ZoneKind::ALL.into_iter().any(|kind| cache.counts(kind).pages > 0)
}
