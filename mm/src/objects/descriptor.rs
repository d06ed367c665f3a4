//! One slab: which of its objects are free.
//!
//! The descriptor is followed by one byte per object, its [`ObjectState`]. Objects themselves are never touched: what a
//! caller left in one is there when the next caller gets it.
//!
//! Who may change a state: to or from `FREE`, the holder of the cache's lock; `LIVE` to `CACHED`, the caller that frees
//! the object; `CACHED` to `LIVE`, the CPU whose magazine the object is in.

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::addr::VirtAddr;
use crate::objects::object_index::ObjectIndex;

/// Where an object is.
#[repr(transparent)]
pub(super) struct ObjectState(AtomicU8);

/// Where the state of an object is: its address less the size of a descriptor, which is the fast paths' cheapest form.
#[derive(Clone, Copy)]
pub(super) struct StateSlot(NonNull<u8>);

impl StateSlot {
    /// The state. Its slab must still exist.
    #[inline]
    pub(super) fn state(&self) -> &ObjectState {
        let state = self.0.as_ptr().wrapping_add(size_of::<Slab>()).cast::<ObjectState>();
        // SAFETY: slots are made for states, and the slab of an object that is out stays.
        unsafe { &*state }
    }
}

impl ObjectState {
    /// In its slab.
    pub(super) const FREE: u8 = 0;
    /// In a magazine.
    pub(super) const CACHED: u8 = 1;
    /// Allocated.
    pub(super) const LIVE: u8 = 2;

    #[inline]
    pub(super) fn get(&self) -> u8 {
        self.0.load(Relaxed)
    }

    #[inline]
    pub(super) fn set(&self, state: u8) {
        self.0.store(state, Relaxed);
    }

    #[inline]
    pub(super) fn is_live(&self) -> bool {
        self.get() == Self::LIVE
    }

    /// Makes a live object cached: of several frees at once, on any CPUs, one succeeds.
    pub(super) fn claim(&self) -> bool {
        self.0.compare_exchange(Self::LIVE, Self::CACHED, Relaxed, Relaxed).is_ok()
    }
}

/// The descriptor of one slab, followed in memory by the states of its objects.
#[repr(C)]
pub struct Slab {
    next: Cell<Option<SlabRef>>,
    prev: Cell<Option<SlabRef>>,
    /// Address of the cache that the slab belongs to.
    owner: NonNull<u8>,
    first: VirtAddr,
    index: ObjectIndex,
    free: Cell<u16>,
    /// No object before this one is free.
    hint: Cell<u16>,
    objects: usize,
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
    /// Bytes of a descriptor for `objects` objects.
    pub(super) const fn bytes(objects: usize) -> usize {
        size_of::<Self>() + objects * size_of::<ObjectState>()
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
        self.objects
    }

    /// Objects that are not in the slab: live or cached.
    #[inline]
    pub(super) fn out(&self) -> usize {
        self.objects - usize::from(self.free.get())
    }

    /// Objects that are in the slab.
    #[inline]
    pub(super) fn free(&self) -> usize {
        self.free.get().into()
    }

    /// Whether all objects are in the slab.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        usize::from(self.free.get()) == self.objects
    }

    /// The number of the object that starts at `addr`, an address in the slab's pages. `None` when none does.
    #[inline]
    pub(super) fn object_at(&self, addr: VirtAddr) -> Option<usize> {
        let object = self.index.number(addr) as usize;
        (object < self.objects).then_some(object)
    }
}

impl SlabRef {
    /// Where the state of the object is that starts at `addr`, an address in the slab's pages.
    #[inline]
    pub(super) fn state_at(&self, addr: VirtAddr) -> Option<StateSlot> {
        self.object_at(addr).map(|object| self.slot(object))
    }

    /// Where the state of this slab's object is.
    #[inline]
    pub(super) fn slot(&self, object: usize) -> StateSlot {
        let slot = self.0.as_ptr().cast::<u8>().wrapping_add(object);
        // SAFETY: behind the start of a descriptor lies no null.
        StateSlot(unsafe { NonNull::new_unchecked(slot) })
    }

    /// Takes the first free object, in the order of addresses, and gives it another state.
    pub(super) fn take(&self, state: u8) -> Option<usize> {
        if self.free.get() == 0 {
            return None;
        }
        let hint = usize::from(self.hint.get());
        let found = self.states().iter().skip(hint).position(|object| object.get() == ObjectState::FREE)?;
        let object = hint + found;
        self.states()[object].set(state);
        self.free.set(self.free.get() - 1);
        self.hint.set(object as u16 + 1);
        Some(object)
    }

    /// Puts an object back that is out.
    pub(super) fn put(&self, object: usize) {
        self.states()[object].set(ObjectState::FREE);
        self.free.set(self.free.get() + 1);
        self.hint.set(self.hint.get().min(object as u16));
    }

    /// The number of this slab's object whose state is at `slot`.
    pub(super) fn object_of(&self, slot: StateSlot) -> usize {
        slot.0.as_ptr().addr() - self.0.as_ptr().addr()
    }

    /// Objects that are cached.
    pub(super) fn cached(&self) -> usize {
        self.states().iter().filter(|object| object.get() == ObjectState::CACHED).count()
    }

    /// Checks that counts and states agree.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        let free = |object: &ObjectState| object.get() == ObjectState::FREE;
        if self.states().iter().filter(|object| free(object)).count() != self.free() {
            return Err("a slab's count of free objects is wrong");
        }
        if self.states().iter().take(self.hint.get().into()).any(free) {
            return Err("a slab has a free object where none should be");
        }
        if self.states().iter().any(|object| object.get() > ObjectState::LIVE) {
            return Err("an object is in no state");
        }
        Ok(())
    }

    /// The states behind the descriptor.
    #[inline]
    fn states(&self) -> &[ObjectState] {
        // SAFETY: descriptor and states are one piece of memory, by the contract of `init`.
        let first = unsafe { self.0.add(1) }.cast::<ObjectState>();
        // SAFETY: `init` was given room for this many states and has set them.
        unsafe { core::slice::from_raw_parts(first.as_ptr(), self.objects) }
    }

    /// Makes a slab descriptor at `at` for `objects` free objects, `stride` bytes apart, from `first` on.
    ///
    /// # Safety
    /// `at` must be aligned to 8 and valid for [`Slab::bytes`] bytes that nothing else uses until the slab goes.
    pub(super) unsafe fn init(
        at: NonNull<u8>,
        owner: NonNull<u8>,
        first: VirtAddr,
        objects: usize,
        stride: usize,
    ) -> Self {
        let slab = at.cast::<Slab>();
        let header = Slab {
            next: Cell::new(None),
            prev: Cell::new(None),
            owner,
            first,
            index: ObjectIndex::new(first, stride),
            free: Cell::new(objects as u16),
            hint: Cell::new(0),
            objects,
        };
        // SAFETY: room for the header, by the contract.
        unsafe { slab.write(header) };
        // SAFETY: the states start right behind the header, within the room that the contract promises.
        let states = unsafe { slab.add(1) }.cast::<u8>();
        // SAFETY: as above; all of them read `FREE`.
        unsafe { states.write_bytes(ObjectState::FREE, objects) };
        Self(slab)
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

/// A list of slabs of one cache, newest first.
#[derive(Default)]
pub(super) struct SlabList {
    head: Option<SlabRef>,
    len: usize,
}

impl SlabList {
    pub(super) const fn new() -> Self {
        Self { head: None, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn head(&self) -> Option<SlabRef> {
        self.head
    }

    pub(super) fn push(&mut self, slab: SlabRef) {
        slab.prev.set(None);
        slab.next.set(self.head);
        if let Some(head) = self.head {
            head.prev.set(Some(slab));
        }
        self.head = Some(slab);
        self.len += 1;
    }

    pub(super) fn remove(&mut self, slab: SlabRef) {
        match slab.prev.get() {
            Some(prev) => prev.next.set(slab.next.get()),
            None => self.head = slab.next.get(),
        }
        if let Some(next) = slab.next.get() {
            next.prev.set(slab.prev.get());
        }
        self.len -= 1;
    }

    pub(super) fn pop(&mut self) -> Option<SlabRef> {
        let slab = self.head?;
        self.remove(slab);
        Some(slab)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = SlabRef> {
        core::iter::successors(self.head, |slab| slab.next.get())
    }
}
