//! Frames that the caller names: all of a range, or none.
//! (Linux has calls of these names.)

use super::PageAllocator;
use crate::addr::{Pfn, PfnRange};
use crate::error::{FreeError, RangeError};
use crate::gfp::{GfpFlags, ZoneKind};
use crate::order::Order;
use crate::page::{BlockKey, PageState, SECTION_FRAMES};
use crate::platform::{Lock, Platform};
use crate::report::Call;
use crate::tag::Tag;

/// How often a caller that may sleep waits for a CPU to give back what it caches.
const RETRIES: usize = 4;

impl<P: Platform> PageAllocator<P> {
    /// Allocates the frames of `range`, each as a page of its own, if all of them are free. What caches keep is given
    /// back first if one is not.
    pub(crate) fn alloc_contig_range(
        &'static self,
        range: PfnRange,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<(), RangeError> {
        self.check_managed(range).inspect_err(|error| {
            self.refuse(call, error.reason());
        })?;
        self.check_context(gfp, call).map_err(|_| RangeError::WrongContext)?;
        if !self.platform.admits(Order::ZERO) {
            return Err(RangeError::NoMemory);
        }
        let mut patience = if gfp.may_sleep() { RETRIES } else { 0 };
        let mut taken = self.take_range(range, gfp);
        if matches!(taken, Err(RangeError::InTheWay(_))) {
            self.give_back_caches(gfp);
            taken = self.take_range(range, gfp);
        }
        while let Err(RangeError::InTheWay(frame)) = taken
            && patience > 0
            && self.is_cached(frame)
        {
            // A busy CPU has it, and was asked to give it back.
            patience -= 1;
            self.platform.wait_for_memory(&mut || false);
            self.give_back_caches(gfp);
            taken = self.take_range(range, gfp);
        }
        taken?;
        self.hand_out_range(range)?;
        if self.are_owners_remembered() {
            frames(range).for_each(|frame| self.note_owner(frame, call.at()));
        }
        Ok(())
    }

    /// Frees the frames of `range`, each a page of its own without a tag: all of them, or none if one is not.
    pub(crate) fn free_contig_range(&self, range: PfnRange, call: Call) -> Result<(), FreeError> {
        let is_page = |&frame: &Pfn| {
            let page = self.map().get(frame);
            page.is_some_and(|page| page.state() == PageState::Allocated(Order::ZERO) && page.tag() == Tag::None)
        };
        if let Some(wrong) = frames(range).find(|frame| !is_page(frame)) {
            return Err(self.bad_frame(call, wrong, self.map().explain(wrong)));
        }
        frames(range).try_for_each(|frame| self.free_one(frame).map_err(|error| self.bad_frame(call, frame, error)))
    }

    /// Frees a page to its zone, where it merges with its neighbours.
    fn free_one(&self, frame: Pfn) -> Result<(), FreeError> {
        let page = self.map().get(frame).ok_or(FreeError::Wild)?;
        self.free_to_zone(frame, page, Order::ZERO, Tag::None)
    }

    /// Refuses a range without frames, and one with a frame that belongs to no zone.
    fn check_managed(&self, range: PfnRange) -> Result<(), RangeError> {
        if range.frames() == 0 {
            return Err(RangeError::Empty);
        }
        let first = self.released.with(|released| {
            let held = |at: Pfn| released.ranges().iter().find(|held| held.contains(at));
            let mut at = range.start;
            while let Some(held) = held(at).filter(|_| at < range.end) {
                at = held.end;
            }
            at
        });
        if first < range.end { Err(RangeError::NotManaged(first)) } else { Ok(()) }
    }

    /// Whether a frame is free, but not in its zone.
    fn is_cached(&self, frame: Pfn) -> bool {
        matches!(self.map().block_of(frame), Some((_, PageState::Cached(_) | PageState::Free(_))))
    }

    /// Has magazines, the pool of cleared pages and freed areas give back what they keep, and the shrinkers too if the
    /// caller may sleep.
    fn give_back_caches(&self, gfp: GfpFlags) {
        self.settle_shrinkers();
        self.drain_magazines();
        self.reclaim_all(gfp);
    }

    /// Takes the frames out of their zones: all of them, or none. No lock is held for longer than 2 MiB take.
    fn take_range(&self, range: PfnRange, gfp: GfpFlags) -> Result<(), RangeError> {
        let (priority, mut planned) = (gfp.priority(), [0; ZoneKind::COUNT]);
        for part in self.parts(range) {
            let kind = self.direct.zone_of(part.start);
            let others = &mut planned[kind as usize];
            self.with_zone(kind, |zone| zone.check_range(self.map(), part, *others, priority))?;
            *others += part.frames();
        }
        for part in self.parts(range) {
            let kind = self.direct.zone_of(part.start);
            self.with_zone(kind, |zone| zone.take_range(self.map(), part, priority)).inspect_err(|_| {
                // Others took a frame just now. What was taken before goes back.
                for frame in frames(PfnRange::new(range.start, part.start)) {
                    let kind = self.direct.zone_of(frame);
                    self.with_zone(kind, |zone| zone.free(self.map(), frame, Order::ZERO));
                }
            })?;
        }
        Ok(())
    }

    /// The parts of a range that lie in one zone and in one aligned block of 2 MiB.
    fn parts(&self, range: PfnRange) -> impl Iterator<Item = PfnRange> {
        let high = self.direct.highmem_start();
        let mut at = range.start;
        core::iter::from_fn(move || {
            let start = Some(at).filter(|&at| at < range.end)?;
            let section_end = (start.as_u32() | (SECTION_FRAMES - 1)).saturating_add(1);
            let end = range.end.min(Pfn::new(section_end));
            at = if start < high { end.min(high) } else { end };
            Some(PfnRange::new(start, at))
        })
    }

    /// Does to the taken frames what each allocation does: looks at them and clears them if that is wanted.
    fn hand_out_range(&self, range: PfnRange) -> Result<(), RangeError> {
        for frame in frames(range) {
            let key = BlockKey::new(self.direct.zone_of(frame), Order::ZERO);
            if self.hand_out(frame, key, Tag::None).is_none() {
                // It could not be cleared, and is free again.
                let others = frames(range).filter(|&other| other != frame);
                others.for_each(|other| {
                    let freed = self.free_one(other);
                    debug_assert!(freed.is_ok());
                });
                return Err(RangeError::NoMemory);
            }
        }
        Ok(())
    }
}

/// The frames of a range, lowest first.
fn frames(range: PfnRange) -> impl Iterator<Item = Pfn> {
    (range.start.as_u32()..range.end.as_u32()).map(Pfn::new)
}
