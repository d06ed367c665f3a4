//! A value that is set once while the machine boots, and read for ever after.
//!
//! [`spin::Once`] can be set at any time, so that each look at it is an atomic one. This one is set while only one CPU
//! runs and interrupts are off; its flag is a plain byte, which a compiler may test in one instruction.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// A place for a value that comes late.
pub(super) struct BootCell<T> {
    set: UnsafeCell<bool>,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: `set` is the only change, and by its contract no reader runs at that moment.
unsafe impl<T: Send + Sync> Sync for BootCell<T> {}

impl<T> BootCell<T> {
    pub(super) const fn new() -> Self {
        Self { set: UnsafeCell::new(false), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Has `init` make the value where it stays: it is too large to be handed over.
    ///
    /// # Safety
    /// Once, and while no reader can run: before other CPUs and interrupts are started.
    pub(super) unsafe fn set(&'static self, init: impl FnOnce(NonNull<T>) -> &'static T) {
        // A pointer and no `&mut`, which the first look at the value would end for all that descends from it.
        init(NonNull::from(&self.value).cast());
        // SAFETY: by the contract there is no reader.
        unsafe { *self.set.get() = true };
    }

    /// The value, once it is there.
    #[inline(always)]
    pub(super) fn get(&self) -> Option<&T> {
        // SAFETY: `set` does not run at the same time.
        if unsafe { !*self.set.get() } {
            return None;
        }
        // SAFETY: from `set` on the value does not change.
        let value = unsafe { &*self.value.get() };
        // SAFETY: it has been set.
        Some(unsafe { value.assume_init_ref() })
    }
}
