//! The memory of a vector: places for values.
//! Which places hold a value is for the vector to know.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::own::Allocator;

/// Memory for values, which frees itself. The vector knows which places hold values.
pub(super) struct Room<T, A: Allocator> {
    start: NonNull<T>,
    capacity: usize,
    owner: PhantomData<(T, A)>,
}

// SAFETY: the room owns its memory, whose values are owned through it.
unsafe impl<T: Send, A: Allocator> Send for Room<T, A> {}
// SAFETY: as above.
unsafe impl<T: Sync, A: Allocator> Sync for Room<T, A> {}

impl<T, A: Allocator> Room<T, A> {
    /// No memory. Types without size, or with an alignment beyond it, do not compile.
    pub(super) const fn none() -> Self {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= size_of::<T>()) };
        Self { start: NonNull::dangling(), capacity: 0, owner: PhantomData }
    }

    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The place of a value; the capacity is the place behind the last.
    #[inline]
    pub(super) fn place(&self, index: usize) -> NonNull<T> {
        debug_assert!(index <= self.capacity);
        // SAFETY: the place lies in the memory or at its end.
        unsafe { self.start.add(index) }
    }

    /// Has at least `needed` places, which is more than there are; the first `used` keep what they hold.
    #[cold]
    #[track_caller]
    pub(super) fn grow(&mut self, used: usize, needed: usize, gfp: GfpFlags) -> Result<(), AllocError> {
        // A class is twice the one before, and so growth is geometric there anyway. No allocator hands out more than
        // half of all addresses.
        let wanted = needed.max(self.capacity.saturating_mul(2));
        let layout = Layout::array::<T>(wanted).or_else(|_| Layout::array::<T>(needed)).map_err(|_| AllocError)?;
        let memory = match self.capacity {
            0 => A::alloc(layout, gfp)?,
            // SAFETY: the memory came from this allocator, and has the values.
            _ => unsafe { A::grow(self.start.cast(), used * size_of::<T>(), layout, gfp)? },
        };
        self.capacity = memory.len() / size_of::<T>();
        self.start = memory.cast();
        Ok(())
    }
}

impl<T, A: Allocator> Drop for Room<T, A> {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: the memory came from this allocator, and the vector is gone.
            unsafe { A::free(self.start.cast()) };
        }
    }
}
