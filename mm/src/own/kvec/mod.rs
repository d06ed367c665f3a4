//! A growing array in memory from kmalloc, from vmalloc, or from either.
//!
//! `room.rs` is the memory, `edit.rs` what moves or drops many values at once, `iter.rs` the iterators that take values
//! out. Whatever a value's own code does, a panic in the middle of a call included, each value is dropped once at most
//! and the memory is freed.

mod edit;
mod iter;
mod room;

use core::fmt;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::{Allocator, KVmalloc, Kmalloc, Vmalloc};
use crate::error::AllocError;
use crate::gfp::GfpFlags;

pub use iter::{Drain, IntoIter};
use room::Room;

/// An owned array that grows as long as its allocator has memory for it.
///
/// As `Vec`, but what may allocate takes GFP flags and may fail, and a place that does not exist is told by the result:
/// no method panics. (Indexing does, as with every slice; `get` does not.) Sorting, searching, comparing: as with
/// slices.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::KVec;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut primes = KVec::<u32, TestKernel>::from_slice(&[7, 3, 5], GfpFlags::KERNEL)?;
/// primes.push(2, GfpFlags::ATOMIC)?;
/// primes.sort_unstable();
/// assert_eq!(primes, [2, 3, 5, 7]);
/// assert_eq!((primes.remove(0), primes.remove(9), primes.pop()), (Some(2), None, Some(7)));
/// assert!(primes.reserve(200_000, GfpFlags::KERNEL).is_err(), "more than kmalloc has a class for");
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct Vec<T, A: Allocator> {
    room: Room<T, A>,
    /// Values in the first places.
    len: usize,
}

/// A vector in kmalloc'ed memory: at most 131072 bytes.
pub type KVec<T, K> = Vec<T, Kmalloc<K>>;
/// A vector in an area of vmalloc.
pub type VVec<T, K> = Vec<T, Vmalloc<K>>;
/// A vector in memory from kmalloc or, where that has none, from vmalloc.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::KVVec;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut squares = KVVec::<usize, TestKernel>::new();
/// (0..100_000).try_for_each(|n| squares.push(n * n, GfpFlags::KERNEL))?;
/// assert_eq!(squares[70_000], 4_900_000_000);
/// # Ok::<(), mm::AllocError>(())
/// ```
pub type KVVec<T, K> = Vec<T, KVmalloc<K>>;

impl<T, A: Allocator> Vec<T, A> {
    /// An empty vector without memory.
    pub const fn new() -> Self {
        Self { room: Room::none(), len: 0 }
    }

    /// An empty vector with room for `capacity` values. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn with_capacity(capacity: usize, gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut vec = Self::new();
        vec.reserve(capacity, gfp)?;
        Ok(vec)
    }

    /// Makes room for `more` further values. The capacity at least doubles when it grows. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn reserve(&mut self, more: usize, gfp: GfpFlags) -> Result<(), AllocError> {
        let needed = self.len.checked_add(more).ok_or(AllocError)?;
        if needed <= self.room.capacity() { Ok(()) } else { self.room.grow(self.len, needed, gfp) }
    }

    /// Appends a value; without memory the value is dropped and the vector stays as it was. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn push(&mut self, value: T, gfp: GfpFlags) -> Result<(), AllocError> {
        self.reserve(1, gfp)?;
        // SAFETY: there is room for one more value behind the last.
        unsafe { self.room.place(self.len).write(value) };
        self.len += 1;
        Ok(())
    }

    /// Puts a value before the one at `index`, or at the end; fails without memory, and beyond the end. The value is
    /// dropped then and the vector stays as it was. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory, or an index beyond the end.
    #[track_caller]
    pub fn insert(&mut self, index: usize, value: T, gfp: GfpFlags) -> Result<(), AllocError> {
        let behind = self.len.checked_sub(index).ok_or(AllocError)?;
        self.reserve(1, gfp)?;
        let place = self.room.place(index);
        // SAFETY: the values from `index` on move up by one place, the last of them to one that there is room for.
        unsafe { place.copy_to(self.room.place(index + 1), behind) };
        // SAFETY: what stood in that place has moved.
        unsafe { place.write(value) };
        self.len += 1;
        Ok(())
    }

    /// Takes the value at `index` out, if there is one; the others keep their order.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        let behind = self.len.checked_sub(index)?.checked_sub(1)?;
        let place = self.room.place(index);
        // SAFETY: a value stands there; the next move writes over it, or the shorter vector does not hold it any more.
        let value = unsafe { place.read() };
        // SAFETY: the values behind it move down by one place.
        unsafe { place.copy_from(self.room.place(index + 1), behind) };
        self.len -= 1;
        Some(value)
    }

    /// Takes the value at `index` out, if there is one, and puts the last one in its place.
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        let last = self.len.checked_sub(1).filter(|&last| index <= last)?;
        self.swap(index, last);
        self.pop()
    }

    /// Takes the last value.
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: a value stands there that the shorter vector does not hold any more.
        Some(unsafe { self.room.place(self.len).read() })
    }

    /// Values that fit without more memory.
    pub const fn capacity(&self) -> usize {
        self.room.capacity()
    }

    /// Bytes of memory that the vector costs, without what its values own elsewhere: 0 before the first.
    pub fn footprint(&self) -> usize {
        if self.capacity() == 0 { 0 } else { A::footprint(self.room.place(0).cast()) }
    }

    /// The values.
    pub fn as_slice(&self) -> &[T] {
        self
    }

    /// The values, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }

    /// The places `from..to` as a slice, with or without values.
    fn places(&self, from: usize, to: usize) -> NonNull<[T]> {
        NonNull::slice_from_raw_parts(self.room.place(from), to - from)
    }
}

impl<T, A: Allocator> Default for Vec<T, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, A: Allocator> Deref for Vec<T, A> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the first `len` values exist; without memory the pointer is aligned and the length 0.
        unsafe { self.places(0, self.len).as_ref() }
    }
}

impl<T, A: Allocator> DerefMut for Vec<T, A> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the vector is borrowed exclusively.
        unsafe { self.places(0, self.len).as_mut() }
    }
}

impl<T, A: Allocator> Drop for Vec<T, A> {
    fn drop(&mut self) {
        let values = self.places(0, self.len);
        self.len = 0;
        // SAFETY: the vector does not hold these values any more. The memory goes after this, with the room.
        unsafe { values.drop_in_place() };
    }
}

impl<T: fmt::Debug, A: Allocator> fmt::Debug for Vec<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
