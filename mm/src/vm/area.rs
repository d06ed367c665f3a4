//! One vm area: a range of synthetic addresses, its guard page, and its place in the tree.

use core::cell::Cell;
use core::ops::Deref;
use core::panic::Location;
use core::ptr::NonNull;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

/// What an area shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AreaKind {
    /// Pages of its own.
    Vmalloc,
    /// Device memory that starts at this page-aligned address.
    Ioremap(PhysAddr),
}

/// The descriptor of an area.
pub(crate) struct VmArea {
    pub(crate) start: VirtAddr,
    /// Mapped pages; one unmapped guard page follows them.
    pub(crate) pages: usize,
    pub(crate) kind: AreaKind,
    pub(crate) caller: &'static Location<'static>,
    /// Set while the area is being built or taken apart: its range is taken, but nobody can free it.
    pub(crate) closed: Cell<bool>,
    pub(super) priority: u32,
    pub(super) left: Cell<Option<AreaRef>>,
    pub(super) right: Cell<Option<AreaRef>>,
    /// Start of the first area and end of the last in this subtree, and the largest gap between two of them, in bytes.
    pub(super) first: Cell<VirtAddr>,
    pub(super) last: Cell<VirtAddr>,
    pub(super) max_gap: Cell<usize>,
}

/// An area that exists. Its cells are read and written under the tree's lock only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AreaRef(NonNull<VmArea>);

// SAFETY: an area's cells are used under the tree's lock (the rule above), its other fields never change.
unsafe impl Send for AreaRef {}

impl Deref for AreaRef {
    type Target = VmArea;

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
    /// A descriptor that is in no tree yet.
    pub(crate) fn new(start: VirtAddr, pages: usize, kind: AreaKind, caller: &'static Location<'static>) -> Self {
        Self {
            start,
            pages,
            kind,
            caller,
            closed: Cell::new(true),
            priority: 0,
            left: Cell::new(None),
            right: Cell::new(None),
            first: Cell::new(start),
            last: Cell::new(start),
            max_gap: Cell::new(0),
        }
    }

    /// Bytes of the mapped pages.
    pub(crate) fn bytes(&self) -> usize {
        self.pages * PAGE_SIZE
    }

    /// First address after the guard page.
    pub(crate) fn end(&self) -> VirtAddr {
        self.start.add(self.bytes() + PAGE_SIZE)
    }
}
