//! A table of callers: a place for each frame.
//!
//! Key types: [`OwnerTable`], [`OwnerPlace`].

use core::panic::Location;

use crate::addr::{Pfn, VirtAddr};
use crate::atomic::{AtomicPtr, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use crate::places::Places;

/// The place for a block's caller: null for none.
pub(super) struct OwnerPlace(AtomicPtr<Location<'static>>);

impl OwnerPlace {
    /// Notes a caller.
    pub(super) fn set(&self, caller: &'static Location<'static>) {
        self.0.store(core::ptr::from_ref(caller).cast_mut(), Relaxed);
    }

    /// The last caller, if it is known.
    pub(super) fn get(&self) -> Option<&'static Location<'static>> {
        // SAFETY: `set` stores a reference that lives for ever, or until `forget`.
        unsafe { self.0.load(Relaxed).as_ref() }
    }

    /// Forgets the caller if it lies in `places`.
    pub(super) fn forget(&self, places: Places<'_>) {
        let caller = self.0.load(Relaxed);
        if places.has(VirtAddr::from_ptr(caller)) {
            // Unless there is a new one by now. A failure leaves that one there.
            let _: Result<_, _> = self.0.compare_exchange(caller, core::ptr::null_mut(), Relaxed, Relaxed);
        }
    }
}

/// The table, once there is one.
pub(super) struct OwnerTable(AtomicPtr<OwnerPlace>);

impl OwnerTable {
    /// No table.
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// Has `table` be the table.
    ///
    /// # Safety
    /// It is aligned memory of zeros that nobody else uses for ever, with a place for each frame that will be asked
    /// for.
    pub(super) unsafe fn set(&self, table: VirtAddr) {
        self.0.store(table.as_mut_ptr(), Release);
    }

    /// Where the table's address stands: 0 while there is none.
    pub(super) fn word(&self) -> VirtAddr {
        VirtAddr::from_ptr(&raw const self.0)
    }

    /// The place of a frame, if there is a table.
    pub(super) fn place(&self, frame: Pfn) -> Option<&OwnerPlace> {
        let table = self.0.load(Acquire);
        if table.is_null() {
            return None;
        }
        // SAFETY: the table has a place for the frame, by the contract of `set`.
        let place = unsafe { table.add(frame.index()) };
        // SAFETY: as above; zeros are null pointers.
        Some(unsafe { &*place })
    }
}
