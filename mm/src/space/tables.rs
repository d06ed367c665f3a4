//! The page tables of a space, as its owner and reclaim share them.
//!
//! Key types: [`Tables`], [`State`]. Two change entries:
//! - The owner of the space, who has it alone: he fills empty entries ([`Tables::fill`]) and links tables, without a
//!   lock. What he sees empty stays so.
//! - Whoever has the lock of the [`State`], reclaim among them: a leaf goes, gets other rights, or becomes a place in
//!   swap; such a place goes or becomes a leaf; a table is unlinked.
//!
//! The lock is the platform's for data that interrupts share, so nothing sleeps or allocates under it. Locks that may
//! be taken under it: those of the page cache and of swap, and a zone's.
//!
//! Reclaim may have taken pages away that TLBs still show ([`State::stale`]). Nobody changes the tables before these
//! are flushed, by whom ever: see [`Tables::change`]. It says so before it takes the first one: whoever sees an entry
//! that it has emptied sees that too.

use super::machine::UserMachine;
use super::swap::SwapStore;
use crate::addr::{Pfn, VirtAddr};
use crate::atomic::{AtomicBool, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use crate::flush::{AddressSpace, MustFlush};
use crate::mapper::{Format, PageMapper, Slots};
use crate::own::Global;
use crate::platform::{Lock, Platform};

/// The lock of a kernel for data that interrupts share.
pub(super) type LockOf<K, T> = <<K as Global>::Platform as Platform>::Lock<T>;

/// What an entry of a machine says beside a frame.
pub(super) type RightsOf<M> = <<M as UserMachine>::Format as Format>::Rights;

/// The page tables of a space.
pub(super) struct Tables<K: Global, M: UserMachine> {
    machine: M,
    mapper: PageMapper<M::Format>,
    /// What the entries are.
    pub(super) counts: Counts,
    /// Whether [`State::stale`] says something, or is about to.
    has_stale: AtomicBool,
    state: LockOf<K, State>,
    /// The number that the list of spaces gives it, under its lock.
    pub(super) nth: AtomicUsize,
}

/// How many entries there are of each kind. Who makes one counts it first, who takes one away counts it afterwards.
#[derive(Default)]
pub(super) struct Counts {
    /// Leaves.
    pub(super) resident: AtomicUsize,
    /// Of these, pages of processes.
    pub(super) anonymous: AtomicUsize,
    /// Places in swap.
    pub(super) swapped: AtomicUsize,
}

impl Counts {
    /// Leaves that are no pages of processes.
    pub(super) fn of_files(&self) -> usize {
        self.resident.load(Relaxed).saturating_sub(self.anonymous.load(Relaxed))
    }

    /// Counts a leaf that goes.
    #[inline]
    pub(super) fn remove_leaf(&self, is_anonymous: bool) {
        self.resident.fetch_sub(1, Relaxed);
        self.anonymous.fetch_sub(usize::from(is_anonymous), Relaxed);
    }

    /// Counts a place in swap that becomes a leaf.
    pub(super) fn swap_in(&self) {
        self.resident.fetch_add(1, Relaxed);
        self.anonymous.fetch_add(1, Relaxed);
        self.swapped.fetch_sub(1, Relaxed);
    }
}

/// How far reclaim is.
pub(super) struct State {
    /// Where the scan goes on.
    pub(super) scanned: VirtAddr,
    /// What the scan has taken last, and has perhaps not flushed yet.
    stale: Option<Stale>,
    /// How often the scan has taken something.
    takings: u32,
    life: Life,
}

/// Whether somebody uses the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// They have an owner.
    Used,
    /// The owner is about to free them: nobody else looks at them any more.
    Over,
}

/// Pages whose entries the scan has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stale {
    start: VirtAddr,
    pages: usize,
    taking: u32,
}

impl<K: Global, M: UserMachine> Tables<K, M> {
    /// The tables that `mapper` has, without entries.
    pub(super) fn new(machine: M, mapper: PageMapper<M::Format>) -> Self {
        let state = State { scanned: VirtAddr::new(0), stale: None, takings: 0, life: Life::Used };
        let (counts, has_stale) = (Counts::default(), AtomicBool::new(false));
        Self { machine, mapper, counts, has_stale, state: Lock::new(state), nth: AtomicUsize::new(usize::MAX) }
    }

    /// The processor.
    pub(super) const fn machine(&self) -> &M {
        &self.machine
    }

    /// The tables themselves: to be changed as the head of this file says.
    pub(super) const fn mapper(&self) -> &PageMapper<M::Format> {
        &self.mapper
    }

    /// The frame of the root.
    pub(super) const fn root(&self) -> Pfn {
        self.mapper.root()
    }

    /// Where pages go that memory has no room for.
    pub(super) fn swap(&self) -> Option<&'static dyn SwapStore> {
        self.machine.swap()
    }

    /// Drops the translations of these pages. No lock is held.
    pub(super) fn flush(&self, at: VirtAddr, pages: usize) {
        self.machine.flush(self.root(), MustFlush::new(AddressSpace::User, at, pages));
    }

    /// Has an entry that is empty show a page: for the owner, who has counted the page's mapping. No lock is held.
    #[inline]
    pub(super) fn fill(&self, slot: &Slots<'_, M::Format>, frame: Pfn, rights: RightsOf<M>, anonymous: usize) {
        if self.has_stale.load(Acquire) {
            self.flush_stale();
        }
        self.counts.resident.fetch_add(1, Relaxed);
        self.counts.anonymous.fetch_add(anonymous, Relaxed);
        slot.set(0, frame, rights);
        self.machine.after_map(self.root(), slot.start(), 1);
    }

    /// Runs `f` with the lock, once no TLB shows what the scan took. For the owner, and for whoever brings pages back;
    /// no lock is held. `f` neither sleeps nor allocates.
    #[inline]
    pub(super) fn change<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        match self.change_unless_stale(f) {
            Ok(result) => result,
            Err(f) => self.change_after_flush(f),
        }
    }

    #[inline(always)]
    fn change_unless_stale<R, F: FnOnce(&mut State) -> R>(&self, f: F) -> Result<R, F> {
        self.state.with(|state| if state.stale.is_none() { Ok(f(state)) } else { Err(f) })
    }

    #[cold]
    #[inline(never)]
    fn change_after_flush<R>(&self, mut f: impl FnOnce(&mut State) -> R) -> R {
        loop {
            self.flush_stale();
            match self.change_unless_stale(f) {
                Ok(result) => return result,
                Err(again) => f = again,
            }
        }
    }

    /// The scan is about to take something: says so, under the lock.
    pub(super) fn begin_taking(&self) {
        self.has_stale.store(true, Release);
    }

    /// The scan has taken some of `pages` pages from `start` on, which TLBs may show, or none: remembers it, under the
    /// lock.
    pub(super) fn end_taking(&self, state: &mut State, taken: Option<(VirtAddr, usize)>) {
        state.takings = state.takings.wrapping_add(1);
        state.stale = taken.map(|(start, pages)| Stale { start, pages, taking: state.takings });
        self.has_stale.store(taken.is_some(), Release);
    }

    /// Has no TLB show what the scan took, whoever flushes it. No lock is held.
    #[cold]
    pub(super) fn flush_stale(&self) {
        let Some(stale) = self.state.with(|state| state.stale) else { return };
        self.flush(stale.start, stale.pages);
        self.state.with(|state| {
            if state.stale == Some(stale) {
                state.stale = None;
                self.has_stale.store(false, Release);
            }
        });
    }

    /// Runs `f` with the lock for somebody else than the owner. `None` if the tables are about to be freed, or another
    /// scan is under way.
    pub(super) fn visit<R>(&self, f: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.state.with(|state| (state.life == Life::Used && state.stale.is_none()).then(|| f(state)))
    }

    /// As [`change`](Self::change), for somebody else than the owner. `None` if the tables are about to be freed.
    pub(super) fn change_from_outside<R>(&self, f: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.change(|state| (state.life == Life::Used).then(|| f(state)))
    }

    /// Has nobody but the owner look at the tables any more.
    pub(super) fn end(&self) {
        self.state.with(|state| state.life = Life::Over);
    }
}
