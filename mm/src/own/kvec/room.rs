//! The memory of a vector: places for values.
//! Which places hold a value is for the vector to know.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::own::{Allocator, Global, Kmalloc};

/// Memory for values, which frees itself. The vector knows which places hold values.
pub(super) struct Room<T, K: Global> {
    start: NonNull<T>,
    capacity: usize,
    owner: PhantomData<(T, K)>,
}

// SAFETY: the room owns its memory, whose values are owned through it.
unsafe impl<T: Send, K: Global> Send for Room<T, K> {}
// SAFETY: as above.
unsafe impl<T: Sync, K: Global> Sync for Room<T, K> {}

impl<T, K: Global> Room<T, K> {
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
        let layout = Layout::array::<T>(needed).map_err(|_| AllocError)?;
        let memory = match self.capacity {
            0 => Kmalloc::<K>::alloc(layout, gfp)?,
            // SAFETY: the memory came from kmalloc, and has the values.
            _ => unsafe { Kmalloc::<K>::grow(self.start.cast(), used * size_of::<T>(), layout, gfp)? },
        };
        // A class is at least as large as asked for and each is twice the one before: growth is geometric.
        self.capacity = memory.len() / size_of::<T>();
        self.start = memory.cast();
        Ok(())
    }
}

impl<T, K: Global> Drop for Room<T, K> {
    fn drop(&mut self) {
        if self.capacity > 0 {
            // SAFETY: the memory came from kmalloc, and the vector is gone.
            unsafe { Kmalloc::<K>::free(self.start.cast()) };
        }
    }
}
