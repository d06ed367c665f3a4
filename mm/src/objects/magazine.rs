//! Magazines of objects: what a CPU allocates from and frees to without a lock.
//!
//! A magazine is an array of [`CachedObject`]s behind a small header, in memory from one of the allocators' own caches.
//! It belongs to the CPU where it is loaded or spare, or to a depot, under that depot's lock. (Bonwick and Adams,
//! "Magazines and Vmem", 2001.)

use crate::atomic::{AtomicU32, Ordering::Relaxed};
use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::objects::object_state::StateSlot;

/// An object in a magazine, and where its state is, so that an allocation needs no look-up.
#[derive(Clone, Copy)]
pub(super) struct CachedObject {
    pub(super) object: NonNull<u8>,
    pub(super) slot: StateSlot,
}

const ENTRY: u32 = size_of::<CachedObject>() as u32;

/// Objects that the kinds of magazines hold at most.
pub(super) const CAPACITIES: [usize; 4] = [8, 16, 32, 64];

/// The header of a magazine. Both counts are in bytes, so that they serve as offsets as they are.
pub(super) struct Magazine {
    used: AtomicU32,
    room: Cell<u32>,
    /// The next one in a pile of the depot.
    next: Cell<Option<MagazineRef>>,
}

/// A magazine that exists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct MagazineRef(NonNull<Magazine>);

// SAFETY: a magazine has one owner at a time (see above); others only read its counts, which are atomics.
unsafe impl Send for MagazineRef {}

impl Deref for MagazineRef {
    type Target = Magazine;

    #[inline]
    fn deref(&self) -> &Magazine {
        // SAFETY: a magazine is freed only after the last reference to it is gone.
        unsafe { self.0.as_ref() }
    }
}

impl Magazine {
    /// Bytes of a magazine for `capacity` objects.
    pub(super) const fn bytes(capacity: usize) -> usize {
        size_of::<Self>() + capacity * size_of::<CachedObject>()
    }

    /// A magazine without room, in the place of a missing one: both empty and full.
    pub(super) const fn absent() -> Self {
        Self { used: AtomicU32::new(0), room: Cell::new(0), next: Cell::new(None) }
    }

    /// Objects in it.
    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.used.load(Relaxed) / ENTRY) as usize
    }

    /// Objects that it may hold; 0 for an absent one.
    pub(super) fn capacity(&self) -> usize {
        (self.room.get() / ENTRY) as usize
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.used.load(Relaxed) == 0
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.used.load(Relaxed) >= self.room.get()
    }
}

impl MagazineRef {
    /// Makes an empty magazine at `at` that takes `capacity` objects.
    ///
    /// # Safety
    /// `at` must be aligned to 8 and valid for [`Magazine::bytes`] bytes that nothing else uses until the magazine
    /// goes.
    pub(super) unsafe fn init(at: NonNull<u8>, capacity: usize) -> Self {
        let magazine = at.cast::<Magazine>();
        let room = Cell::new(capacity as u32 * ENTRY);
        // SAFETY: room for the header, by the contract.
        unsafe { magazine.write(Magazine { used: AtomicU32::new(0), room, next: Cell::new(None) }) };
        Self(magazine)
    }

    /// A magazine by its address.
    ///
    /// # Safety
    /// A magazine must be there that is not freed while the reference is used.
    #[inline]
    pub(super) unsafe fn from_ptr(magazine: *mut Magazine) -> Self {
        // SAFETY: by the contract the address is not null.
        Self(unsafe { NonNull::new_unchecked(magazine) })
    }

    /// The address of the magazine.
    #[inline]
    pub(super) fn ptr(self) -> NonNull<Magazine> {
        self.0
    }

    /// Takes the object that was put in last. Calls `step` where an interrupt may come.
    #[inline]
    pub(super) fn pop(self, step: impl Fn()) -> Option<CachedObject> {
        let used = self.used.load(Relaxed);
        if used == 0 {
            return None;
        }
        step();
        // The one before the first that is not used.
        let last = self.entry(used).as_ptr().wrapping_sub(1);
        // SAFETY: what lies below `used` was written by `push` or `fill`.
        let cached = unsafe { last.read() };
        step();
        // Loaded again, so that one instruction changes the count.
        self.used.store(self.used.load(Relaxed).wrapping_sub(ENTRY), Relaxed);
        Some(cached)
    }

    /// Puts an object in, if there is room. Calls `step` as [`pop`](Self::pop) does.
    #[inline]
    pub(super) fn push(self, cached: CachedObject, step: impl Fn()) -> bool {
        let used = self.used.load(Relaxed);
        if used >= self.room.get() {
            return false;
        }
        step();
        // SAFETY: there is room for one more.
        unsafe { self.entry(used).write(cached) };
        step();
        self.used.store(self.used.load(Relaxed).wrapping_add(ENTRY), Relaxed);
        true
    }

    /// Fills an empty magazine with `count` objects, at most its capacity; `pop` returns the first one first.
    pub(super) fn fill(self, count: usize, mut next: impl FnMut() -> Option<CachedObject>) {
        debug_assert!(self.is_empty() && count <= self.capacity());
        for place in (0..count as u32).rev() {
            let Some(cached) = next() else { return };
            // SAFETY: `place` is below the capacity.
            unsafe { self.entry(place * ENTRY).write(cached) };
        }
        self.used.store(count as u32 * ENTRY, Relaxed);
    }

    /// The objects in it, for validation.
    pub(super) fn iter(self) -> impl Iterator<Item = CachedObject> {
        // SAFETY: as in `pop`.
        (0..self.len() as u32).map(move |place| unsafe { self.entry(place * ENTRY).read() })
    }

    /// The entry at a byte offset.
    #[inline]
    fn entry(self, offset: u32) -> NonNull<CachedObject> {
        // Not a reference to the header: the entries lie behind it.
        let first = self.0.as_ptr().wrapping_add(1).cast::<CachedObject>().wrapping_byte_add(offset as usize);
        // SAFETY: behind a header lies no null.
        unsafe { NonNull::new_unchecked(first) }
    }
}

/// A pile of magazines.
#[derive(Default)]
pub(super) struct Pile {
    head: Option<MagazineRef>,
    len: usize,
}

impl Pile {
    pub(super) const fn new() -> Self {
        Self { head: None, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, magazine: MagazineRef) {
        magazine.next.set(self.head);
        self.head = Some(magazine);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<MagazineRef> {
        let magazine = self.head?;
        self.head = magazine.next.get();
        self.len -= 1;
        Some(magazine)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = MagazineRef> {
        core::iter::successors(self.head, |magazine| magazine.next.get())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use core::ptr::NonNull;
    use std::boxed::Box;
    use std::vec;
    use std::vec::Vec;

    use super::{CachedObject, Magazine, MagazineRef, Pile};
    use crate::addr::VirtAddr;
    use crate::objects::descriptor::{Objects, Slab, SlabRef};

    /// Aligned memory that nothing else uses. Leaked.
    fn memory(bytes: usize) -> NonNull<u8> {
        NonNull::from(Box::leak(vec![0u64; bytes.div_ceil(8)].into_boxed_slice())).cast()
    }

    /// A new magazine for `capacity` objects.
    pub(in crate::objects) fn magazine(capacity: usize) -> MagazineRef {
        // SAFETY: as many bytes as it needs, aligned to 8.
        unsafe { MagazineRef::init(memory(Magazine::bytes(capacity)), capacity) }
    }

    /// Objects of one slab, 64 bytes apart; nobody touches them.
    pub(in crate::objects) fn objects(count: usize) -> Vec<CachedObject> {
        let first = VirtAddr::new(0x10_0000);
        let room = Slab::room(count);
        let place = memory(room + Slab::BYTES).as_ptr().wrapping_add(room);
        let place = NonNull::new(place).expect("not null");
        // SAFETY: as many bytes as it needs before and after, aligned to 8.
        let slab =
            unsafe { SlabRef::init(place, NonNull::dangling(), Objects { first, stride: 64, count, places: count }) };
        let at = |number: usize| NonNull::new(first.add(number * 64).as_mut_ptr()).expect("not null");
        (0..count).map(|number| CachedObject { object: at(number), slot: slab.slot(number) }).collect()
    }

    fn addresses(objects: impl IntoIterator<Item = CachedObject>) -> Vec<NonNull<u8>> {
        objects.into_iter().map(|cached| cached.object).collect()
    }

    #[test]
    fn a_magazine_takes_its_capacity_and_returns_the_last_one_first() {
        let (magazine, all) = (magazine(8), objects(9));
        assert!(magazine.is_empty() && !magazine.is_full() && magazine.pop(|| {}).is_none());
        for (nth, &object) in all[..8].iter().enumerate() {
            assert!(!magazine.is_full() && magazine.push(object, || {}));
            assert_eq!((magazine.len(), magazine.is_empty()), (nth + 1, false));
        }
        assert!(magazine.is_full() && !magazine.push(all[8], || {}));
        assert_eq!((magazine.len(), magazine.capacity()), (8, 8));
        assert_eq!(addresses(magazine.iter()), addresses(all[..8].iter().copied()));
        let taken = core::iter::from_fn(|| magazine.pop(|| {}));
        assert_eq!(addresses(taken), addresses(all[..8].iter().rev().copied()));
        assert!(magazine.is_empty());
    }

    #[test]
    fn a_magazine_that_is_filled_returns_the_first_one_first() {
        let (magazine, all) = (magazine(16), objects(10));
        let mut next = all.iter().copied();
        magazine.fill(10, || next.next());
        assert_eq!((magazine.len(), magazine.is_full()), (10, false));
        assert_eq!(addresses(core::iter::from_fn(|| magazine.pop(|| {}))), addresses(all));
    }

    #[test]
    fn a_pile_counts_its_magazines() {
        let mut pile = Pile::new();
        let [first, last] = [magazine(8), magazine(8)];
        pile.push(first);
        pile.push(last);
        assert_eq!((pile.len(), pile.iter().count()), (2, 2));
        assert!(pile.pop() == Some(last) && pile.len() == 1);
        assert!(pile.pop() == Some(first) && pile.len() == 0);
        assert!(pile.pop().is_none() && pile.len() == 0);
    }
}
