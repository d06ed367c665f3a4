//! Runs of entries of level one, as the tables of a process are changed.
//!
//! Key types: [`Slots`]. An entry that a processor may change meanwhile, to note that a page was used, is exchanged:
//! what it noted is in the entry that comes back.

use core::convert::Infallible;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use super::entry::{Format, Level};
use super::swap_slot::SwapSlot;
use super::user_format::{UserEntry, UserFormat, read};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};

/// Entries that are passed over at once where all are empty.
const GROUP: usize = 8;

/// Whether all entries of a group are empty.
#[inline(always)]
fn is_empty(group: &[AtomicU64; GROUP]) -> bool {
    group.iter().fold(0, |all, slot| all | slot.load(Relaxed)) == 0
}

/// The entries of level one that lie side by side in one table, empty ones among them.
pub struct Slots<'a, F> {
    start: VirtAddr,
    slots: &'a [AtomicU64],
    format: &'a F,
}

impl<'a, F: Format> Slots<'a, F> {
    /// These entries, of which the first maps `start`.
    #[inline]
    pub(super) const fn new(start: VirtAddr, slots: &'a [AtomicU64], format: &'a F) -> Self {
        Self { start, slots, format }
    }

    /// The address that the first of them maps.
    #[inline]
    pub const fn start(&self) -> VirtAddr {
        self.start
    }

    /// How many there are.
    #[inline]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The first address behind them.
    #[inline]
    pub const fn end(&self) -> VirtAddr {
        self.start.add(self.slots.len() * PAGE_SIZE)
    }

    /// Whether all of them are empty.
    pub fn are_empty(&self) -> bool {
        let (groups, rest) = self.slots.as_chunks();
        groups.iter().all(is_empty) && rest.iter().all(|slot| slot.load(Relaxed) == 0)
    }
}

impl<F: UserFormat> Slots<'_, F> {
    /// Calls `f` with each of them that is not empty, and its place, until it breaks off.
    ///
    /// Most entries of a large area are empty: these are passed over in groups.
    #[inline(always)]
    pub fn try_each<B>(&self, mut f: impl FnMut(usize, UserEntry<F::Rights>) -> ControlFlow<B>) -> ControlFlow<B> {
        let (groups, rest) = self.slots.as_chunks();
        for (nth, group) in groups.iter().enumerate().filter(|(_, group)| !is_empty(group)) {
            self.each_of(group, nth * GROUP, &mut f)?;
        }
        self.each_of(rest, groups.len() * GROUP, &mut f)
    }

    /// The same for some of them, of which the first has the place `first`.
    #[inline(always)]
    fn each_of<B>(
        &self,
        slots: &[AtomicU64],
        first: usize,
        f: &mut impl FnMut(usize, UserEntry<F::Rights>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for (nth, slot) in slots.iter().enumerate() {
            let bits = slot.load(Relaxed);
            if bits != 0 {
                f(first + nth, read(self.format, bits))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The same to the end.
    #[inline(always)]
    pub fn each(&self, mut f: impl FnMut(usize, UserEntry<F::Rights>)) {
        let all = self.try_each(|place, entry| {
            f(place, entry);
            ControlFlow::<Infallible>::Continue(())
        });
        match all {
            ControlFlow::Continue(()) => {}
            ControlFlow::Break(never) => match never {},
        }
    }

    /// Writes what is among these to the same places of `other`, which has as many: leaves with the rights that `leaf`
    /// says, which they have here too from now on, and places in swap once `swapped` has allowed it. Ends where one of
    /// them fails.
    ///
    /// Rights only become less here: what the processor notes meanwhile of a leaf that changes is lost.
    ///
    /// # Errors
    /// Theirs.
    #[inline(always)]
    pub fn share<E>(
        &self,
        other: &Self,
        mut leaf: impl FnMut(Pfn, F::Rights) -> Result<F::Rights, E>,
        mut swapped: impl FnMut(SwapSlot) -> Result<(), E>,
    ) -> Result<(), E> {
        let ((groups, rest), (others, other_rest)) = (self.slots.as_chunks(), other.slots.as_chunks::<GROUP>());
        for (group, other) in groups.iter().zip(others).filter(|(group, _)| !is_empty(group)) {
            self.share_of(group, other, &mut leaf, &mut swapped)?;
        }
        self.share_of(rest, other_rest, &mut leaf, &mut swapped)
    }

    /// The same for some of them.
    #[inline(always)]
    fn share_of<E>(
        &self,
        slots: &[AtomicU64],
        others: &[AtomicU64],
        leaf: &mut impl FnMut(Pfn, F::Rights) -> Result<F::Rights, E>,
        swapped: &mut impl FnMut(SwapSlot) -> Result<(), E>,
    ) -> Result<(), E> {
        for (own, other) in slots.iter().zip(others) {
            let bits = own.load(Relaxed);
            if bits == 0 {
                continue;
            }
            let shared = match read(self.format, bits) {
                UserEntry::Leaf(frame, rights) => self.format.leaf(frame, Level::One, leaf(frame, rights)?),
                UserEntry::Swapped(slot) => {
                    swapped(slot)?;
                    bits
                }
                UserEntry::Empty => continue,
            };
            if shared != bits {
                own.store(shared, Release);
            }
            other.store(shared, Release);
        }
        Ok(())
    }

    /// What is at a place below [`len`](Self::len). What was written before that came there is seen.
    #[inline]
    pub fn entry(&self, place: usize) -> UserEntry<F::Rights> {
        read(self.format, self.slots[place].load(Acquire))
    }

    /// Writes a leaf, whatever stood there: TLBs may go on showing that.
    #[inline]
    pub fn set(&self, place: usize, frame: Pfn, rights: F::Rights) {
        self.slots[place].store(self.format.leaf(frame, Level::One, rights), Release);
    }

    /// Has a place name a slot of swap; returns what stood there, with all that the processor had noted. TLBs may go on
    /// showing it.
    #[inline]
    pub fn set_swapped(&self, place: usize, slot: SwapSlot) -> UserEntry<F::Rights> {
        read(self.format, self.slots[place].swap(self.format.swapped(slot), AcqRel))
    }

    /// Empties a place; returns what stood there, with all that the processor had noted. TLBs may go on showing it.
    #[inline]
    pub fn take(&self, place: usize) -> UserEntry<F::Rights> {
        read(self.format, self.slots[place].swap(0, AcqRel))
    }

    /// Gives the leaf at a place the rights that `change` makes of those it has, and loses nothing that the processor
    /// notes meanwhile; returns those that it had. `None` if there is no leaf. TLBs may go on showing them.
    #[inline]
    pub fn change(&self, place: usize, change: impl Fn(F::Rights) -> F::Rights) -> Option<F::Rights> {
        let changed = |bits| match read(self.format, bits) {
            UserEntry::Leaf(frame, rights) => Some(self.format.leaf(frame, Level::One, change(rights))),
            UserEntry::Empty | UserEntry::Swapped(_) => None,
        };
        match read(self.format, self.slots[place].fetch_update(AcqRel, Relaxed, changed).ok()?) {
            UserEntry::Leaf(_, rights) => Some(rights),
            UserEntry::Empty | UserEntry::Swapped(_) => None,
        }
    }
}
