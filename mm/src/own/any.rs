//! A value of a type that its keeper does not know.

use core::any::{Any, TypeId};
use core::fmt;
use core::ptr::NonNull;

use super::{Global, KBox};
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// An owned value in kmalloc'ed memory, of whatever type and kernel: found again by who knows the type.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::AnyBox;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let kept = AnyBox::new::<TestKernel, u32>(7, GfpFlags::KERNEL)?;
/// assert_eq!((kept.get::<u32>(), kept.get::<u64>()), (Some(&7), None));
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct AnyBox {
    /// Invariant: the value of a box, of the type that `kind` and `free` are of.
    value: NonNull<u8>,
    kind: TypeId,
    free: unsafe fn(NonNull<u8>),
}

// SAFETY: `new` takes values alone that may go to other threads.
unsafe impl Send for AnyBox {}
// SAFETY: `new` takes values alone that threads may share.
unsafe impl Sync for AnyBox {}

impl AnyBox {
    /// Moves `value` into fresh memory of `K`'s; without memory the value is dropped. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn new<K: Global, T: Any + Send + Sync>(value: T, gfp: GfpFlags) -> Result<Self, AllocError> {
        let value = KBox::<T, K>::new(value, gfp)?.into_raw().cast();
        Ok(Self { value, kind: TypeId::of::<T>(), free: free::<K, T> })
    }

    /// The value, if it is a `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        if self.kind != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: by the invariant it is a `T`, which stays as long as the box.
        Some(unsafe { self.value.cast::<T>().as_ref() })
    }
}

/// Drops the value and frees its memory.
///
/// # Safety
/// `value` came from a box of this type, which is nobody else's.
unsafe fn free<K: Global, T>(value: NonNull<u8>) {
    // SAFETY: as the caller says.
    drop(unsafe { KBox::<T, K>::from_raw(value.cast()) });
}

impl Drop for AnyBox {
    fn drop(&mut self) {
        // SAFETY: by the invariant; the value is not used after this.
        unsafe { (self.free)(self.value) };
    }
}

impl fmt::Debug for AnyBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyBox")
    }
}
