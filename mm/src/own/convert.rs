//! What people expect of boxes, vectors and strings: comparisons, borrows, conversions.

use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::Utf8Error;

use super::{Global, KBox, KString, KVec};
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// Comparisons, hashing and borrows of an owner that dereferences to `$target`.
macro_rules! like_its_target {
    ([$($generics:tt)*] $owner:ty => $target:ty) => {
        impl<$($generics)*> AsRef<$target> for $owner {
            fn as_ref(&self) -> &$target {
                self
            }
        }

        impl<$($generics)*> Borrow<$target> for $owner {
            fn borrow(&self) -> &$target {
                self
            }
        }

        impl<$($generics)*> PartialEq for $owner
        where
            $target: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                **self == **other
            }
        }

        impl<$($generics)*> Eq for $owner where $target: Eq {}

        #[allow(clippy::non_canonical_partial_ord_impl, reason = "the target may be ordered in part only")]
        impl<$($generics)*> PartialOrd for $owner
        where
            $target: PartialOrd,
        {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                (**self).partial_cmp(&**other)
            }
        }

        impl<$($generics)*> Ord for $owner
        where
            $target: Ord,
        {
            fn cmp(&self, other: &Self) -> Ordering {
                (**self).cmp(&**other)
            }
        }

        impl<$($generics)*> Hash for $owner
        where
            $target: Hash,
        {
            fn hash<H: Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
        }
    };
}

like_its_target!([T, K: Global] KBox<T, K> => T);
like_its_target!([T, K: Global] KVec<T, K> => [T]);
like_its_target!([K: Global] KString<K> => str);

impl<T, K: Global> AsMut<T> for KBox<T, K> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T, K: Global> BorrowMut<T> for KBox<T, K> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: fmt::Display, K: Global> fmt::Display for KBox<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T, K: Global> AsMut<[T]> for KVec<T, K> {
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T, K: Global> BorrowMut<[T]> for KVec<T, K> {
    fn borrow_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T: PartialEq, K: Global> PartialEq<[T]> for KVec<T, K> {
    fn eq(&self, other: &[T]) -> bool {
        **self == *other
    }
}

impl<K: Global> PartialEq<str> for KString<K> {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl<K: Global> PartialEq<&str> for KString<K> {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl<T, K: Global> KVec<T, K> {
    /// A vector of copies of `values`. Sleeps if `gfp` allows it.
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
    /// let squares = KVec::<_, TestKernel>::try_collect((1..=4).map(|n| n * n), GfpFlags::KERNEL).expect("memory");
    /// assert_eq!(squares[..], [1, 4, 9, 16]);
    /// assert!(squares.into_iter().rev().eq([16, 9, 4, 1]));
    /// ```
    #[track_caller]
    pub fn try_collect(values: impl IntoIterator<Item = T>, gfp: GfpFlags) -> Result<Self, AllocError> {
        let mut vec = Self::new();
        vec.try_extend(values, gfp)?;
        Ok(vec)
    }

    /// Appends what `values` yields; without memory the vector keeps what it has got so far.
    #[track_caller]
    pub fn try_extend(&mut self, values: impl IntoIterator<Item = T>, gfp: GfpFlags) -> Result<(), AllocError> {
        let values = values.into_iter();
        self.reserve(values.size_hint().0, gfp)?;
        for value in values {
            self.push(value, gfp)?;
        }
        Ok(())
    }

    /// Moves all values of `other` to the end of this vector; without memory both stay as they were.
    #[track_caller]
    pub fn append(&mut self, other: &mut Self, gfp: GfpFlags) -> Result<(), AllocError> {
        self.reserve(other.len(), gfp)?;
        other.drain_all().try_for_each(|value| self.push(value, gfp))
    }
}

/// Bytes that are no text, given back.
pub struct NotText<K: Global> {
    /// The bytes.
    pub bytes: KVec<u8, K>,
    /// Where they stop being text.
    pub error: Utf8Error,
}

impl<K: Global> KString<K> {
    /// The text that `bytes` are, without copying them.
    pub fn from_utf8(bytes: KVec<u8, K>) -> Result<Self, NotText<K>> {
        match core::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self::from_text(bytes)),
            Err(error) => Err(NotText { bytes, error }),
        }
    }
}

impl<K: Global> From<KString<K>> for KVec<u8, K> {
    fn from(text: KString<K>) -> Self {
        text.into_bytes()
    }
}

impl<K: Global> fmt::Write for KVec<u8, K> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.extend_from_slice(text.as_bytes(), K::context_gfp()).map_err(|_| fmt::Error)
    }
}
