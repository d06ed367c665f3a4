//! All areas, and what is known of each.

use core::sync::atomic::AtomicU32;

use kapi::{Kernel, SleepLock, SpinLock};
use mm::VirtAddr;
use mm::own::{AnyBox, KArc, KString};
use mm::space::SwapSlot;

use super::map::{ShareError, Sharer, SlotMap};
use super::priority::Order;
use crate::{Mapping, PageCache};

/// The most areas at a time: as many as a swap entry has numbers for.
pub const MAX_AREAS: usize = SwapSlot::AREAS;

/// Pages that are read at once when one is wanted, as a power of two.
const READ_AHEAD: u32 = 3;

/// The areas, and the pages of the page cache that have a slot in one.
pub struct Swap<K: Kernel> {
    pub(super) cache: &'static PageCache<K>,
    /// Areas come and go one at a time.
    pub(super) changes: K::Mutex<()>,
    pub(super) areas: K::SpinLock<Areas<K>>,
    /// Pages that are read at once when one is wanted, as a power of two.
    pub(super) read_ahead: AtomicU32,
}

/// What the lock protects.
pub(super) struct Areas<K: Kernel> {
    all: [Option<Area<K>>; MAX_AREAS],
    /// All places from here on are empty, and have been since boot.
    end: usize,
    /// Those that give out slots.
    pub order: Order,
    /// Their slots. Here, so that readers of the machine's memory find them.
    totals: Totals,
}

/// An area.
pub(super) struct Area<K: Kernel> {
    pub map: SlotMap<K>,
    /// Its part of the swap cache.
    pub mapping: KArc<Mapping<K>, K>,
    pub name: KArc<KString<K>, K>,
    /// Tells devices apart.
    pub device: u64,
    pub priority: i16,
    pub phase: Phase,
    /// Pages that could not be read or written.
    pub failures: u32,
    /// Keeps the device from others, until it is dropped.
    pub claim: Option<AnyBox>,
}

/// What an area is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// It gives out slots.
    On,
    /// Its pages are being brought back.
    Closing,
    /// Nothing of it is left but the way there, for whoever asked for a page a moment ago.
    Closed,
}

/// Slots, in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Slots that there are.
    pub slots: usize,
    /// Of these, slots that nobody has.
    pub free: usize,
}

impl Totals {
    const NONE: Self = Self { slots: 0, free: 0 };

    /// Whether less than half is left: then slots of pages that are in memory too are given up. (2.4's vm_swap_full)
    pub(super) fn are_scarce(self) -> bool {
        self.free * 2 < self.slots
    }
}

impl<K: Kernel> Swap<K> {
    /// No areas yet; pages will be in `cache`.
    pub fn new(cache: &'static PageCache<K>) -> Self {
        Self {
            cache,
            changes: SleepLock::new(()),
            areas: SpinLock::new(Areas {
                all: [const { None }; MAX_AREAS],
                end: 0,
                order: Order::new(),
                totals: Totals::NONE,
            }),
            read_ahead: AtomicU32::new(READ_AHEAD),
        }
    }

    /// Where the numbers of all slots and of the free ones stand, for readers of the machine's memory. They stay there
    /// as long as this value does. Any context.
    pub fn words(&self) -> [VirtAddr; 2] {
        self.areas.with(|areas| [&raw const areas.totals.slots, &raw const areas.totals.free].map(VirtAddr::from_ptr))
    }

    /// The part of the swap cache that has the pages of this area.
    pub(super) fn mapping(&self, area: u8) -> Option<KArc<Mapping<K>, K>> {
        self.areas.with(|areas| areas.get(area).map(|area| area.mapping.clone()))
    }
}

impl<K: Kernel> Areas<K> {
    /// An area by its number.
    pub fn get(&mut self, area: u8) -> Option<&mut Area<K>> {
        self.all.get_mut(usize::from(area))?.as_mut()
    }

    /// All that there are, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Area<K>)> {
        (0..).zip(&self.all[..self.end]).filter_map(|(number, area)| Some((number, area.as_ref()?)))
    }

    /// A number that no area has.
    pub fn unused(&self) -> Option<u8> {
        self.all.iter().position(Option::is_none).and_then(|number| u8::try_from(number).ok())
    }

    /// Puts an area in at an unused number, and has it give out slots.
    pub fn put(&mut self, number: u8, area: Area<K>) {
        self.order.add(number, area.priority);
        self.end = self.end.max(usize::from(number) + 1).min(MAX_AREAS);
        if let Some(place) = self.all.get_mut(usize::from(number)) {
            *place = Some(area);
        }
        self.recount();
    }

    /// Takes a closed area out that nobody is on the way to.
    pub fn take_closed(&mut self) -> Option<Area<K>> {
        let is_left = |area: &mut Area<K>| area.phase == Phase::Closed && KArc::owners(&area.mapping) == 1;
        self.all.iter_mut().find_map(|place| place.take_if(is_left))
    }

    /// Has an area give out slots again, or none any more; its claim, if it is closed.
    pub fn set_phase(&mut self, number: u8, phase: Phase) -> Option<AnyBox> {
        let area = self.get(number)?;
        let priority = area.priority;
        area.phase = phase;
        let claim = if phase == Phase::Closed { area.claim.take() } else { None };
        match phase {
            Phase::On => self.order.add(number, priority),
            Phase::Closing | Phase::Closed => self.order.remove(number),
        }
        self.recount();
        claim
    }

    /// Takes a free slot, with one share, in the area whose turn it is.
    pub fn take_slot(&mut self) -> Option<(SwapSlot, KArc<Mapping<K>, K>)> {
        let Self { all, order, totals, .. } = self;
        order.pick(|number| {
            let area = all.get_mut(usize::from(number))?.as_mut()?;
            let slot = SwapSlot::new(number, area.map.take()?)?;
            totals.free -= 1;
            Some((slot, area.mapping.clone()))
        })
    }

    /// One share more in a slot.
    pub fn share(&mut self, slot: SwapSlot, sharer: Sharer) -> Result<(), ShareError> {
        let area = self.get(slot.area()).ok_or(ShareError::Unused)?;
        area.map.share(slot.offset(), sharer)
    }

    /// One share less; how many are left.
    pub fn release(&mut self, slot: SwapSlot) -> Result<u16, ShareError> {
        self.change(slot, |area| area.map.release(slot.offset())).ok_or(ShareError::Unused)?
    }

    /// Changes the area that a slot is in, in a way that may give slots back.
    pub fn change<R>(&mut self, slot: SwapSlot, change: impl FnOnce(&mut Area<K>) -> R) -> Option<R> {
        let area = self.get(slot.area())?;
        let (good, free) = (area.map.good(), area.map.free());
        let result = change(area);
        let is_changed = (good, free) != (area.map.good(), area.map.free());
        if is_changed {
            self.recount();
        }
        Some(result)
    }

    /// How many shares a slot has.
    pub fn shares(&mut self, slot: SwapSlot) -> u16 {
        self.get(slot.area()).map_or(0, |area| area.map.shares(slot.offset()))
    }

    /// Slots of the areas that give some out.
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Counts them anew.
    fn recount(&mut self) {
        let on = self.iter().filter(|(_, area)| area.phase == Phase::On);
        self.totals = on.fold(Totals::NONE, |totals, (_, area)| Totals {
            slots: totals.slots + area.map.good(),
            free: totals.free + area.map.free(),
        });
    }
}
