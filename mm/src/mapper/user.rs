//! Pages of user code: what their entries say, and tables that come and go.
//!
//! Key types: [`Protection`], [`UserFormat`], [`Slots`]. The tables of a process are changed run by run: a run is the
//! entries of level one that lie in one table ([`PageMapper::slots`]), so a walk from the root serves up to 512 pages.
//! User code has pages of the smallest size alone.
//!
//! Unlike the kernel's tables, these go with what they map ([`PageMapper::unlink_tables`]).

use core::convert::Infallible;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::Release};

use bitflags::bitflags;

use super::entry::{Entry, Format, Level};
use super::{PageMapper, Table};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::MapError;

bitflags! {
    /// What a program may do to its memory. Processors read what may be written to or executed.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Protection: u8 {
        /// It may read. (PROT_READ)
        const READ = 1;
        /// It may write. (PROT_WRITE)
        const WRITE = 2;
        /// Code may run there. (PROT_EXEC)
        const EXEC = 4;
    }
}

/// How a processor writes entries down that lead user code to its pages.
///
/// # Safety
/// As [`Format`], but that user code reaches a leaf as far as its [`protection`](Self::protection) allows, and no
/// further; tables are no obstacle to it. Where that allows nothing, nobody reaches the page, the kernel neither, and
/// the entry is a leaf all the same.
pub unsafe trait UserFormat: Format {
    /// The rights of a page of memory that user code may use so.
    fn user(protection: Protection) -> Self::Rights;

    /// What user code may do, and what it may do beside that: reading is part of the others.
    fn protection(rights: Self::Rights) -> Protection;

    /// The same rights but that to write. What the processor has noted of the page's use stays.
    fn without_write(rights: Self::Rights) -> Self::Rights;

    /// The rights of a page that user code may use so from now on. What the processor has noted stays.
    fn with_protection(rights: Self::Rights, protection: Protection) -> Self::Rights;
}

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

impl<F: Format> Slots<'_, F> {
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

    /// Calls `f` with each leaf among them, its place, frame and rights, until it breaks off.
    ///
    /// Most entries of a large area are empty: these are passed over in groups.
    #[inline(always)]
    pub fn try_each<B>(&self, mut f: impl FnMut(usize, Pfn, F::Rights) -> ControlFlow<B>) -> ControlFlow<B> {
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
        f: &mut impl FnMut(usize, Pfn, F::Rights) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for (nth, slot) in slots.iter().enumerate() {
            if let Some((frame, rights)) = self.decode(slot.load(Relaxed)) {
                f(first + nth, frame, rights)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The same to the end.
    #[inline(always)]
    pub fn each(&self, mut f: impl FnMut(usize, Pfn, F::Rights)) {
        let all = self.try_each(|place, frame, rights| {
            f(place, frame, rights);
            ControlFlow::<Infallible>::Continue(())
        });
        match all {
            ControlFlow::Continue(()) => {}
            ControlFlow::Break(never) => match never {},
        }
    }

    /// Whether there is no leaf among them.
    pub fn are_empty(&self) -> bool {
        let (groups, rest) = self.slots.as_chunks();
        groups.iter().all(is_empty) && rest.iter().all(|slot| slot.load(Relaxed) == 0)
    }

    /// A leaf; empty entries, of which there are many, are told first.
    #[inline]
    fn decode(&self, bits: u64) -> Option<(Pfn, F::Rights)> {
        if bits == 0 {
            return None;
        }
        match self.format.read(bits, Level::One) {
            Entry::Leaf(frame, rights) => Some((frame, rights)),
            Entry::Empty | Entry::Table(_) => None,
        }
    }

    /// Writes the leaves among these to the same places of `other`, which has as many, with the rights that `change`
    /// says, and has them have these rights too. Ends where `change` fails.
    ///
    /// # Errors
    /// Those of `change`.
    #[inline(always)]
    pub fn share<E>(
        &self,
        other: &Self,
        mut change: impl FnMut(Pfn, F::Rights) -> Result<F::Rights, E>,
    ) -> Result<(), E> {
        let ((groups, rest), (others, other_rest)) = (self.slots.as_chunks(), other.slots.as_chunks::<GROUP>());
        for (group, other) in groups.iter().zip(others).filter(|(group, _)| !is_empty(group)) {
            self.share_of(group, other, &mut change)?;
        }
        self.share_of(rest, other_rest, &mut change)
    }

    /// The same for some of them.
    #[inline(always)]
    fn share_of<E>(
        &self,
        slots: &[AtomicU64],
        others: &[AtomicU64],
        change: &mut impl FnMut(Pfn, F::Rights) -> Result<F::Rights, E>,
    ) -> Result<(), E> {
        for (own, other) in slots.iter().zip(others) {
            let bits = own.load(Relaxed);
            let Some((frame, rights)) = self.decode(bits) else { continue };
            let shared = self.format.leaf(frame, Level::One, change(frame, rights)?);
            if shared != bits {
                own.store(shared, Release);
            }
            other.store(shared, Release);
        }
        Ok(())
    }

    /// The leaf at a place below [`len`](Self::len).
    #[inline]
    pub fn leaf(&self, place: usize) -> Option<(Pfn, F::Rights)> {
        self.decode(self.slots[place].load(Relaxed))
    }

    /// Writes a leaf, whatever stood there: TLBs may go on showing that.
    #[inline]
    pub fn set(&self, place: usize, frame: Pfn, rights: F::Rights) {
        self.slots[place].store(self.format.leaf(frame, Level::One, rights), Release);
    }

    /// Empties a place; TLBs may go on showing what stood there.
    #[inline]
    pub fn clear(&self, place: usize) {
        self.slots[place].store(0, Release);
    }
}

/// Addresses that no table to be unlinked may map: those below `floor` and from `ceiling` on.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The first address that nothing maps.
    pub floor: VirtAddr,
    /// The next one that something may map; `None` if nothing does up to the end of the users' half.
    pub ceiling: Option<VirtAddr>,
}

impl<F: Format> PageMapper<F> {
    /// The first table of level one that maps addresses from `from` on, with its entries up to `end`. `None` if there
    /// is none. Whoever writes by it has the mapper to himself.
    #[inline]
    pub fn slots(&self, from: VirtAddr, end: VirtAddr) -> Option<Slots<'_, F>> {
        let mut at = from;
        while at < end {
            let (table, level) = self.lowest(at);
            if level == Level::One {
                let first = level.index(at);
                let last = (first + (end.as_usize() - at.as_usize()).div_ceil(PAGE_SIZE)).min(table.len());
                return Some(Slots { start: at, slots: &table[first..last], format: &self.format });
            }
            at = level.end(at)?;
        }
        None
    }

    /// The entry of level one of the page at `at` alone, with its table, which is made of `spare` if it is missing; as
    /// [`prepare`](Self::prepare) of that table. Whoever calls this has the mapper to himself.
    ///
    /// # Errors
    /// `TableMissing`: a table is missing, and `spare` is used up. `AlreadyMapped`: by a large page.
    #[inline]
    pub fn slot(&self, at: VirtAddr, spare: &mut Option<Pfn>) -> Result<Slots<'_, F>, MapError> {
        let table = self.make_table(at, Level::One, spare)?;
        let first = Level::One.index(at);
        Ok(Slots { start: at, slots: &table[first..=first], format: &self.format })
    }

    /// Unlinks the tables that map a part of `from..end` and nothing outside of `gap`, but for the root; calls `each`
    /// with their frames. They map nothing, as the caller knows; TLBs may still lead through them.
    pub fn unlink_tables(&mut self, from: VirtAddr, end: VirtAddr, gap: Gap, each: &mut impl FnMut(Pfn)) {
        self.unlink_below(self.table(self.root), F::TOP, (from, end), gap, each);
    }

    fn unlink_below(
        &self,
        table: &Table,
        level: Level,
        (from, end): (VirtAddr, VirtAddr),
        gap: Gap,
        each: &mut impl FnMut(Pfn),
    ) {
        let mut at = from;
        while at < end {
            let slot = &table[level.index(at)];
            let next = level.end(at).unwrap_or(end);
            if level > Level::One
                && let Entry::Table(frame) = self.format.read(slot.load(Relaxed), level)
            {
                if level > Level::Two {
                    self.unlink_below(self.table(frame), level.below(), (at, next.min(end)), gap, each);
                }
                if gap.floor <= level.start(at) && gap.ceiling.is_none_or(|ceiling| next <= ceiling) {
                    slot.store(0, Release);
                    each(frame);
                }
            }
            at = next;
        }
    }
}
