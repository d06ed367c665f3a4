//! The use of a CPU's magazines, where most page allocations and frees end.

use super::PageAllocator;
use super::pageset::{PageSets, cached_orders, key_capacity};
use crate::addr::Pfn;
use crate::atomic::Ordering::Relaxed;
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::{BlockChain, BlockKey, Page, Word};
use crate::percpu::drain;
use crate::platform::{Pinned, Platform};
use crate::tag::Tag;

/// Single pages that a bulk call takes from the magazines, or gives to them, in one go.
pub(super) const BULK_RUN: usize = 64;

impl<P: Platform> PageAllocator<P> {
    /// A block from this CPU's loaded magazine. It calls no function, so that it needs no stack.
    #[inline]
    pub(super) fn pop_cached(&self, key: BlockKey, tag: Tag) -> Option<Pfn> {
        let pin = self.platform.pin()?;
        let sets = self.cpus.get(pin.cache_index())?;
        self.platform.step();
        let frame = sets.set_of(key).pop(self.map(), Word::allocated(key, tag));
        self.platform.step();
        frame
    }

    /// Blocks from this CPU's magazines, traded with the zone's depot when both are empty; returns how many of `frames`
    /// it filled.
    pub(super) fn alloc_cached<'a>(&self, key: BlockKey, tag: Tag, frames: impl Iterator<Item = &'a mut Pfn>) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        let Some(sets) = self.cpus.get(pin.cache_index()) else { return 0 };
        let (set, word) = (sets.set_of(key), Word::allocated(key, tag));
        let pop = || set.pop(self.map(), word);
        let take = |frame: &mut Pfn| {
            self.platform.step();
            *frame = pop().or_else(|| {
                set.swap();
                self.platform.step();
                pop().or_else(|| self.refill(sets, pin.cpu(), key, word))
            })?;
            self.platform.step();
            Some(())
        };
        frames.map_while(take).count()
    }

    /// Trades for a full magazine, unless the zone has little left, and takes a block from that.
    #[cold]
    fn refill(&self, sets: &PageSets, cpu: usize, key: BlockKey, word: Word) -> Option<Pfn> {
        if key_capacity(key) == 0 {
            return None;
        }
        self.answer(sets, cpu);
        if self.tight[key.zone_index()].load(Relaxed) {
            return None;
        }
        self.platform.step();
        let set = sets.set_of(key);
        set.load(self.with_zone(key.zone(), |zone| zone.take_magazine(self.map(), key.order(), cpu))?);
        self.platform.step();
        set.pop(self.map(), word)
    }

    /// Puts an untagged allocated block of this order into this CPU's loaded magazine; says whether it is one and there
    /// was room. It calls no function.
    ///
    /// The check comes after the pin: of two threads of a CPU that free one block, the second finds it cached.
    #[inline]
    pub(super) fn push_cached(&self, frame: Pfn, page: &Page, order: Order) -> bool {
        let Some(pin) = self.platform.pin() else { return false };
        let Some(sets) = self.cpus.get(pin.cache_index()) else { return false };
        let Some(key) = self.cacheable(page.word().allocated_key(order)) else { return false };
        self.platform.step();
        let pushed = sets.set_of(key).push(self.map(), frame, Word::cached(key), key_capacity(key));
        self.platform.step();
        if pushed {
            // The block stays in the magazine until the pin is dropped.
            self.platform.on_free(frame, order, key.zone());
        }
        pushed
    }

    /// Puts an untagged allocated block of this order into this CPU's magazines, one of which is traded in when both
    /// are full; says whether that was possible.
    pub(super) fn free_cached(&self, frame: Pfn, page: &Page, order: Order) -> bool {
        let Some(pin) = self.platform.pin() else { return false };
        let Some(sets) = self.cpus.get(pin.cache_index()) else { return false };
        let key = self.cacheable(page.word().allocated_key(order)).filter(|&key| key_capacity(key) > 0);
        let Some(key) = key else {
            // A CPU that only frees, while memory is tight, comes by nowhere else.
            self.answer(sets, pin.cpu());
            return false;
        };
        self.put_or_trade(sets, pin.cpu(), frame, key);
        true
    }

    /// The key of an allocated block, unless its zone has so little left that the block must go there.
    #[inline]
    fn cacheable(&self, key: Option<BlockKey>) -> Option<BlockKey> {
        key.filter(|key| !self.tight[key.zone_index()].load(Relaxed))
    }

    /// Puts untagged allocated single pages into this CPU's magazines, up to the first that cannot be; returns how
    /// many.
    pub(super) fn free_cached_run(&self, frames: &[Pfn]) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        let Some(sets) = self.cpus.get(pin.cache_index()) else { return 0 };
        let put = |&frame: &Pfn| {
            let key = self.cacheable(self.map().get(frame)?.word().allocated_key(Order::ZERO))?;
            self.put_or_trade(sets, pin.cpu(), frame, key);
            Some(())
        };
        frames.iter().map_while(put).count()
    }

    /// Puts allocated single pages of a chain, which the caller owns whatever their tags, into this CPU's magazines, up
    /// to `most` or the first that cannot be; returns how many.
    pub(super) fn free_cached_chain(&self, chain: &mut BlockChain, most: usize) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        let Some(sets) = self.cpus.get(pin.cache_index()) else { return 0 };
        // Local, so that they stay in registers.
        let (mut rest, mut freed) = (*chain, 0);
        while freed < most {
            let mut after = rest;
            let Some(frame) = after.pop(self.map()) else { break };
            let Some(key) = self.cacheable(self.map().at(frame).word().owned_key(Order::ZERO)) else { break };
            self.put_or_trade(sets, pin.cpu(), frame, key);
            rest = after;
            freed += 1;
        }
        *chain = rest;
        freed
    }

    /// Frees a block into a magazine, after a full one was traded in if neither has room.
    #[inline]
    fn put_or_trade(&self, sets: &PageSets, cpu: usize, frame: Pfn, key: BlockKey) {
        self.platform.step();
        self.platform.on_free(frame, key.order(), key.zone());
        let set = sets.set_of(key);
        let push = || set.push(self.map(), frame, Word::cached(key), key_capacity(key));
        if !push() {
            set.swap();
            self.platform.step();
            if !push() {
                self.hand_in(sets, cpu, key);
                set.swap();
                let pushed = push();
                debug_assert!(pushed, "an empty magazine has room");
            }
        }
    }

    /// Trades a full magazine in, so that there is room.
    #[cold]
    fn hand_in(&self, sets: &PageSets, cpu: usize, key: BlockKey) {
        self.platform.step();
        let full = sets.set_of(key).take_spare();
        self.platform.step();
        self.with_zone(key.zone(), |zone| zone.put_magazine(self.map(), key.order(), full, cpu));
        self.answer(sets, cpu);
    }

    /// Empties a CPU's magazines if it was asked to.
    fn answer(&self, sets: &PageSets, cpu: usize) {
        if self.drain_requests.take(cpu) {
            self.empty_sets(sets);
        }
    }

    /// Empties a CPU's magazines into the buddy lists; returns how many pages that were.
    fn empty_sets(&self, sets: &PageSets) -> usize {
        let mut pages = 0;
        for kind in ZoneKind::ALL {
            for order in cached_orders() {
                for magazine in sets.set_of(BlockKey::new(kind, order)).take_all() {
                    pages += (magazine.len() as usize) << order.log2();
                    if magazine.len() > 0 {
                        self.with_zone(kind, |zone| zone.free_all(self.map(), order, magazine));
                    }
                }
            }
        }
        pages
    }

    /// Empties this CPU's magazines into the buddy lists; returns how many pages that were. Any context.
    pub(super) fn drain_this_cpu(&self) -> usize {
        let Some(pin) = self.platform.pin() else { return 0 };
        self.cpus.get(pin.cache_index()).map_or(0, |sets| self.empty_sets(sets))
    }

    /// Empties the magazines of this CPU and of CPUs where nothing runs, and asks the others to empty theirs; returns
    /// how many pages that were.
    pub(super) fn drain_all_cpus(&self) -> usize {
        let mut pages = 0;
        let holds = |cpu: usize| ZoneKind::ALL.into_iter().any(|kind| self.cpus[cpu].counts(kind).pages > 0);
        drain(&self.platform, &self.drain_requests, holds, |cpu| pages += self.empty_sets(&self.cpus[cpu]));
        pages
    }

    /// Checks that magazines hold cached blocks of their zone and order only. No call may run.
    pub(super) fn validate_magazines(&self) -> Result<(), &'static str> {
        for sets in &self.cpus {
            for kind in ZoneKind::ALL {
                for order in cached_orders() {
                    let key = BlockKey::new(kind, order);
                    sets.set_of(key).validate(self.map(), Word::cached(key))?;
                }
            }
        }
        Ok(())
    }
}
