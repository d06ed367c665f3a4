//! One slab: which of its objects are free.
//!
//! The descriptor is followed by one index per object. Free objects form a list through these indices, last freed first;
//! the index of an allocated object reads [`LIVE`], so a second free of an object is seen at once. Objects themselves
//! are never touched: what a caller left in one is there when the next caller gets it.

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::addr::VirtAddr;

/// The index of an object that is allocated.
const LIVE: u16 = u16::MAX;
/// The end of the list of free objects.
const END: u16 = u16::MAX - 1;

/// The descriptor of one slab, followed in memory by `objects` indices.
#[repr(C)]
pub struct Slab {
    next: Cell<Option<SlabRef>>,
    prev: Cell<Option<SlabRef>>,
    /// Address of the cache that the slab belongs to.
    owner: NonNull<u8>,
    first: VirtAddr,
    objects: u16,
    in_use: Cell<u16>,
    free: Cell<u16>,
}

/// A slab that exists. Its cells are read and written under the lock of its cache only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SlabRef(NonNull<Slab>);

// SAFETY: a slab's cells are used under the lock of its cache (the rule above), its other fields never change.
unsafe impl Send for SlabRef {}

impl Deref for SlabRef {
    type Target = Slab;

    #[inline]
    fn deref(&self) -> &Slab {
        // SAFETY: a `SlabRef` is made by `init` or from the page map, and dropped before the slab's memory is given back.
        unsafe { self.0.as_ref() }
    }
}

impl Slab {
    /// Bytes of a descriptor for `objects` objects.
    pub(crate) const fn bytes(objects: usize) -> usize {
        size_of::<Self>() + objects * size_of::<u16>()
    }

    /// The address of the owning cache.
    #[inline]
    pub(crate) fn owner(&self) -> NonNull<u8> {
        self.owner
    }

    /// Address of the first object.
    #[inline]
    pub(crate) fn first(&self) -> VirtAddr {
        self.first
    }

    /// Objects that are allocated.
    #[inline]
    pub(crate) fn in_use(&self) -> usize {
        self.in_use.get().into()
    }

    /// Whether no object is allocated.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.in_use.get() == 0
    }

    /// Whether every object is allocated.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.in_use.get() == self.objects
    }
}

impl SlabRef {
    /// Takes the object that was freed last; its number in the slab.
    #[inline]
    pub(crate) fn take(self) -> Option<usize> {
        let object = self.free.get();
        let index = self.indices().get(usize::from(object))?;
        self.free.set(index.replace(LIVE));
        self.in_use.set(self.in_use.get() + 1);
        Some(object.into())
    }

    /// Puts an object back. `false` when it is free already.
    #[inline]
    pub(crate) fn put(self, object: usize) -> bool {
        let index = &self.indices()[object];
        if index.get() != LIVE {
            return false;
        }
        index.set(self.free.replace(object as u16));
        self.in_use.set(self.in_use.get() - 1);
        true
    }

    /// Whether an object is allocated.
    pub(crate) fn is_live(self, object: usize) -> bool {
        self.indices().get(object).is_some_and(|index| index.get() == LIVE)
    }

    /// Checks that the list of free objects holds each object that is not live once.
    pub(crate) fn validate(self) -> Result<(), &'static str> {
        let live = self.indices().iter().filter(|index| index.get() == LIVE).count();
        if live != self.in_use() {
            return Err("a slab's count of live objects is wrong");
        }
        let (mut at, mut free) = (self.free.get(), 0);
        while at != END {
            let index = self.indices().get(usize::from(at)).ok_or("a slab's free list leads out of the slab")?;
            free += 1;
            if index.get() == LIVE || free > self.objects {
                return Err("a slab's free list is broken");
            }
            at = index.get();
        }
        if usize::from(free) + live == self.objects.into() { Ok(()) } else { Err("a slab has lost an object") }
    }

    /// The indices behind the descriptor.
    #[inline]
    fn indices(&self) -> &[Cell<u16>] {
        // SAFETY: descriptor and indices are one piece of memory, by the contract of `init`.
        let first = unsafe { self.0.add(1) }.cast::<Cell<u16>>();
        // SAFETY: `init` was given room for this many indices and has set them.
        unsafe { core::slice::from_raw_parts(first.as_ptr(), self.objects.into()) }
    }

    /// Makes a slab descriptor at `at` for `objects` free objects from `first` on.
    ///
    /// # Safety
    /// `at` must be aligned to 8 and valid for [`Slab::bytes`] bytes that nothing else uses until the slab goes.
    pub(crate) unsafe fn init(at: NonNull<u8>, owner: NonNull<u8>, first: VirtAddr, objects: usize) -> Self {
        let slab = at.cast::<Slab>();
        let header = Slab {
            next: Cell::new(None),
            prev: Cell::new(None),
            owner,
            first,
            objects: objects as u16,
            in_use: Cell::new(0),
            free: Cell::new(0),
        };
        // SAFETY: room for the header, by the contract.
        unsafe { slab.write(header) };
        // SAFETY: the indices start right behind the header, within the room that the contract promises.
        let indices = unsafe { slab.add(1) }.cast::<u16>();
        for object in 0..objects {
            let next = if object + 1 == objects { END } else { object as u16 + 1 };
            // SAFETY: `object` is below the count that the contract promises room for.
            let index = unsafe { indices.add(object) };
            // SAFETY: as above.
            unsafe { index.write(next) };
        }
        Self(slab)
    }

    /// The slab that a page-map link names.
    ///
    /// # Safety
    /// `link` must come from [`to_link`](Self::to_link) of a slab that still exists.
    #[inline]
    pub(crate) unsafe fn from_link(link: u64) -> Option<Self> {
        NonNull::new(link as usize as *mut Slab).map(Self)
    }

    /// The slab as a page-map link.
    #[inline]
    pub(crate) fn to_link(self) -> u64 {
        self.0.as_ptr() as usize as u64
    }

    /// The descriptor's address.
    #[inline]
    pub(crate) fn addr(self) -> VirtAddr {
        VirtAddr::from_ptr(self.0.as_ptr())
    }
}

/// A list of slabs of one cache, newest first.
#[derive(Default)]
pub(crate) struct SlabList {
    head: Option<SlabRef>,
    len: usize,
}

impl SlabList {
    pub(crate) const fn new() -> Self {
        Self { head: None, len: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn head(&self) -> Option<SlabRef> {
        self.head
    }

    #[inline]
    pub(crate) fn push(&mut self, slab: SlabRef) {
        slab.prev.set(None);
        slab.next.set(self.head);
        if let Some(head) = self.head {
            head.prev.set(Some(slab));
        }
        self.head = Some(slab);
        self.len += 1;
    }

    #[inline]
    pub(crate) fn remove(&mut self, slab: SlabRef) {
        match slab.prev.get() {
            Some(prev) => prev.next.set(slab.next.get()),
            None => self.head = slab.next.get(),
        }
        if let Some(next) = slab.next.get() {
            next.prev.set(slab.prev.get());
        }
        self.len -= 1;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<SlabRef> {
        let slab = self.head?;
        self.remove(slab);
        Some(slab)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = SlabRef> {
        core::iter::successors(self.head, |slab| slab.next.get())
    }
}
