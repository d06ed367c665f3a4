//! Iterators that take values out of a vector.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::{Bound, RangeBounds};

use super::Vec;
use crate::own::Allocator;

/// The values of a vector, one after the other. What is left when it is dropped is dropped too.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::KVec;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut values = KVec::<_, TestKernel>::from_slice(&[1, 2, 3], GfpFlags::KERNEL)?.into_iter();
/// assert_eq!((values.next_back(), values.as_slice()), (Some(3), &[1, 2][..]));
/// assert_eq!(values.sum::<i32>(), 3);
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct IntoIter<T, A: Allocator> {
    /// Holds no values any more, only their memory.
    vec: Vec<T, A>,
    next: usize,
    end: usize,
}

/// The values that [`Vec::drain`] takes out. What is left when it is dropped is dropped too.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::KVec;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut vec = KVec::<_, TestKernel>::try_collect(0..6, GfpFlags::KERNEL)?;
/// assert!(vec.drain(1..4).is_some_and(|drained| drained.eq([1, 2, 3])));
/// assert!(vec.drain(2..9).is_none(), "there are three left");
/// assert_eq!(vec, [0, 4, 5]);
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct Drain<'a, T, A: Allocator> {
    /// Holds what stands before the values that go.
    vec: &'a mut Vec<T, A>,
    next: usize,
    end: usize,
    /// What stands behind them, `tail..len`, and moves down in the end.
    tail: usize,
    len: usize,
}

impl<T, A: Allocator> Vec<T, A> {
    /// Takes the values of a range out, one after the other; the others stay, in order, and so does the memory. `None`
    /// if the range is not within the vector.
    pub fn drain(&mut self, range: impl RangeBounds<usize>) -> Option<Drain<'_, T, A>> {
        let first = match range.start_bound() {
            Bound::Included(&first) => first,
            Bound::Excluded(&before) => before.checked_add(1)?,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.checked_add(1)?,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len,
        };
        (first <= end && end <= self.len).then(|| self.take_out(first, end))
    }

    /// Takes all values out, one after the other; the memory stays.
    pub fn drain_all(&mut self) -> Drain<'_, T, A> {
        self.take_out(0, self.len)
    }

    /// `first <= end <= len`. The vector is short as long as the drain lives: should that be forgotten, values are
    /// leaked.
    fn take_out(&mut self, first: usize, end: usize) -> Drain<'_, T, A> {
        let len = core::mem::replace(&mut self.len, first);
        Drain { vec: self, next: first, end, tail: end, len }
    }
}

impl<T, A: Allocator> IntoIterator for Vec<T, A> {
    type Item = T;
    type IntoIter = IntoIter<T, A>;

    fn into_iter(mut self) -> IntoIter<T, A> {
        let end = core::mem::take(&mut self.len);
        IntoIter { vec: self, next: 0, end }
    }
}

/// An iterator over the values in the places `next..end`, which it owns.
macro_rules! takes_values {
    ([$($generics:tt)*] $iter:ty) => {
        impl<$($generics)*> $iter {
            /// What is left.
            pub fn as_slice(&self) -> &[T] {
                // SAFETY: values stand there that were not taken.
                unsafe { self.vec.places(self.next, self.end).as_ref() }
            }

            /// Drops what is left, all of it even if one of the drops panics.
            fn drop_rest(&mut self) {
                let rest = self.vec.places(self.next, self.end);
                self.next = self.end;
                // SAFETY: values stand there that were not taken and will not be.
                unsafe { rest.drop_in_place() };
            }
        }

        impl<$($generics)*> Iterator for $iter {
            type Item = T;

            fn next(&mut self) -> Option<T> {
                let place = (self.next < self.end).then(|| self.vec.room.place(self.next))?;
                self.next += 1;
                // SAFETY: a value stands there, which is taken once.
                Some(unsafe { place.read() })
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                (self.end - self.next, Some(self.end - self.next))
            }
        }

        impl<$($generics)*> DoubleEndedIterator for $iter {
            fn next_back(&mut self) -> Option<T> {
                self.end = self.end.checked_sub(1).filter(|&last| last >= self.next)?;
                // SAFETY: as in `next`.
                Some(unsafe { self.vec.room.place(self.end).read() })
            }
        }

        impl<$($generics)*> ExactSizeIterator for $iter {}

        impl<$($generics)*> FusedIterator for $iter {}

        impl<$($generics)*> fmt::Debug for $iter
        where
            T: fmt::Debug,
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_slice().fmt(f)
            }
        }
    };
}

takes_values!([T, A: Allocator] IntoIter<T, A>);
takes_values!(['a, T, A: Allocator] Drain<'a, T, A>);

impl<T, A: Allocator> Drop for IntoIter<T, A> {
    fn drop(&mut self) {
        // The memory goes after this, with the vector.
        self.drop_rest();
    }
}

/// Closes the gap that a drain leaves.
struct Close<'d, 'a, T, A: Allocator>(&'d mut Drain<'a, T, A>);

impl<T, A: Allocator> Drop for Close<'_, '_, T, A> {
    fn drop(&mut self) {
        let drain = &mut *self.0;
        let behind = drain.len - drain.tail;
        let (from, to) = (drain.vec.room.place(drain.tail), drain.vec.room.place(drain.vec.len));
        // SAFETY: the values in between are gone; those behind them move down.
        unsafe { from.copy_to(to, behind) };
        drain.vec.len += behind;
    }
}

impl<T, A: Allocator> Drop for Drain<'_, T, A> {
    fn drop(&mut self) {
        Close(self).0.drop_rest();
    }
}

impl<'a, T, A: Allocator> IntoIterator for &'a mut Vec<T, A> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<'a, T, A: Allocator> IntoIterator for &'a Vec<T, A> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
