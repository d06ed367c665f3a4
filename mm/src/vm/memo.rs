//! Areas by their first address: how most frees find theirs, without the tree and its lock.
//!
//! Key types: [`Memo`]: a table by the hash of the address, in front of the tree. An entry says which area it has and
//! whether that is open, in one word: of all who free an area at once, the one wins that changes this word. It closes the
//! area; whoever opened it opens the entry again with the next owner.
//!
//! Areas whose places others have taken are not here; their state is changed under the tree's lock. That lock is also
//! needed to give a place to another area, and only that of an open one is ever taken: a closed one has somebody at work
//! on it. An area has left before its descriptor goes.

use crate::addr::{PAGE_SHIFT, VirtAddr};
use crate::atomic::{AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use crate::vm::area::{AreaLink, AreaRef, AreaState, Purpose};

/// log2 of the areas that are remembered, at most. Few where schedules are explored, so that places are fought for.
const BITS: u32 = if cfg!(feature = "explore") { 1 } else { 10 };
/// No area.
const NONE: usize = 0;
/// Set in the word of an area that is closed.
const CLOSED: usize = 1;

/// The word for an open area with this purpose that starts at `start`, a page's address.
#[inline]
const fn open_word(start: VirtAddr, purpose: Purpose) -> usize {
    start.as_usize() | (purpose as usize) << 1
}

/// The word for a closed area.
#[inline]
const fn closed_word(start: VirtAddr) -> usize {
    start.as_usize() | CLOSED
}

struct Entry {
    word: AtomicUsize,
    area: AreaLink,
}

/// Whether an area could be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Closing {
    /// It is closed now.
    Done,
    /// Somebody else closed it.
    Lost,
    /// It is not remembered.
    Unknown,
}

/// Areas that can be found in a few steps.
pub(crate) struct Memo {
    entries: [Entry; 1 << BITS],
}

impl Memo {
    /// Nothing remembered.
    pub(crate) const fn new() -> Self {
        Self { entries: [const { Entry { word: AtomicUsize::new(NONE), area: AreaLink::new() } }; 1 << BITS] }
    }

    /// Closes the open area with this purpose that starts at `addr`, a page's address, if it is remembered; it is the
    /// caller's then.
    #[inline]
    pub(crate) fn close(&self, addr: VirtAddr, purpose: Purpose) -> Option<AreaRef> {
        let entry = self.entry(addr);
        let open = open_word(addr, purpose);
        // A look before: what is not here costs nothing more.
        if entry.word.load(Relaxed) != open {
            return None;
        }
        entry.word.compare_exchange(open, closed_word(addr), Acquire, Relaxed).ok()?;
        // Nobody else changes the entry of a closed area.
        entry.area.get()
    }

    /// Closes an area that is known to exist. Under the tree's lock.
    pub(crate) fn close_area(&self, area: AreaRef) -> Closing {
        let entry = self.entry(area.start);
        let open = open_word(area.start, area.purpose());
        match entry.word.compare_exchange(open, closed_word(area.start), Acquire, Relaxed) {
            Ok(_) => Closing::Done,
            Err(word) if word == closed_word(area.start) => Closing::Lost,
            Err(_) => Closing::Unknown,
        }
    }

    /// Opens an area that the caller has closed, or made, and its entry if it has one.
    #[inline]
    pub(crate) fn open(&self, area: AreaRef) {
        let entry = self.entry(area.start);
        // Once it is open, somebody else may close it, and only then get it an entry.
        let remembered = entry.word.load(Relaxed) == closed_word(area.start);
        area.set_state(AreaState::Open);
        if remembered {
            entry.word.store(open_word(area.start, area.purpose()), Release);
        }
    }

    /// Remembers a closed area, if its place can be had. Under the tree's lock.
    pub(crate) fn remember(&self, area: AreaRef) {
        let entry = self.entry(area.start);
        let before = entry.word.load(Relaxed);
        let free = before & CLOSED == 0 && entry.word.compare_exchange(before, NONE, Acquire, Relaxed).is_ok();
        if free {
            entry.area.set(Some(area));
            entry.word.store(closed_word(area.start), Release);
        }
    }

    /// Forgets a closed area that the caller takes out of the tree. Under the tree's lock.
    pub(crate) fn forget(&self, area: AreaRef) {
        let entry = self.entry(area.start);
        if entry.word.load(Relaxed) == closed_word(area.start) {
            entry.area.set(None);
            entry.word.store(NONE, Release);
        }
    }

    /// Where an area that starts at `addr` is remembered. (Knuth's multiplicative hash.)
    #[inline]
    fn entry(&self, addr: VirtAddr) -> &Entry {
        let page = (addr.as_usize() >> PAGE_SHIFT) as u64;
        let hash = page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BITS);
        &self.entries[hash as usize % (1 << BITS)]
    }

    /// Checks that every area that is remembered `is_there`, in its place, and open or closed as its entry says.
    pub(crate) fn validate(&self, is_there: impl Fn(AreaRef) -> bool) -> Result<(), &'static str> {
        for entry in &self.entries {
            let right = |area: AreaRef| {
                let word = if area.is_open() { open_word(area.start, area.purpose()) } else { closed_word(area.start) };
                is_there(area) && entry.word.load(Relaxed) == word && core::ptr::eq(self.entry(area.start), entry)
            };
            if !entry.area.get().is_none_or(right) {
                return Err("a vm area is remembered that is not in the tree, or wrongly");
            }
        }
        Ok(())
    }
}
