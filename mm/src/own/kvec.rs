//! A growing array in kmalloc'ed memory: at most 131072 bytes.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::{Allocator, Global, Kmalloc};
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// An owned array that grows as long as kmalloc has a class for it.
pub struct KVec<T, K: Global> {
    memory: NonNull<T>,
    len: usize,
    capacity: usize,
    owner: PhantomData<(T, K)>,
}

// SAFETY: the vector owns its values as an array would.
unsafe impl<T: Send, K: Global> Send for KVec<T, K> {}
// SAFETY: as above.
unsafe impl<T: Sync, K: Global> Sync for KVec<T, K> {}

impl<T, K: Global> KVec<T, K> {
    /// An empty vector without memory.
    pub const fn new() -> Self {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= size_of::<T>()) };
        Self { memory: NonNull::dangling(), len: 0, capacity: 0, owner: PhantomData }
    }

    /// An empty vector with room for `capacity` values. Sleeps if `gfp` allows it.
    #[track_caller]
    pub fn with_capacity(capacity: usize, gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut vec = Self::new();
        vec.reserve(capacity, gfp)?;
        Ok(vec)
    }

    /// Makes room for `more` further values. The capacity at least doubles when it grows.
    #[track_caller]
    pub fn reserve(&mut self, more: usize, gfp: GfpFlags) -> Result<(), AllocError> {
        let needed = self.len.checked_add(more).ok_or(AllocError)?;
        if needed <= self.capacity {
            return Ok(());
        }
        let layout = Layout::array::<T>(needed).map_err(|_| AllocError)?;
        let memory = match self.capacity {
            0 => Kmalloc::<K>::alloc(layout, gfp)?,
            // SAFETY: the memory came from kmalloc, and has the values.
            _ => unsafe { Kmalloc::<K>::grow(self.memory.cast(), self.len * size_of::<T>(), layout, gfp)? },
        };
        // A class is at least as large as asked for and each is twice the one before: growth is geometric.
        self.capacity = memory.len() / size_of::<T>();
        self.memory = memory.cast();
        Ok(())
    }

    /// Appends a value; without memory the value is dropped and the vector stays as it was.
    #[track_caller]
    pub fn push(&mut self, value: T, gfp: GfpFlags) -> Result<(), AllocError> {
        self.insert(self.len, value, gfp)
    }

    /// Puts a value before the one at `index`. Panics if `index` is beyond the end.
    #[track_caller]
    pub fn insert(&mut self, index: usize, value: T, gfp: GfpFlags) -> Result<(), AllocError> {
        assert!(index <= self.len, "insert beyond the end");
        self.reserve(1, gfp)?;
        // SAFETY: there is room for one more value behind the last.
        let place = unsafe { self.memory.add(self.len) };
        // SAFETY: as above.
        unsafe { place.write(value) };
        self.len += 1;
        self[index..].rotate_right(1);
        Ok(())
    }

    /// Takes the value at `index` out; the others keep their order. Panics if there is none.
    #[track_caller]
    pub fn remove(&mut self, index: usize) -> T {
        assert!(index < self.len, "remove beyond the end");
        self[index..].rotate_left(1);
        self.len -= 1;
        // SAFETY: the place is within the memory.
        let place = unsafe { self.memory.add(self.len) };
        // SAFETY: a value stands there that the shorter vector does not hold any more.
        unsafe { place.read() }
    }

    /// Takes the value at `index` out and puts the last one in its place. Panics if there is none.
    #[track_caller]
    pub fn swap_remove(&mut self, index: usize) -> T {
        let last = self.len - 1;
        self.swap(index, last);
        self.remove(last)
    }

    /// Takes the last value.
    pub fn pop(&mut self) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        Some(self.remove(last))
    }

    /// Drops all values from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        let tail: *mut [T] = &raw mut self[len..];
        self.len = len;
        // SAFETY: the shorter vector does not hold these values any more.
        unsafe { tail.drop_in_place() };
    }

    /// Drops all values; the memory stays.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the values that `keep` says yes to, in order.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let mut index = 0;
        while index < self.len {
            if keep(&self[index]) {
                index += 1;
            } else {
                drop(self.remove(index));
            }
        }
    }

    /// Appends copies of `values`.
    #[track_caller]
    pub fn extend_from_slice(&mut self, values: &[T], gfp: GfpFlags) -> Result<(), AllocError>
    where
        T: Clone,
    {
        self.reserve(values.len(), gfp)?;
        values.iter().try_for_each(|value| self.push(value.clone(), gfp))
    }

    /// Shortens the vector to `len` values or fills it up to `len` with copies of `value`.
    #[track_caller]
    pub fn resize(&mut self, len: usize, value: T, gfp: GfpFlags) -> Result<(), AllocError>
    where
        T: Clone,
    {
        self.reserve(len.saturating_sub(self.len), gfp)?;
        self.truncate(len);
        while self.len < len {
            self.push(value.clone(), gfp)?;
        }
        Ok(())
    }

    /// Takes all values out, one after the other; what is left of them when the iterator is dropped is dropped too. The
    /// memory stays.
    pub fn drain_all(&mut self) -> Drain<'_, T, K> {
        let len = core::mem::take(&mut self.len);
        Drain { vec: self, next: 0, len }
    }

    /// Values that fit without more memory.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The values.
    pub fn as_slice(&self) -> &[T] {
        self
    }

    fn free(&self) {
        if self.capacity > 0 {
            // SAFETY: the memory came from kmalloc, and the vector is about to go.
            unsafe { Kmalloc::<K>::free(self.memory.cast()) };
        }
    }
}

impl<T, K: Global> Default for KVec<T, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, K: Global> Deref for KVec<T, K> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the first `len` values exist; without memory the pointer is aligned and the length 0.
        unsafe { core::slice::from_raw_parts(self.memory.as_ptr(), self.len) }
    }
}

impl<T, K: Global> DerefMut for KVec<T, K> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and nobody else holds the vector.
        unsafe { core::slice::from_raw_parts_mut(self.memory.as_ptr(), self.len) }
    }
}

impl<T, K: Global> Drop for KVec<T, K> {
    fn drop(&mut self) {
        self.clear();
        self.free();
    }
}

/// The values of a vector, one after the other.
pub struct IntoIter<T, K: Global> {
    vec: ManuallyDrop<KVec<T, K>>,
    next: usize,
}

impl<T, K: Global> IntoIterator for KVec<T, K> {
    type Item = T;
    type IntoIter = IntoIter<T, K>;

    fn into_iter(self) -> IntoIter<T, K> {
        IntoIter { vec: ManuallyDrop::new(self), next: 0 }
    }
}

impl<T, K: Global> Iterator for IntoIter<T, K> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let value: *const T = self.vec.get(self.next)?;
        self.next += 1;
        // SAFETY: each value is read once, and the vector does not drop it.
        Some(unsafe { value.read() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.vec.len - self.next;
        (left, Some(left))
    }
}

impl<T, K: Global> DoubleEndedIterator for IntoIter<T, K> {
    fn next_back(&mut self) -> Option<T> {
        let last = self.vec.len.checked_sub(1).filter(|&last| last >= self.next)?;
        self.vec.len = last;
        // SAFETY: the place is within the memory.
        let place = unsafe { self.vec.memory.add(last) };
        // SAFETY: a value stands there that the shorter vector does not hold any more.
        Some(unsafe { place.read() })
    }
}

impl<T, K: Global> ExactSizeIterator for IntoIter<T, K> {}

impl<T, K: Global> Drop for IntoIter<T, K> {
    fn drop(&mut self) {
        while self.next().is_some() {}
        self.vec.free();
    }
}

/// The values that [`KVec::drain_all`] takes out.
pub struct Drain<'a, T, K: Global> {
    vec: &'a mut KVec<T, K>,
    next: usize,
    len: usize,
}

impl<T, K: Global> Iterator for Drain<'_, T, K> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.next == self.len {
            return None;
        }
        // SAFETY: the place is within the memory.
        let place = unsafe { self.vec.memory.add(self.next) };
        self.next += 1;
        // SAFETY: a value stands there, which the vector, empty now, does not hold any more; each is read once.
        Some(unsafe { place.read() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len - self.next, Some(self.len - self.next))
    }
}

impl<T, K: Global> ExactSizeIterator for Drain<'_, T, K> {}

impl<T, K: Global> Drop for Drain<'_, T, K> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl<'a, T, K: Global> IntoIterator for &'a mut KVec<T, K> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<'a, T, K: Global> IntoIterator for &'a KVec<T, K> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: fmt::Debug, K: Global> fmt::Debug for KVec<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
