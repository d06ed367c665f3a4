//! Where an object is: one byte before the descriptor of its slab.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Where an object is.
#[repr(transparent)]
pub(super) struct ObjectState(AtomicU8);

/// Where the state of an object is: the address behind it, which is the fast paths' cheapest form.
#[derive(Clone, Copy)]
pub(super) struct StateSlot(NonNull<u8>);

impl StateSlot {
    /// The slot of object `number`.
    ///
    /// # Safety
    /// Before `descriptor` lie states; the slot is used only if `number` is less than
    /// [`PLACES_MAX`](super::descriptor::PLACES_MAX). It has 32 bits at most.
    #[inline]
    pub(super) unsafe fn new(descriptor: NonNull<u8>, number: usize) -> Self {
        // SAFETY: descriptors are in the direct map, which starts beyond 32 bits, as host addresses do.
        Self(unsafe { NonNull::new_unchecked(descriptor.as_ptr().wrapping_sub(number)) })
    }

    /// Its address.
    pub(super) fn addr(self) -> usize {
        self.0.as_ptr().addr()
    }

    /// The state. Its slab must still exist.
    #[inline]
    pub(super) fn state(&self) -> &ObjectState {
        let state = self.0.as_ptr().wrapping_sub(1).cast::<ObjectState>();
        // SAFETY: slots are made for numbers below `PLACES_MAX`, whose states lie in the slab or, where a descriptor
        // is damaged, in memory before it; the slab of an object that is out stays.
        unsafe { &*state }
    }
}

/// The states are bytes that data seldom has: one that was overwritten is then none of them.
impl ObjectState {
    /// In its slab.
    pub(super) const FREE: u8 = 0xd3;
    /// In a magazine, or on its way to or from its owner.
    pub(super) const CACHED: u8 = 0xc6;
    /// In quarantine.
    pub(super) const QUARANTINED: u8 = 0x95;
    /// Allocated.
    pub(super) const LIVE: u8 = 0xb9;
    /// A place without an object, behind the last one.
    pub(super) const NONE: u8 = 0xae;

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
