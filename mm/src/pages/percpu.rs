//! The use of a CPU's magazines, where most page allocations and frees end.

use super::PageAllocator;
use super::pageset::{PageSets, key_capacity};
use crate::addr::Pfn;
use crate::atomic::Ordering::Relaxed;
use crate::gfp::ZoneKind;
use crate::order::Order;
use crate::page::{BlockChain, BlockKey, Page, Word};
use crate::percpu::drain;
use crate::platform::{Cpus, Pinned, Platform};
use crate::tag::Tag;

/// Single pages that a bulk call takes from the magazines, or gives to them, in one go.
pub(super) const BULK_RUN: usize = 64;

impl<P: Platform> PageAllocator<P> {
    /// A block from this CPU's loaded magazine. It calls no function, so that it needs no stack.
    #[inline]
    pub(super) fn pop_cached(&self, key: BlockKey, tag: Tag) -> Option<Pfn> {
        let pin = self.platform.cpus().pin()?;
        let sets = self.cpus.get(pin.cache_index())?;
        self.platform.step();
        let frame = sets.set_of(key).pop(self.map(), Word::allocated(key, tag));
        self.platform.step();
        frame
    }

    /// Blocks from this CPU's magazines, traded with the zone's depot when both are empty; returns how many of `frames`
    /// it filled.
    pub(super) fn alloc_cached<'a>(&self, key: BlockKey, tag: Tag, frames: impl Iterator<Item = &'a mut Pfn>) -> usize {
        let Some(pin) = self.platform.cpus().pin() else { return 0 };
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

    /// Fills this CPU's magazine, if it is empty, with some of what its zone has above `low`: after reclaim, so that
    /// the next requests need not go to the zone one by one.
    pub(super) fn stock(&self, key: BlockKey) {
        let Some(pin) = self.platform.cpus().pin() else { return };
        let Some(sets) = self.cpus.get(pin.cache_index()) else { return };
        let set = sets.set_of(key);
        if set.is_empty() && !self.zeroing.is_wanted() {
            self.platform.step();
            set.load(self.with_zone(key.zone(), |zone| zone.take_surplus(self.map(), key.order())));
            self.platform.step();
        }
    }

    /// Puts an untagged allocated block of this order into this CPU's loaded magazine; says whether it is one and there
    /// was room. It calls no function.
    ///
    /// The check comes after the pin: of two threads of a CPU that free one block, the second finds it cached.
    #[inline]
    pub(super) fn push_cached(&self, frame: Pfn, page: &Page, order: Order) -> bool {
        let Some(pin) = self.platform.cpus().pin() else { return false };
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
        let Some(pin) = self.platform.cpus().pin() else { return false };
        let Some(sets) = self.cpus.get(pin.cache_index()) else { return false };
        let Some(key) = self.cacheable(page.word().allocated_key(order)) else {
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
        let Some(pin) = self.platform.cpus().pin() else { return 0 };
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
        let Some(pin) = self.platform.cpus().pin() else { return 0 };
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
            self.empty_sets(sets, self.direct.zones());
        }
    }

    /// Empties a CPU's magazines of these zones into the buddy lists; returns how many pages that were.
    fn empty_sets(&self, sets: &PageSets, zones: &[ZoneKind]) -> usize {
        let full = zones.iter().filter(|&&zone| !sets.is_empty(zone));
        full.map(|&zone| self.empty_zone(sets, zone)).sum()
    }

    /// Empties a CPU's magazines of one zone.
    #[inline(never)]
    fn empty_zone(&self, sets: &PageSets, zone: ZoneKind) -> usize {
        let mut pages = 0;
        for order in Order::all() {
            let both = sets.set_of(BlockKey::new(zone, order)).take_all();
            for magazine in both.into_iter().filter(|magazine| magazine.len() > 0) {
                pages += (magazine.len() as usize) << order.log2();
                self.with_zone(zone, |zone| zone.free_all(self.map(), order, magazine));
            }
        }
        pages
    }

    /// Empties this CPU's magazines of these zones into the buddy lists; returns how many pages that were. Any context.
    pub(super) fn drain_this_cpu(&self, zones: &[ZoneKind]) -> usize {
        let Some(pin) = self.platform.cpus().pin() else { return 0 };
        self.cpus.get(pin.cache_index()).map_or(0, |sets| self.empty_sets(sets, zones))
    }

    /// Empties the magazines of this CPU and of CPUs where nothing runs, and asks the others to empty theirs; returns
    /// how many pages that were.
    pub(super) fn drain_all_cpus(&self) -> usize {
        let mut pages = 0;
        let zones = self.direct.zones();
        let holds = |cpu: usize| zones.iter().any(|&zone| !self.cpus[cpu].is_empty(zone));
        drain(&self.platform, &self.drain_requests, holds, |cpu| pages += self.empty_sets(&self.cpus[cpu], zones));
        pages
    }

    /// Checks that magazines hold cached blocks of their zone and order only. No call may run.
    pub(super) fn validate_magazines(&self) -> Result<(), &'static str> {
        for sets in self.cpus.iter() {
            BlockKey::all().try_for_each(|key| sets.set_of(key).validate(self.map(), Word::cached(key)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::vec;
    use std::vec::Vec;

    use super::BULK_RUN;
    use crate::addr::Pfn;
    use crate::gfp::{GfpFlags, ZoneKind};
    use crate::order::Order;
    use crate::page::{BlockChain, BlockKey, Word};
    use crate::platform::{Cpus, Platform};
    use crate::tag::Tag;
    use crate::testing::{Machine, TestKernel};

    const KEY: BlockKey = BlockKey::new(ZoneKind::Normal, Order::ZERO);

    #[test]
    fn runs_and_chains_of_single_pages_go_through_the_magazines() {
        let memory = TestKernel::boot(&Machine::with_mib(64));
        let pages = memory.pages();
        let start = pages.cpus[0].counts(ZoneKind::Normal);
        let counts = || {
            let now = pages.cpus[0].counts(ZoneKind::Normal);
            (now.allocs - start.allocs, now.frees - start.frees)
        };
        let mut frames: Vec<Pfn> = vec![Pfn::new(0); 100];
        assert_eq!(pages.alloc_cached(KEY, Tag::None, frames.iter_mut()), 100);
        assert_eq!(counts(), (100, 0));
        // One of them has an owner, who alone frees it.
        let (own, allocated) = (frames[70], pages.map().at(frames[70]).word());
        pages.map().at(own).set_word(Word::allocated(KEY, Tag::Driver));
        assert_eq!((pages.free_cached_run(&frames), counts().1), (70, 70));
        let mut chain = BlockChain::EMPTY;
        frames[70..].iter().for_each(|&frame| chain.push(pages.map(), frame));
        assert_eq!((pages.free_cached_chain(&mut chain, 20), counts().1, chain.len()), (20, 90, 10));
        assert_eq!((pages.free_cached_chain(&mut chain, BULK_RUN), counts().1, chain.len()), (10, 100, 0));
        assert_eq!(pages.free_cached_chain(&mut chain, BULK_RUN), 0);
        assert_eq!(pages.pop_cached(KEY, Tag::None), Some(own), "the last one freed");
        assert!(pages.map().at(own).word() == allocated && counts().0 == 101);
        memory.free_frames(own, Order::ZERO).expect("a right free");
        assert_eq!(memory.alloc_pages(GfpFlags::KERNEL, Order::ZERO), Ok(own));
        memory.free_frames(own, Order::ZERO).expect("a right free");
        memory.validate().expect("valid");
    }

    #[test]
    fn pages_that_are_drained_are_counted() {
        let memory = TestKernel::boot(&Machine::with_mib(64));
        let pages = memory.pages();
        let cached = || ZoneKind::ALL.map(|kind| pages.cpus[0].counts(kind).pages).into_iter().sum::<usize>();
        let drains: [&dyn Fn() -> usize; 2] = [&|| pages.drain_this_cpu(&ZoneKind::ALL), &|| pages.drain_all_cpus()];
        for drain in drains {
            for order in Order::all() {
                let blocks = [(); 3].map(|()| memory.alloc_pages(GfpFlags::KERNEL, order).expect("memory"));
                blocks.into_iter().for_each(|block| memory.free_frames(block, order).expect("a right free"));
            }
            let expected = cached();
            assert!(expected > 64 + 32 * 2 + 16 * 4 + 16 * 8, "{expected}");
            assert_eq!((drain(), cached(), drain()), (expected, 0, 0));
        }
        memory.validate().expect("valid");
    }

    #[test]
    fn a_block_of_any_order_is_freed_into_a_magazine_and_taken_from_there() {
        let memory = TestKernel::boot(&Machine::with_mib(64));
        for order in Order::all() {
            let block = memory.alloc_pages(GfpFlags::KERNEL, order).expect("memory");
            let free = memory.pages().zone_stats(ZoneKind::Normal);
            memory.free_frames(block, order).expect("a right free");
            let cached = memory.pages().zone_stats(ZoneKind::Normal);
            assert_eq!((cached.cached, cached.blocks), (free.cached + order.pages() as usize, free.blocks));
            assert_eq!(memory.alloc_pages(GfpFlags::KERNEL, order), Ok(block), "the last one freed, {order:?}");
            memory.free_frames(block, order).expect("a right free");
        }
        assert_eq!(memory.pages().events().direct, 0, "no zone was asked for a block");
        memory.validate().expect("valid");
    }

    #[test]
    fn a_cpu_that_is_asked_empties_all_its_magazines() {
        let memory = TestKernel::boot(&Machine::with_mib(64));
        let (pages, turn) = (memory.pages(), Barrier::new(2));
        let large = Order::new(3).expect("an order");
        let cached = |cpu: usize| pages.cpus[cpu].counts(ZoneKind::Normal).pages;
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                TestKernel::enter(*memory);
                assert!(pages.platform.cpus().pin().is_some(), "it has its CPU before it has a page");
                turn.wait();
                turn.wait();
                let block = memory.alloc_pages(GfpFlags::KERNEL, large).expect("memory");
                memory.free_frames(block, large).expect("a right free");
                turn.wait();
                turn.wait();
                // Past what it has: it goes to the zone, and sees what it is asked.
                [(); 200].map(|()| memory.alloc_pages(GfpFlags::KERNEL, Order::ZERO).expect("memory"))
            });
            // Nothing is asserted before the other CPU is done: it would wait for ever.
            turn.wait();
            memory.drop_caches();
            let asked_for_nothing = pages.drain_requests.is_asked(1);
            turn.wait();
            turn.wait();
            let before = cached(1);
            memory.drop_caches();
            let after = (cached(1), pages.drain_requests.is_asked(1));
            turn.wait();
            let taken = other.join().expect("the other CPU");
            assert!(!asked_for_nothing, "it had nothing");
            assert_eq!(before, 128, "a magazine of sixteen blocks");
            assert_eq!(after, (128, true), "they are that CPU's own: it is asked");
            assert!(cached(1) < 64, "{}", cached(1));
            taken.into_iter().for_each(|page| memory.free_frames(page, Order::ZERO).expect("a right free"));
        });
        memory.validate().expect("valid");
    }

    #[test]
    fn a_block_in_a_magazine_that_reads_otherwise_is_found() {
        let memory = TestKernel::boot(&Machine::with_mib(64));
        let page = memory.alloc_pages(GfpFlags::KERNEL, Order::ZERO).expect("memory");
        memory.free_frames(page, Order::ZERO).expect("a right free");
        assert_eq!(memory.validate(), Ok(()));
        let entry = memory.pages().map().at(page);
        let word = entry.word();
        entry.set_word(Word::INNER);
        assert!(memory.validate().is_err());
        entry.set_word(word);
        assert_eq!(memory.validate(), Ok(()));
    }
}
