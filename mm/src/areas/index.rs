//! Areas by their first address: how most frees find theirs, without the tree and its lock.
//!
//! Key types: [`Memo`]: a table by the hash of the address, two places for each, in front of the tree. An entry says which
//! area it has and whether that is open, in one word: of all who free an area at once, the one wins that closes this word.
//! The entry is closed then, until the area is opened for its next owner. The state in the area's descriptor follows when
//! the area is free: until then it says that the area is open.
//!
//! An open entry may be biased to a CPU: who is pinned there closes it by a plain store. Everybody else exchanges the open
//! word for a ticket first, a number that no other call has; then waits until nobody is pinned there any more who may have
//! seen the word open; and only then exchanges the ticket for the closed word. If the CPU was faster, the ticket is gone by
//! now, and a word that is open again is another owner's. An entry with a ticket counts as closed for everybody else. (The
//! idea is that of biased locks: K. Kawachiya, A. Koseki, T. Onodera, "Lock Reservation", 2002.)
//!
//! Areas whose places others have taken are not here; their state is changed under the tree's lock. That lock is also
//! needed to give a place to another area, and only that of an open one is ever taken, by its CPU if it is biased: a closed
//! one is at work, or waits with its place for the next owner. Where no place can be taken, a new area has none and is freed
//! by way of the tree. An area has left before its descriptor goes.

use crate::addr::{PAGE_SHIFT, PAGE_SIZE, VirtAddr};
use crate::atomic::{AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst};
use crate::vm::area::{AreaLink, AreaRef, BIAS, Bias, Purpose};

/// log2 of the number of sets. Few where schedules are explored, so that places are fought for.
const BITS: u32 = if cfg!(feature = "explore") { 1 } else { 10 };
const SETS: usize = 1 << BITS;
/// Places of a set: half a cache line.
const WAYS: usize = 2;
/// A place fits into 16 bits, and there is a number for none.
const _: () = assert!(SETS * WAYS < u16::MAX as usize);
/// No area.
const NONE: usize = 0;
/// Set in the word of an area that is closed.
const CLOSED: usize = 1;

/// Where an area has its entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u16);

impl Place {
    /// Nowhere.
    pub(super) const NONE: Self = Self(u16::MAX);
}

struct Entry {
    word: AtomicUsize,
    area: AreaLink,
}

impl Entry {
    /// Empties the entry of an open area, unless another CPU may close it by a plain store; says whether it did. `here` is
    /// the CPU that the caller is pinned to.
    fn clear(&self, here: Bias) -> bool {
        let before = self.word.load(Relaxed);
        let free_to_go = before & CLOSED == 0 && [Bias::NONE, here].contains(&Bias::of(before));
        free_to_go && self.word.compare_exchange(before, NONE, Acquire, Relaxed).is_ok()
    }

    /// Closes an entry whose word is `open`, whatever its bias; says whether nobody else did. `ticket` is a number that has
    /// not been seen here, `outwait` returns when those have let go that were pinned to a CPU.
    fn close(&self, open: usize, ticket: usize, outwait: impl FnOnce(usize)) -> bool {
        let closed = open | CLOSED;
        let Some(cpu) = Bias::of(open).cpu() else {
            return self.word.compare_exchange(open, closed, Acquire, Relaxed).is_ok();
        };
        let revoked = ticket << 1 | CLOSED;
        if self.word.compare_exchange(open, revoked, SeqCst, Relaxed).is_err() {
            return false;
        }
        outwait(cpu);
        self.word.compare_exchange(revoked, closed, Acquire, Relaxed).is_ok()
    }
}

/// Areas that can be found in a few steps.
pub(crate) struct Memo {
    entries: [[Entry; WAYS]; SETS],
    /// The next ticket. They are far below the address of any area.
    ticket: AtomicUsize,
}

impl Memo {
    /// Nothing remembered.
    pub(crate) const fn new() -> Self {
        Self {
            entries: [const { [const { Entry { word: AtomicUsize::new(NONE), area: AreaLink::new() } }; WAYS] }; SETS],
            ticket: AtomicUsize::new(1),
        }
    }

    /// [`close`](Self::close) for a caller who is pinned to a CPU, if the area is biased to it.
    #[inline]
    pub(crate) fn close_biased(&self, addr: VirtAddr, purpose: Purpose, here: Bias) -> Option<AreaRef> {
        let open = addr.as_usize() | purpose.bits() | here.bits();
        let entry = self.entries[self.set(addr)].iter().find(|entry| entry.word.load(Acquire) == open)?;
        entry.word.store(open | CLOSED, Relaxed);
        entry.area.get()
    }

    /// Closes the open area with this purpose that starts at `addr`, a page's address, if it is remembered; it is the
    /// caller's then. The caller is pinned to no CPU; `outwait` returns when those have let go that were pinned to one.
    pub(crate) fn close(&self, addr: VirtAddr, purpose: Purpose, outwait: impl FnOnce(usize)) -> Option<AreaRef> {
        let wanted = addr.as_usize() | purpose.bits();
        let words = self.entries[self.set(addr)].iter().map(|entry| (entry, entry.word.load(Acquire)));
        let (entry, open) = { words }.find(|(_, word)| word & !BIAS == wanted)?;
        let ticket = self.ticket.fetch_add(1, Relaxed);
        // Nobody else changes the entry of a closed area.
        if entry.close(open, ticket, outwait) { entry.area.get() } else { None }
    }

    /// Whether an area that is in the tree is remembered. Under the tree's lock.
    pub(crate) fn knows(&self, area: AreaRef) -> bool {
        self.entry_of(area).is_some()
    }

    /// Opens an area that was assigned and is the caller's alone, and its entry if it has one. Returns its address.
    #[inline]
    pub(crate) fn open(&self, area: AreaRef) -> VirtAddr {
        // Once it is open, somebody else may close it, only then get it an entry, and even forget it.
        let (entry, start) = (self.entry_of(area), area.start);
        let bits = area.open();
        if let Some(entry) = entry {
            entry.word.store(start.as_usize() | bits, Release);
        }
        start
    }

    /// Remembers a closed area, if a place for it can be had. Under the tree's lock; `here` is the CPU that the caller is
    /// pinned to.
    pub(crate) fn remember(&self, area: AreaRef, here: Bias) {
        let set = self.set(area.start);
        let places = || set * WAYS..(set + 1) * WAYS;
        let empty = places().find(|&place| self.entry(place).word.load(Relaxed) == NONE);
        let Some(place) = empty.or_else(|| places().find(|&place| self.entry(place).clear(here))) else { return };
        let entry = self.entry(place);
        if let Some(before) = entry.area.get() {
            before.place.set(Place::NONE);
        }
        entry.area.set(Some(area));
        area.place.set(Place(place as u16));
        entry.word.store(area.start.as_usize() | CLOSED, Release);
    }

    /// Forgets a closed area that the caller takes out of the tree. Under the tree's lock.
    pub(crate) fn forget(&self, area: AreaRef) {
        if let Some(entry) = self.entry_of(area) {
            entry.area.set(None);
            entry.word.store(NONE, Release);
        }
    }

    /// The set for an area that starts at `addr`. Neighbours, which are often of one CPU, are neighbours here too.
    #[inline]
    fn set(&self, addr: VirtAddr) -> usize {
        // An area takes two pages at least.
        let pair = addr.as_usize() >> (PAGE_SHIFT + 1);
        (pair ^ pair >> BITS) % SETS
    }

    #[inline]
    fn entry(&self, place: usize) -> &Entry {
        &self.entries[place / WAYS][place % WAYS]
    }

    /// The entry of an area, if it has one.
    #[inline]
    fn entry_of(&self, area: AreaRef) -> Option<&Entry> {
        let place = usize::from(area.place.get().0);
        self.entries.as_flattened().get(place)
    }

    /// Checks that every area that is remembered `is_there`, knows its place, and is open or closed as its entry says.
    pub(crate) fn validate(&self, is_there: impl Fn(AreaRef) -> bool) -> Result<(), &'static str> {
        for (place, entry) in self.entries.iter().flatten().enumerate() {
            let right = |area: AreaRef| {
                let (word, closed) = (entry.word.load(Relaxed), if area.is_open() { 0 } else { CLOSED });
                is_there(area)
                    && area.place.get() == Place(place as u16)
                    && self.set(area.start) == place / WAYS
                    && word & (CLOSED | !(PAGE_SIZE - 1)) == area.start.as_usize() | closed
            };
            if !entry.area.get().is_none_or(right) {
                return Err("a vm area is remembered that is not in the tree, or wrongly");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::sync::mpsc;

    use super::*;
    use crate::vm::area::{AreaKind, VmArea};

    const START: VirtAddr = VirtAddr::new(0xffff_c900_0000_0000);

    /// An open area that is biased to CPU 0, in a memo.
    fn biased() -> (&'static Memo, AreaRef) {
        let memory = Box::leak(Box::new(core::mem::MaybeUninit::<VmArea>::uninit()));
        // SAFETY: the memory is made for it and leaked.
        let area = unsafe { AreaRef::init(core::ptr::NonNull::from(memory).cast(), VmArea::new(START, 1)) };
        let memo: &Memo = Box::leak(Box::new(Memo::new()));
        memo.remember(area, Bias::NONE);
        reopen(memo, area);
        (memo, area)
    }

    fn reopen(memo: &Memo, area: AreaRef) {
        area.assign(AreaKind::Vmap, Bias::to(0), core::panic::Location::caller());
        memo.open(area);
    }

    #[test]
    fn a_ticket_is_not_taken_for_that_of_another_call() {
        let (memo, area) = biased();
        let (marked, is_marked) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let second = move || {
            let outwait = |_| {
                marked.send(()).expect("the first one listens");
                may_go_on.recv().expect("the test goes on");
            };
            memo.close(START, Purpose::Vmap, outwait).is_some()
        };
        let mut thread = None;
        // The CPU has seen the word open before. While the first one waits it frees the area and takes it again, and a
        // second one revokes the new bias.
        let open = memo.entry_of(area).map(|entry| entry.word.load(Relaxed)).expect("it is remembered");
        let first = memo.close(START, Purpose::Vmap, |cpu| {
            assert_eq!(cpu, 0);
            memo.entry_of(area).expect("as before").word.store(open | CLOSED, Relaxed);
            reopen(memo, area);
            thread = Some(std::thread::spawn(second));
            is_marked.recv().expect("the second one comes");
        });
        assert!(first.is_none(), "the area that it meant is freed");
        go_on.send(()).expect("the second one waits");
        assert!(thread.expect("it was started").join().expect("no panic"), "nobody else closed the new one");
    }
}
