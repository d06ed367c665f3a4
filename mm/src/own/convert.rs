//! Comparisons, borrows and conversions of boxes, vectors and strings.

use core::borrow::{Borrow, BorrowMut};
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::Utf8Error;

use super::{Allocator, Box, Global, KString, KVec, Vec};

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

like_its_target!([T, A: Allocator] Box<T, A> => T);
like_its_target!([T, A: Allocator] Vec<T, A> => [T]);
like_its_target!([K: Global] KString<K> => str);

impl<T, A: Allocator> AsMut<T> for Box<T, A> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T, A: Allocator> BorrowMut<T> for Box<T, A> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T, A: Allocator> AsMut<[T]> for Vec<T, A> {
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T, A: Allocator> BorrowMut<[T]> for Vec<T, A> {
    fn borrow_mut(&mut self) -> &mut [T] {
        self
    }
}

/// Comparisons of a vector with what else holds values in a row.
macro_rules! equals {
    ([$($generics:tt)*] $other:ty) => {
        impl<T: PartialEq, A: Allocator, $($generics)*> PartialEq<$other> for Vec<T, A> {
            fn eq(&self, other: &$other) -> bool {
                **self == other[..]
            }
        }
    };
}

equals!([][T]);
equals!([] & [T]);
equals!([const N: usize] [T; N]);
equals!([const N: usize] &[T; N]);

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

/// Bytes that are no text, given back.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::{KString, KVec};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let bytes = KVec::<u8, TestKernel>::from_slice(b"scull\xff", GfpFlags::KERNEL)?;
/// let refused = KString::try_from(bytes).expect_err("0xff is in no text");
/// assert_eq!((refused.error.valid_up_to(), refused.bytes.len()), (5, 6));
/// # Ok::<(), mm::AllocError>(())
/// ```
#[derive(Debug)]
pub struct NotText<K: Global> {
    /// The bytes.
    pub bytes: KVec<u8, K>,
    /// Where they stop being text.
    pub error: Utf8Error,
}

impl<K: Global> KString<K> {
    /// The text that `bytes` are, without copying them.
    ///
    /// # Errors
    /// The bytes, and where they stop being text.
    pub fn from_utf8(bytes: KVec<u8, K>) -> Result<Self, NotText<K>> {
        match core::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self::from_text(bytes)),
            Err(error) => Err(NotText { bytes, error }),
        }
    }
}

impl<K: Global> TryFrom<KVec<u8, K>> for KString<K> {
    type Error = NotText<K>;

    fn try_from(bytes: KVec<u8, K>) -> Result<Self, NotText<K>> {
        Self::from_utf8(bytes)
    }
}

impl<K: Global> AsRef<[u8]> for KString<K> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl<K: Global> From<KString<K>> for KVec<u8, K> {
    fn from(text: KString<K>) -> Self {
        text.into_bytes()
    }
}

impl<A: Allocator> fmt::Write for Vec<u8, A> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.extend_from_slice(text.as_bytes(), A::Kernel::context_gfp()).map_err(|_| fmt::Error)
    }
}
