//! One vm area: a range of addresses, its guard page, its place in the tree.

use core::cell::Cell;
use core::ops::Deref;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU64;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::atomic::{AtomicPtr, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use crate::mapper::Mapping;
use crate::places::Places;
use crate::tag::Tag;

/// What an area shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AreaKind {
    /// Pages of its own.
    Vmalloc,
    /// Device memory that starts at this page-aligned address.
    Ioremap(PhysAddr),
    /// Pages that another owner keeps.
    Vmap,
    /// Pages of a module: code or what it works on.
    Module,
}

impl AreaKind {
    /// How the pages are mapped.
    pub(super) const fn mapping(self) -> Mapping {
        match self {
            Self::Vmalloc | Self::Vmap | Self::Module => Mapping::Memory,
            Self::Ioremap(_) => Mapping::Device,
        }
    }

    /// What an area shows by its word, as a reader of the machine's memory found it; `None` of one that nobody has.
    pub const fn of_word(word: u64) -> Option<Self> {
        if word & STATE == OPEN { Some(Self::in_word(word)) } else { None }
    }

    const fn in_word(word: u64) -> Self {
        match purpose_in(word) {
            Purpose::Ioremap => Self::Ioremap(PhysAddr::new(word & !(PAGE_SIZE as u64 - 1))),
            Purpose::Vmap => Self::Vmap,
            Purpose::Module => Self::Module,
            Purpose::Vmalloc => Self::Vmalloc,
        }
    }

    /// The kind as it stands in an area's word.
    #[inline]
    const fn bits(self) -> u64 {
        let (purpose, phys) = match self {
            Self::Vmalloc => (Purpose::Vmalloc, 0),
            Self::Ioremap(phys) => (Purpose::Ioremap, phys.as_u64()),
            Self::Vmap => (Purpose::Vmap, 0),
            Self::Module => (Purpose::Module, 0),
        };
        purpose.bits() as u64 | phys
    }
}

/// What a range of addresses must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fit {
    /// Pages, without the guard page.
    pub(super) pages: usize,
    /// The first address is a multiple of this: a power of two, and at least a page.
    pub(super) align: usize,
}

impl Fit {
    /// So many pages, wherever they start.
    #[inline]
    pub(super) const fn pages(pages: usize) -> Self {
        Self { pages, align: PAGE_SIZE }
    }
}

/// What an area is for: [`AreaKind`] without its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Vmalloc = 0,
    Ioremap = 1,
    Vmap = 2,
    Module = 3,
}

impl Purpose {
    /// The purpose as it stands in words beside a page's address.
    #[inline]
    pub(super) const fn bits(self) -> usize {
        (self as usize) << PURPOSE_SHIFT
    }
}

/// Who frees an area: a call for this purpose, in the name of this owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    pub(super) purpose: Purpose,
    pub(super) tag: Tag,
}

impl Owner {
    /// Whoever calls vfree.
    pub(super) const VFREE: Self = Self { purpose: Purpose::Vmalloc, tag: Tag::Vmalloc };
    /// A value that has an area of vmalloc.
    pub(crate) const VALUE: Self = Self { purpose: Purpose::Vmalloc, tag: Tag::Value };
    /// Whoever calls vunmap.
    pub(super) const VUNMAP: Self = Self { purpose: Purpose::Vmap, tag: Tag::None };

    /// The owner as it stands in words beside a page's address.
    #[inline]
    pub(super) const fn bits(self) -> usize {
        self.purpose.bits() | (self.tag as usize) << TAG_SHIFT
    }
}

/// Who owns an area's addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AreaState {
    /// The call that builds the area: it cannot be freed.
    Closed,
    /// Its owner, or the call that is freeing it.
    Open,
    /// No owner: they are lazy, or free for the next owner.
    Free,
}

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
/// All bits, so that it can be set without a look at them.
const FREE: u64 = 3;
const STATE: u64 = 3;
const PURPOSE_SHIFT: u32 = 2;
const PURPOSE: u64 = 3 << PURPOSE_SHIFT;
const TAG_SHIFT: u32 = 4;
const TAG: u64 = 0x3f << TAG_SHIFT;

/// The place of an area's entry in the index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IndexSlot(u16);

impl IndexSlot {
    /// Nowhere.
    pub(super) const NONE: Self = Self(u16::MAX);

    /// The slot with this number, below 65535.
    pub(super) const fn new(number: usize) -> Self {
        Self(number as u16)
    }

    /// Its number; beyond every index for none.
    pub(super) const fn number(self) -> usize {
        self.0 as usize
    }
}

/// The descriptor of an area. It stays in the tree while the area is free.
///
/// The fields that every owner uses come first, in one cache line.
#[repr(C)]
pub(crate) struct VmArea {
    pub(crate) start: VirtAddr,
    /// Mapped pages; one unmapped guard page follows them.
    pub(super) pages: usize,
    /// The state and, of the last owner, the purpose, the tag and, above the page offset, the kind's address. In one
    /// word, so that no reader sees half of a change.
    pub(super) word: AtomicU64,
    pub(super) caller: AtomicPtr<Location<'static>>,
    /// The next area of the chain that this one is in; used by the owner of the chain.
    pub(super) next: Cell<Option<AreaRef>>,
    /// Its place in the index; used by the call that closed the area, and while it is open under the tree's lock.
    pub(super) slot: Cell<IndexSlot>,
    /// The level in the tree: 1 for a leaf.
    pub(super) level: Cell<u8>,
    pub(super) left: Cell<Option<AreaRef>>,
    pub(super) right: Cell<Option<AreaRef>>,
    /// Start of the first area and end of the last in this subtree, and the largest gap between two of them, in bytes.
    pub(super) first: Cell<VirtAddr>,
    pub(super) last: Cell<VirtAddr>,
    pub(super) max_gap: Cell<usize>,
}

/// An area that exists. The cells of the tree are used under the tree's lock only, the others by the owner that each
/// field names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AreaRef(NonNull<VmArea>);

// SAFETY: an area's cells are used by one at a time (the rule above), its other fields are atomics or never change.
unsafe impl Send for AreaRef {}

impl Deref for AreaRef {
    type Target = VmArea;

    #[inline]
    fn deref(&self) -> &VmArea {
        // SAFETY: an `AreaRef` is made by `init` and not used any more once the area's memory is given back.
        unsafe { self.0.as_ref() }
    }
}

impl AreaRef {
    /// Writes a descriptor to `at`.
    ///
    /// # Safety
    /// `at` must be aligned and valid for a `VmArea` that nothing else uses until the area goes.
    pub(super) unsafe fn init(at: NonNull<u8>, area: VmArea) -> Self {
        let at = at.cast::<VmArea>();
        // SAFETY: the contract promises room and alignment.
        unsafe { at.write(area) };
        Self(at)
    }

    /// The descriptor's address.
    pub(super) fn ptr(self) -> NonNull<u8> {
        self.0.cast()
    }
}

/// A place for an area, written by one CPU at a time; or by many, with `exchange` and `take` alone.
pub(super) struct AreaLink(AtomicPtr<VmArea>);

impl AreaLink {
    /// No area.
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    #[inline]
    pub(super) fn get(&self) -> Option<AreaRef> {
        NonNull::new(self.0.load(Relaxed)).map(AreaRef)
    }

    /// Sets it if `before` is there, and hands over what the caller has written to `area`; else returns what is there.
    pub(super) fn exchange(&self, before: Option<AreaRef>, area: AreaRef) -> Result<(), Option<AreaRef>> {
        let before = before.map_or(core::ptr::null_mut(), |area| area.0.as_ptr());
        let exchanged = self.0.compare_exchange(before, area.0.as_ptr(), Release, Relaxed);
        exchanged.map(|_| ()).map_err(|other| NonNull::new(other).map(AreaRef))
    }

    /// Takes the area that is there.
    pub(super) fn take(&self) -> Option<AreaRef> {
        NonNull::new(self.0.swap(core::ptr::null_mut(), Acquire)).map(AreaRef)
    }

    /// Sets it; returns the area that was there before.
    pub(super) fn replace(&self, area: Option<AreaRef>) -> Option<AreaRef> {
        let before = self.get();
        self.set(area);
        before
    }

    #[inline]
    pub(super) fn set(&self, area: Option<AreaRef>) {
        self.0.store(area.map_or(core::ptr::null_mut(), |area| area.0.as_ptr()), Relaxed);
    }
}

impl VmArea {
    /// A descriptor that is in no tree yet, of a free area.
    pub(super) fn new(start: VirtAddr, pages: usize) -> Self {
        Self {
            start,
            pages,
            word: AtomicU64::new(FREE),
            caller: AtomicPtr::new(core::ptr::null_mut()),
            next: Cell::new(None),
            slot: Cell::new(IndexSlot::NONE),
            level: Cell::new(1),
            left: Cell::new(None),
            right: Cell::new(None),
            first: Cell::new(start),
            last: Cell::new(start),
            max_gap: Cell::new(0),
        }
    }

    /// Gives an area that only the caller uses a purpose. It is closed then.
    #[inline]
    pub(super) fn assign(&self, kind: AreaKind, tag: Tag, caller: &'static Location<'static>) {
        self.caller.store(core::ptr::from_ref(caller).cast_mut(), Relaxed);
        self.word.store(CLOSED | kind.bits() | (tag as u64) << TAG_SHIFT, Relaxed);
    }

    /// Opens an area that was assigned and that only the caller uses. Returns the owner as it stands in words beside a
    /// page's address.
    #[inline]
    pub(super) fn open(&self) -> usize {
        let word = self.word.load(Relaxed);
        self.word.store(word | OPEN, Release);
        word as usize & (PURPOSE | TAG) as usize
    }

    /// Closes an open area: one that is not in the index under the tree's lock, or one that is closed there.
    pub(super) fn close(&self) {
        self.word.store(self.word.load(Relaxed) & !STATE, Relaxed);
    }

    /// Makes an area free that only the caller uses.
    #[inline]
    pub(super) fn set_free(&self) {
        self.word.store(self.word.load(Relaxed) | FREE, Relaxed);
    }

    /// What the area shows.
    #[inline]
    pub(super) fn kind(&self) -> AreaKind {
        AreaKind::in_word(self.word.load(Relaxed))
    }

    /// What the area is for.
    #[inline]
    pub(super) fn purpose(&self) -> Purpose {
        purpose_in(self.word.load(Relaxed))
    }

    /// Who frees the area.
    pub(super) fn owner(&self) -> Owner {
        let word = self.word.load(Relaxed);
        let tag = Tag::ALL.get(((word & TAG) >> TAG_SHIFT) as usize).copied().unwrap_or_default();
        Owner { purpose: purpose_in(word), tag }
    }

    /// The last caller that allocated it, as long as it is known.
    pub(super) fn caller(&self) -> Option<&'static Location<'static>> {
        // SAFETY: only `assign` stores a pointer here, of a reference that lives for ever, or until `forget_caller`.
        unsafe { self.caller.load(Relaxed).as_ref() }
    }

    /// Forgets the last caller if it lies in `places`; of a free area.
    pub(super) fn forget_caller(&self, places: Places<'_>) {
        let caller = self.caller.load(Relaxed);
        if places.has(VirtAddr::from_ptr(caller)) {
            // Unless the area has a new caller by now. A failure leaves that one there.
            let _: Result<_, _> = self.caller.compare_exchange(caller, core::ptr::null_mut(), Relaxed, Relaxed);
        }
    }

    /// Who owns its addresses.
    #[inline]
    pub(super) fn state(&self) -> AreaState {
        match self.word.load(Acquire) & STATE {
            OPEN => AreaState::Open,
            FREE => AreaState::Free,
            _ => AreaState::Closed,
        }
    }

    /// Whether the state is `Open`.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.state() == AreaState::Open
    }

    /// Bytes of the mapped pages.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.pages * PAGE_SIZE
    }

    /// First address after the guard page.
    #[inline]
    pub(super) fn end(&self) -> VirtAddr {
        self.start.add(self.bytes() + PAGE_SIZE)
    }
}

#[inline]
const fn purpose_in(word: u64) -> Purpose {
    match (word & PURPOSE) >> PURPOSE_SHIFT {
        1 => Purpose::Ioremap,
        2 => Purpose::Vmap,
        3 => Purpose::Module,
        _ => Purpose::Vmalloc,
    }
}
