//! One slab: which of its objects are free, and whether it can be believed.
//!
//! ```text
//!   ... last object | gap, guard | ... state 2 | state 1 | state 0 | descriptor | gap
//! ```
//!
//! The descriptor comes behind one byte per object, its [`ObjectState`]. Objects themselves are never touched: what a
//! caller left in one is there when the next caller gets it.
//!
//! A write that runs on beyond the last object, however long, changes the guard and all states before it comes to the
//! descriptor: a free that finds its object live may follow what the descriptor says. All other calls check the guard
//! and the seals first.
//!
//! Who may change a state: to or from `FREE`, the holder of the cache's lock; `LIVE` to `CACHED`, the caller that frees
//! the object; `CACHED` to `LIVE`, the CPU whose magazine the object is in.

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::addr::VirtAddr;
use crate::objects::mix::{KEY, mix};
use crate::objects::object_index::ObjectIndex;
use crate::objects::object_state::{ObjectState, StateSlot};

/// More places than any slab has: the numbers of objects are below, those of all other addresses beyond.
pub(super) const PLACES_MAX: usize = 4096;
/// Bytes of the guard, and what the room for states is rounded up to.
pub(super) const GUARD: usize = size_of::<u64>();
/// What gaps are filled with. The guard is the end of one.
pub(super) const FILL: u8 = 0xbb;
/// What the guard reads.
const GUARD_WORD: u64 = u64::from_ne_bytes([FILL; GUARD]);

/// What a slab is doing: the list that it hangs in, if it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Stage {
    /// Some of its objects are out.
    Partial,
    /// All of them are.
    Exhausted,
    /// None is.
    Whole,
    /// It is being made.
    New,
    /// It is being given back.
    Leaving,
}

/// The descriptor of one slab, preceded in memory by the states of its objects, last one first. What a fast free
/// follows comes first: writes that run downwards from the next page come to it last.
#[repr(C)]
pub struct Slab {
    /// Address of the cache that the slab belongs to.
    owner: NonNull<u8>,
    pub(super) first: VirtAddr,
    index: ObjectIndex,
    pub(super) objects: u16,
    /// Places for objects, from the first one to the end of the slab's pages.
    places: u16,
    next: Cell<Option<SlabRef>>,
    prev: Cell<Option<SlabRef>>,
    free: Cell<u16>,
    /// No object before this one is free.
    hint: Cell<u16>,
    /// A [`Stage`].
    stage: Cell<u8>,
    /// The sum of what never changes.
    seal: u32,
    /// The sum of links and stage, which change under the cache's lock.
    sum: Cell<u32>,
}

// Half a line of a cache would be wasted on a larger one.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Slab>() == 64);

/// Where a slab's objects lie.
#[derive(Clone, Copy)]
pub(super) struct Objects {
    /// The first one's address.
    pub(super) first: VirtAddr,
    /// Bytes from one to the next.
    pub(super) stride: usize,
    /// How many there are.
    pub(super) count: usize,
    /// How many places for them the slab's pages have.
    pub(super) places: usize,
}

/// A slab that exists. Its cells are read and written under the lock of its cache only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SlabRef(NonNull<Slab>);

// SAFETY: a slab's cells are used under the lock of its cache, its states are atomics, its other fields never change.
unsafe impl Send for SlabRef {}

impl Deref for SlabRef {
    type Target = Slab;

    #[inline]
    fn deref(&self) -> &Slab {
        // SAFETY: a `SlabRef` is made by `init` or from the page map, and dropped before the slab's memory is given
        // back.
        unsafe { self.0.as_ref() }
    }
}

impl Slab {
    /// Bytes of a descriptor.
    pub(super) const BYTES: usize = size_of::<Self>();

    /// Bytes of the states of so many places, and of the guard before them.
    pub(super) const fn room(places: usize) -> usize {
        places.next_multiple_of(GUARD) + GUARD
    }

    /// The address of the owning cache.
    #[inline]
    pub(super) fn owner(&self) -> NonNull<u8> {
        self.owner
    }

    /// Address of the first object.
    #[inline]
    pub(super) fn first(&self) -> VirtAddr {
        self.first
    }

    /// Its objects, in any state.
    #[inline]
    pub(super) fn objects(&self) -> usize {
        self.objects.into()
    }

    /// Objects that are not in the slab: live or cached.
    #[inline]
    pub(super) fn out(&self) -> usize {
        self.objects.saturating_sub(self.free.get()).into()
    }

    /// Objects that are in the slab.
    #[inline]
    pub(super) fn free(&self) -> usize {
        self.free.get().into()
    }

    /// Whether the slab is at a stage.
    pub(super) fn is_at(&self, stage: Stage) -> bool {
        self.stage.get() == stage as u8
    }

    /// The stage that its count of free objects calls for, once it is listed.
    #[inline]
    pub(super) fn due_stage(&self) -> Stage {
        match self.free.get() {
            0 => Stage::Exhausted,
            free if free >= self.objects => Stage::Whole,
            _ => Stage::Partial,
        }
    }

    /// The number of the object that starts at `addr`, an address in the slab's pages, less than [`PLACES_MAX`]; a
    /// larger number when none does. A place behind the last object has a number too, and no state of an object.
    #[inline]
    pub(super) fn number(&self, addr: VirtAddr) -> usize {
        self.index.number(addr) as usize
    }

    /// The sum of what never changes.
    fn constants(&self) -> u32 {
        let counts = u64::from(self.objects) << 16 ^ u64::from(self.places) << 48;
        let sum = mix(mix(KEY, self.owner.as_ptr().addr() as u64), self.first.as_usize() as u64);
        (mix(sum, self.index.bits() ^ counts) >> 32) as u32
    }

    /// The sum of links and stage, for this descriptor only.
    fn cells(&self) -> u32 {
        let place = (&raw const *self).addr() as u64 ^ u64::from(self.stage.get());
        let bits = |link: &Cell<Option<SlabRef>>| link.get().map_or(0, SlabRef::to_link);
        (mix(mix(place, bits(&self.next)), bits(&self.prev)) >> 32) as u32
    }

    /// Runs `change`, which changes links or stage. The sum stays as right or as wrong as it was.
    #[inline]
    fn change(&self, change: impl FnOnce(&Self)) {
        let was_right = self.cells() == self.sum.get();
        change(self);
        self.sum.set(if was_right { self.cells() } else { !self.cells() });
    }
}

impl SlabRef {
    /// Where the state of the object is that starts at `addr`, an address in the slab's pages.
    #[inline]
    pub(super) fn state_at(&self, addr: VirtAddr) -> Option<StateSlot> {
        Some(self.number(addr)).filter(|&object| object < self.objects()).map(|object| self.slot(object))
    }

    /// Where the state of this slab's object is; of a number that is none of an object's, no place to look at.
    #[inline]
    pub(super) fn slot(&self, object: usize) -> StateSlot {
        // SAFETY: the states lie right before the descriptor.
        unsafe { StateSlot::new(self.0.cast(), object) }
    }

    /// Takes the first free object, in the order of addresses, and gives it another state.
    pub(super) fn take(&self, state: u8) -> Option<usize> {
        if self.free.get() == 0 {
            return None;
        }
        let hint = usize::from(self.hint.get());
        let found = self.states().iter().rev().skip(hint).position(|object| object.get() == ObjectState::FREE)?;
        let object = hint + found;
        self.slot(object).state().set(state);
        self.free.set(self.free.get() - 1);
        self.hint.set(object as u16 + 1);
        Some(object)
    }

    /// Puts an object back that is out.
    pub(super) fn put(&self, object: usize) {
        self.slot(object).state().set(ObjectState::FREE);
        self.free.set(self.free.get().saturating_add(1));
        self.hint.set(self.hint.get().min(object as u16));
    }

    /// The number of this slab's object whose state is at `slot`; `None` where it has none.
    pub(super) fn object_of(&self, slot: StateSlot) -> Option<usize> {
        let object = self.0.as_ptr().addr().wrapping_sub(slot.addr());
        (object < self.objects()).then_some(object)
    }

    /// Sets the stage.
    pub(super) fn enter(&self, stage: Stage) {
        self.change(|slab| slab.stage.set(stage as u8));
    }

    /// The next slab of its list.
    pub(super) fn next(&self) -> Option<Self> {
        self.next.get()
    }

    /// The one before it.
    pub(super) fn prev(&self) -> Option<Self> {
        self.prev.get()
    }

    /// Links another slab behind it.
    pub(super) fn set_next(&self, next: Option<Self>) {
        self.change(|slab| slab.next.set(next));
    }

    /// Links another slab before it.
    pub(super) fn set_prev(&self, prev: Option<Self>) {
        self.change(|slab| slab.prev.set(prev));
    }

    /// Objects in a state.
    pub(super) fn count(&self, state: u8) -> usize {
        self.states().iter().filter(|object| object.get() == state).count()
    }

    /// Whether what never changes is as it was made: then it may be believed. Any context, no lock.
    pub(super) fn is_intact(&self) -> bool {
        // SAFETY: the places are sealed, so the guard is where `init` has put it.
        self.is_sealed() && unsafe { self.guard().read() } == GUARD_WORD
    }

    /// Whether links and stage may be believed too. Under the cache's lock. Counts are followed nowhere: a wrong one
    /// loses objects.
    pub(super) fn is_sound(&self) -> bool {
        self.is_intact() && self.cells() == self.sum.get()
    }

    /// Makes a guard whole that a write from before it has damaged, if that is all. Under the cache's lock.
    pub(super) fn mend(&self) -> bool {
        let only_guard = self.is_sealed() && self.cells() == self.sum.get() && self.check_states().is_ok();
        if only_guard {
            // SAFETY: as in `is_intact`.
            unsafe { self.guard().write(GUARD_WORD) };
        }
        only_guard
    }

    /// Has a slab whose states are wrong count as damaged. It is intact.
    pub(super) fn condemn(&self) {
        // SAFETY: as in `is_intact`.
        unsafe { self.guard().write(!GUARD_WORD) };
    }

    fn is_sealed(&self) -> bool {
        self.constants() == self.seal
    }

    /// Where the guard is, if the slab is sealed.
    fn guard(&self) -> *mut u64 {
        self.0.as_ptr().wrapping_byte_sub(Slab::room(self.places.into())).cast()
    }

    /// Checks that the slab is sound, and that counts and states agree.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        if self.is_sound() { self.check_states() } else { Err("a slab's descriptor is damaged") }
    }

    fn check_states(&self) -> Result<(), &'static str> {
        let free = |object: &ObjectState| object.get() == ObjectState::FREE;
        if self.count(ObjectState::FREE) != self.free() {
            return Err("a slab's count of free objects is wrong");
        }
        if self.states().iter().rev().take(self.hint.get().into()).any(free) {
            return Err("a slab has a free object where none should be");
        }
        let states = [ObjectState::FREE, ObjectState::CACHED, ObjectState::LIVE, ObjectState::QUARANTINED];
        if self.states().iter().any(|object| !states.contains(&object.get())) {
            return Err("an object is in no state");
        }
        Ok(())
    }

    /// The states before the descriptor, the last object's first.
    #[inline]
    fn states(&self) -> &[ObjectState] {
        let first = self.0.as_ptr().cast::<ObjectState>().wrapping_sub(self.objects());
        // SAFETY: `init` was given room for this many states and has set them.
        unsafe { core::slice::from_raw_parts(first, self.objects()) }
    }

    /// Makes a slab descriptor at `at`, for free objects.
    ///
    /// # Safety
    /// `at` must be aligned to 8 and, from [`Slab::room`] bytes before it, valid for these and [`Slab::BYTES`], which
    /// nothing else uses until the slab goes.
    pub(super) unsafe fn init(at: NonNull<u8>, owner: NonNull<u8>, objects: Objects) -> Self {
        let slab = Self(at.cast::<Slab>());
        let mut header = Slab {
            owner,
            first: objects.first,
            index: ObjectIndex::new(objects.first, objects.stride),
            objects: objects.count as u16,
            places: objects.places as u16,
            next: Cell::new(None),
            prev: Cell::new(None),
            free: Cell::new(objects.count as u16),
            hint: Cell::new(0),
            stage: Cell::new(Stage::New as u8),
            seal: 0,
            sum: Cell::new(0),
        };
        header.seal = header.constants();
        // SAFETY: room for the header, by the contract.
        unsafe { slab.0.write(header) };
        slab.sum.set(slab.cells());
        let room = Slab::room(objects.places);
        let guard = at.as_ptr().wrapping_sub(room);
        // SAFETY: the room before the header, by the contract; aligned as `at` is.
        unsafe { guard.cast::<u64>().write(GUARD_WORD) };
        // SAFETY: as above; these are behind the guard.
        unsafe { guard.wrapping_add(GUARD).write_bytes(ObjectState::NONE, room - GUARD) };
        let first = at.as_ptr().wrapping_sub(objects.count);
        // SAFETY: as above; there are no more objects than places.
        unsafe { first.write_bytes(ObjectState::FREE, objects.count) };
        slab
    }

    /// The slab that a page-map link names.
    ///
    /// # Safety
    /// `link` must come from [`to_link`](Self::to_link) of a slab that still exists.
    #[inline]
    pub(super) unsafe fn from_link(link: u64) -> Self {
        // SAFETY: a slab's address is not null.
        Self(unsafe { NonNull::new_unchecked(link as usize as *mut Slab) })
    }

    /// The slab as a page-map link.
    #[inline]
    pub(super) fn to_link(self) -> u64 {
        self.0.as_ptr() as usize as u64
    }

    /// The descriptor's address.
    #[inline]
    pub(super) fn addr(self) -> VirtAddr {
        VirtAddr::from_ptr(self.0.as_ptr())
    }
}
