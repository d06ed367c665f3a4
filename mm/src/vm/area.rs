//! One vm area: a range of synthetic addresses, its guard page, and its place in the tree.

use core::cell::Cell;
use core::ops::Deref;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};

use super::FrameChain;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

/// What an area shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AreaKind {
    /// Pages of its own.
    Vmalloc,
    /// Device memory that starts at this page-aligned address.
    Ioremap(PhysAddr),
    /// Pages that somebody has elsewhere too.
    Vmap,
}

/// Whose an area's addresses are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AreaState {
    /// Somebody's who builds it or takes it apart: it cannot be freed.
    Closed,
    /// Its owner's.
    Open,
    /// Nobody's: they wait for the flush that covers them, or for the next owner.
    Free,
}

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const FREE: u64 = 2;
const STATE: u64 = 3;
const VMALLOC: u64 = 0 << 2;
const IOREMAP: u64 = 1 << 2;
const VMAP: u64 = 2 << 2;
const KIND: u64 = 7 << 2;

/// The descriptor of an area. It stays in the tree while the area's range waits for its next owner.
pub(crate) struct VmArea {
    pub(crate) start: VirtAddr,
    /// Mapped pages; one unmapped guard page follows them.
    pub(crate) pages: usize,
    /// State, kind and, above the page offset, the kind's address. In one word, so that nobody sees half of a change.
    word: AtomicU64,
    caller: AtomicPtr<Location<'static>>,
    /// The next area of the queue that this one waits in; that queue's owner's.
    pub(super) next: Cell<Option<AreaRef>>,
    /// The frames that wait for the flush; of whoever closed the area.
    pub(crate) frames: Cell<FrameChain>,
    /// The level in the tree: 1 for a leaf.
    pub(super) level: Cell<u8>,
    pub(super) left: Cell<Option<AreaRef>>,
    pub(super) right: Cell<Option<AreaRef>>,
    /// Start of the first area and end of the last in this subtree, and the largest gap between two of them, in bytes.
    pub(super) first: Cell<VirtAddr>,
    pub(super) last: Cell<VirtAddr>,
    pub(super) max_gap: Cell<usize>,
}

/// An area that exists. The cells of the tree are used under the tree's lock only, the others by who is said to own them.
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
    pub(crate) unsafe fn init(at: NonNull<u8>, area: VmArea) -> Self {
        let at = at.cast::<VmArea>();
        // SAFETY: the contract promises room and alignment.
        unsafe { at.write(area) };
        Self(at)
    }

    /// The descriptor's address.
    pub(crate) fn ptr(self) -> NonNull<u8> {
        self.0.cast()
    }
}

impl VmArea {
    /// A descriptor that is in no tree yet, of a closed area without a purpose.
    pub(crate) fn new(start: VirtAddr, pages: usize) -> Self {
        Self {
            start,
            pages,
            word: AtomicU64::new(CLOSED),
            caller: AtomicPtr::new(core::ptr::null_mut()),
            next: Cell::new(None),
            frames: Cell::new(FrameChain::EMPTY),
            level: Cell::new(1),
            left: Cell::new(None),
            right: Cell::new(None),
            first: Cell::new(start),
            last: Cell::new(start),
            max_gap: Cell::new(0),
        }
    }

    /// Gives an area that is the caller's alone a purpose. It is closed.
    #[inline]
    pub(crate) fn assign(&self, kind: AreaKind, caller: &'static Location<'static>) {
        let kind = match kind {
            AreaKind::Vmalloc => VMALLOC,
            AreaKind::Ioremap(phys) => IOREMAP | phys.as_u64(),
            AreaKind::Vmap => VMAP,
        };
        self.caller.store(core::ptr::from_ref(caller).cast_mut(), Relaxed);
        self.word.store(CLOSED | kind, Relaxed);
    }

    /// What the area shows.
    #[inline]
    pub(crate) fn kind(&self) -> AreaKind {
        let word = self.word.load(Relaxed);
        match word & KIND {
            IOREMAP => AreaKind::Ioremap(PhysAddr::new(word & !(PAGE_SIZE as u64 - 1))),
            VMAP => AreaKind::Vmap,
            _ => AreaKind::Vmalloc,
        }
    }

    /// Who asked for it last.
    pub(crate) fn caller(&self) -> &'static Location<'static> {
        // SAFETY: only `assign` stores here, a reference that lives for ever; before, the pointer is null.
        unsafe { self.caller.load(Relaxed).as_ref() }.unwrap_or(Location::caller())
    }

    /// Whose it is.
    #[inline]
    pub(crate) fn state(&self) -> AreaState {
        match self.word.load(Relaxed) & STATE {
            OPEN => AreaState::Open,
            FREE => AreaState::Free,
            _ => AreaState::Closed,
        }
    }

    /// Changes the state. From `Closed` whoever closed it may do so, from `Open` who has the tree's lock, from `Free` who has
    /// the lock of the queue that it waits in.
    #[inline]
    pub(crate) fn set_state(&self, state: AreaState) {
        let bits = match state {
            AreaState::Closed => CLOSED,
            AreaState::Open => OPEN,
            AreaState::Free => FREE,
        };
        self.word.store(self.word.load(Relaxed) & !STATE | bits, Relaxed);
    }

    /// Bytes of the mapped pages.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.pages * PAGE_SIZE
    }

    /// First address after the guard page.
    #[inline]
    pub(crate) fn end(&self) -> VirtAddr {
        self.start.add(self.bytes() + PAGE_SIZE)
    }
}
