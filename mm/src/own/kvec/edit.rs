//! What moves, copies or drops many values of a vector at once.

use core::mem::MaybeUninit;
use core::slice;

use super::Vec;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::own::Allocator;

impl<T, A: Allocator> Vec<T, A> {
    /// A vector of copies of `values`. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn from_slice(values: &[T], gfp: GfpFlags) -> Result<Self, AllocError>
    where
        T: Clone,
    {
        let mut vec = Self::new();
        vec.extend_from_slice(values, gfp)?;
        Ok(vec)
    }

    /// A vector of what `values` yields. Sleeps if `gfp` allows it.
    ///
    /// ```
    /// # use mm::testing::{Machine, TestKernel};
    /// use mm::GfpFlags;
    /// use mm::own::KVec;
    ///
    /// # let machine = TestKernel::boot(&Machine::with_mib(16));
    /// let squares = KVec::<_, TestKernel>::try_collect((1..=4).map(|n| n * n), GfpFlags::KERNEL)?;
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// # Ok::<(), mm::AllocError>(())
    /// ```
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn try_collect(values: impl IntoIterator<Item = T>, gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut vec = Self::new();
        vec.try_extend(values, gfp)?;
        Ok(vec)
    }

    /// A vector of copies of the same values. (What `Clone` cannot do, since it must not fail.)
    /// Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn try_clone(&self, gfp: GfpFlags) -> Result<Self, AllocError>
    where
        T: Clone,
    {
        Self::from_slice(self, gfp)
    }

    /// Appends what `values` yields; without memory the vector keeps what it has got so far. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn try_extend(&mut self, values: impl IntoIterator<Item = T>, gfp: GfpFlags) -> Result<(), AllocError> {
        let values = values.into_iter();
        self.reserve(values.size_hint().0, gfp)?;
        for value in values {
            self.push(value, gfp)?;
        }
        Ok(())
    }

    /// Appends copies of `values`; without memory the vector stays as it was. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn extend_from_slice(&mut self, values: &[T], gfp: GfpFlags) -> Result<(), AllocError>
    where
        T: Clone,
    {
        let places = self.make_room(values.len(), gfp)?;
        // Of bytes, this loop is a copy.
        for (place, value) in places.iter_mut().zip(values) {
            place.write(value.clone());
        }
        self.len += values.len();
        Ok(())
    }

    /// The places of the next `count` values. Sleeps if `gfp` allows it.
    #[track_caller]
    fn make_room(&mut self, count: usize, gfp: GfpFlags) -> Result<&mut [MaybeUninit<T>], AllocError> {
        self.reserve(count, gfp)?;
        let first = self.room.place(self.len).cast();
        // SAFETY: there is room for so many values behind the last one, and nobody else has these places.
        Ok(unsafe { slice::from_raw_parts_mut(first.as_ptr(), count) })
    }

    /// Moves all values of `other` to the end of this vector; without memory both stay as they were.
    /// Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn append(&mut self, other: &mut Self, gfp: GfpFlags) -> Result<(), AllocError> {
        self.reserve(other.len, gfp)?;
        let from = other.room.place(0);
        // SAFETY: there is room behind the last value; `other` does not hold them any more once this is done.
        unsafe { from.copy_to_nonoverlapping(self.room.place(self.len), other.len) };
        self.len += core::mem::take(&mut other.len);
        Ok(())
    }

    /// Moves the values from `index` on to a vector of their own; fails without memory, and beyond the end.
    /// Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory, or an index beyond the end.
    #[track_caller]
    pub fn split_off(&mut self, index: usize, gfp: GfpFlags) -> Result<Self, AllocError> {
        let count = self.len.checked_sub(index).ok_or(AllocError)?;
        let mut rest = Self::with_capacity(count, gfp)?;
        // SAFETY: the new vector has room for them, and this one does not hold them any more once this is done.
        unsafe { self.room.place(index).copy_to_nonoverlapping(rest.room.place(0), count) };
        self.len = index;
        rest.len = count;
        Ok(rest)
    }

    /// Shortens the vector to `len` values or fills it up to `len` with copies of `value`; without memory it stays as
    /// it was. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn resize(&mut self, len: usize, value: T, gfp: GfpFlags) -> Result<(), AllocError>
    where
        T: Clone,
    {
        self.resize_with(len, || value.clone(), gfp)
    }

    /// Shortens the vector to `len` values or fills it up to `len` with what `value` makes. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn resize_with(&mut self, len: usize, mut value: impl FnMut() -> T, gfp: GfpFlags) -> Result<(), AllocError> {
        self.truncate(len);
        let places = self.make_room(len - self.len, gfp)?;
        // Of bytes, this loop is a filling.
        for place in places {
            place.write(value());
        }
        self.len = len;
        Ok(())
    }

    /// Drops all values from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            let tail = self.places(len, self.len);
            self.len = len;
            // SAFETY: the shorter vector does not hold these values any more.
            unsafe { tail.drop_in_place() };
        }
    }

    /// Drops all values; the memory stays.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the values that `keep` says yes to, in order.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.retain_mut(|value| keep(value));
    }

    /// Keeps the values that `keep` says yes to, in order; it may change them.
    pub fn retain_mut(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        Sieve::new(self).run(|_, value| keep(value));
    }

    /// Drops each value that equals the one before it.
    ///
    /// ```
    /// # use mm::testing::{Machine, TestKernel};
    /// # use mm::{GfpFlags, own::KVec};
    /// # let machine = TestKernel::boot(&Machine::with_mib(16));
    /// let mut vec = KVec::<_, TestKernel>::from_slice(&[1, 1, 2, 2, 2, 1], GfpFlags::KERNEL)?;
    /// vec.dedup();
    /// assert_eq!(vec, [1, 2, 1]);
    /// vec.retain(|&value| value < 2);
    /// assert_eq!(vec, [1, 1]);
    /// # Ok::<(), mm::AllocError>(())
    /// ```
    pub fn dedup(&mut self)
    where
        T: PartialEq,
    {
        self.dedup_by(|value, before| value == before);
    }

    /// Drops each value with the same key as the one before it.
    pub fn dedup_by_key<Q: PartialEq>(&mut self, mut key: impl FnMut(&mut T) -> Q) {
        self.dedup_by(|value, before| key(value) == key(before));
    }

    /// Drops each value that `same` says is the same as the last one that was kept, which it is given second.
    pub fn dedup_by(&mut self, mut same: impl FnMut(&mut T, &mut T) -> bool) {
        Sieve::new(self).run(|before, value| before.is_none_or(|before| !same(value, before)));
    }
}

impl<T, A: Allocator, const N: usize> TryFrom<Vec<T, A>> for [T; N] {
    type Error = Vec<T, A>;

    /// The values, if there are exactly so many; otherwise the vector comes back.
    fn try_from(mut vec: Vec<T, A>) -> Result<Self, Vec<T, A>> {
        if vec.len != N {
            return Err(vec);
        }
        vec.len = 0;
        // SAFETY: N values stand there in a row, which the vector does not hold any more.
        Ok(unsafe { vec.room.place(0).cast::<[T; N]>().read() })
    }
}

/// Visits the values of a vector in turn; those that are kept move down to the ones kept before. If the caller's code
/// panics, the rest is kept.
struct Sieve<'a, T, A: Allocator> {
    /// Holds no values meanwhile.
    vec: &'a mut Vec<T, A>,
    kept: usize,
    next: usize,
    len: usize,
}

impl<'a, T, A: Allocator> Sieve<'a, T, A> {
    fn new(vec: &'a mut Vec<T, A>) -> Self {
        let len = core::mem::take(&mut vec.len);
        Self { vec, kept: 0, next: 0, len }
    }

    /// Keeps the values that `keep` says yes to, which is given the last one kept before, and the value.
    fn run(mut self, mut keep: impl FnMut(Option<&mut T>, &mut T) -> bool) {
        while self.next < self.len {
            // SAFETY: the last value that was kept stands there, borrowed only here.
            let before = self.kept.checked_sub(1).map(|last| unsafe { self.vec.room.place(last).as_mut() });
            let mut place = self.vec.room.place(self.next);
            // SAFETY: a value stands there that is not the one before, borrowed only here.
            let is_kept = keep(before, unsafe { place.as_mut() });
            self.next += 1;
            if is_kept {
                // SAFETY: no value stands in the place that it moves to, if that is another.
                unsafe { place.copy_to(self.vec.room.place(self.kept), 1) };
                self.kept += 1;
            } else {
                // SAFETY: it was passed by: no code uses it again.
                unsafe { place.drop_in_place() };
            }
        }
    }
}

impl<T, A: Allocator> Drop for Sieve<'_, T, A> {
    fn drop(&mut self) {
        let left = self.len - self.next;
        let rest = self.vec.room.place(self.next);
        // SAFETY: between the values that were kept and those that were not looked at stand none.
        unsafe { rest.copy_to(self.vec.room.place(self.kept), left) };
        self.vec.len = self.kept + left;
    }
}
