//! What page tables ask: slots for pages that go out, pages for slots.

use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use kapi::{Kernel, SpinLock};
use mm::own::KArc;
use mm::space::{FaultAccess, ObjectError, SwapSlot, SwapStore};
use mm::{AllocError, Pfn};

use super::area::{Phase, Swap};
use super::map::Sharer;
use crate::{Condition, Mapping};

/// The share that the swap cache has, when nobody else has one.
const CACHE_ALONE: u16 = 1;

/// The swap cache's reference to a page.
const CACHE: u32 = 1;

impl<K: Kernel> SwapStore for Swap<K> {
    fn bring(&self, slot: SwapSlot) -> Result<Pfn, ObjectError> {
        let mapping = self.mapping(slot.area()).ok_or(ObjectError::Io)?;
        let index = u64::from(slot.offset());
        if mapping.find(index).is_none() {
            mapping.read_ahead(self.around(index));
        }
        mapping.page(index, FaultAccess::Read)
    }

    fn duplicate(&self, slot: SwapSlot) -> Result<(), AllocError> {
        self.areas.with(|areas| areas.share(slot, Sharer::Mapping)).map_err(|_| AllocError)
    }

    /// A page that only the cache is left with goes at once; where slots are scarce, it leaves the cache even if a page
    /// table shows it.
    fn release(&self, slot: SwapSlot) {
        let left_alone = self.areas.with(|areas| {
            if areas.release(slot) != Ok(CACHE_ALONE) {
                return None;
            }
            let most = if areas.totals().are_scarce() { CACHE + 1 } else { CACHE };
            areas.get(slot.area()).map(|area| (area.mapping.clone(), most))
        });
        if let Some((mapping, most)) = left_alone {
            mapping.remove_at(slot.offset().into(), most, &mut |_| self.is_unwanted(slot));
        }
    }

    fn assign(&self, frame: Pfn) -> Option<SwapSlot> {
        match self.cache.place_of(frame) {
            Some(place) => self.share_cached(frame, place),
            None => self.assign_new(frame),
        }
    }

    fn forget(&self, frame: Pfn) -> bool {
        let Some((slot, mapping)) = self.cache.place_of(frame).and_then(|place| self.slot_at(place)) else {
            return false;
        };
        mapping.remove(frame, CACHE + 1, &mut |index| index == slot.offset().into() && self.is_unwanted(slot))
    }

    fn note_dirty(&self, frame: Pfn) {
        self.cache.note_dirty(frame);
    }

    fn free_pages(&self) -> usize {
        self.totals().free
    }
}

/// Where a page of the page cache is kept: the number of its mapping, and its index.
type Place = (u32, u64);

impl<K: Kernel> Swap<K> {
    /// One share more for a mapping of a page that is in the swap cache.
    fn share_cached(&self, frame: Pfn, place: Place) -> Option<SwapSlot> {
        let (slot, _) = self.slot_at(place)?;
        self.areas.with(|areas| {
            areas.get(slot.area()).filter(|area| area.phase == Phase::On)?;
            areas.share(slot, Sharer::Mapping).ok()
        })?;
        // The page may have left its slot before that; somebody else's then has it.
        if self.cache.place_of(frame) == Some(place) {
            return Some(slot);
        }
        self.release(slot);
        None
    }

    /// A slot for a page that has none, with a share for the mapping.
    fn assign_new(&self, frame: Pfn) -> Option<SwapSlot> {
        let (slot, mapping) = self.areas.with(|areas| areas.take_slot())?;
        if mapping.insert(slot.offset().into(), frame, Condition::Dirty).is_ok() {
            return Some(slot);
        }
        self.release(slot);
        None
    }

    /// The slot of a page of the cache, with the part of the cache that it is in.
    fn slot_at(&self, (mapping, index): Place) -> Option<(SwapSlot, KArc<Mapping<K>, K>)> {
        let offset = u32::try_from(index).ok()?;
        self.areas.with(|areas| {
            let (number, area) = areas.iter().find(|(_, area)| area.mapping.number() == mapping)?;
            Some((SwapSlot::new(number, offset)?, area.mapping.clone()))
        })
    }

    /// Whether nobody but the swap cache has a share in a slot.
    pub(super) fn is_unwanted(&self, slot: SwapSlot) -> bool {
        self.areas.with(|areas| areas.shares(slot)) == CACHE_ALONE
    }

    /// The slots that are read along with this one.
    fn around(&self, index: u64) -> Range<u64> {
        let pages = 1 << self.read_ahead.load(Relaxed);
        let start = index & !(pages - 1);
        start.max(1)..start + pages
    }
}
