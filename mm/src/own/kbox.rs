//! One value in kmalloc'ed memory.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::Global;
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// An owned value of up to 131072 bytes.
pub struct KBox<T, K: Global> {
    value: NonNull<T>,
    owner: PhantomData<(T, K)>,
}

// SAFETY: the box owns its value as a `T` itself would be owned.
unsafe impl<T: Send, K: Global> Send for KBox<T, K> {}
// SAFETY: as above.
unsafe impl<T: Sync, K: Global> Sync for KBox<T, K> {}

impl<T, K: Global> KBox<T, K> {
    /// Moves `value` into fresh memory; without memory the value is dropped. Sleeps if `gfp` allows it.
    #[track_caller]
    pub fn new(value: T, gfp: GfpFlags) -> Result<Self, AllocError> {
        const { assert!(align_of::<T>() <= 4096) };
        // A class is a power of two and its objects are aligned to it, so a class that is no smaller than the alignment is
        // aligned well enough.
        let memory = K::memory().kmalloc(size_of::<T>().max(align_of::<T>()), gfp)?.cast::<T>();
        // SAFETY: fresh memory, large enough and aligned for a `T`.
        unsafe { memory.write(value) };
        Ok(Self { value: memory, owner: PhantomData })
    }

    /// Takes the value out and frees the memory.
    pub fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        // SAFETY: the box holds a value, and forgets it here.
        let value = unsafe { this.value.read() };
        this.free();
        value
    }

    /// The value, for good: its memory is never freed.
    pub fn leak<'a>(self) -> &'a mut T
    where
        T: 'a,
    {
        // SAFETY: the value stays, and nobody else refers to it.
        unsafe { ManuallyDrop::new(self).value.as_mut() }
    }

    /// The value's address. The caller owns it now; [`from_raw`](Self::from_raw) makes it a box again.
    pub fn into_raw(self) -> NonNull<T> {
        ManuallyDrop::new(self).value
    }

    /// The box around a value.
    ///
    /// # Safety
    /// `value` came from [`into_raw`](Self::into_raw), of which this is the only use.
    pub unsafe fn from_raw(value: NonNull<T>) -> Self {
        Self { value, owner: PhantomData }
    }

    /// The value's address.
    pub fn as_ptr(&self) -> *const T {
        self.value.as_ptr()
    }

    fn free(&self) {
        let freed = K::memory().kfree(self.value.as_ptr().cast());
        debug_assert!(freed.is_ok());
    }
}

impl<T, K: Global> Deref for KBox<T, K> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the box holds a value for as long as it lives.
        unsafe { self.value.as_ref() }
    }
}

impl<T, K: Global> DerefMut for KBox<T, K> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and nobody else holds the box.
        unsafe { self.value.as_mut() }
    }
}

impl<T, K: Global> Drop for KBox<T, K> {
    fn drop(&mut self) {
        // SAFETY: the box holds a value, and nobody uses it after this.
        unsafe { self.value.drop_in_place() };
        self.free();
    }
}

impl<T: fmt::Debug, K: Global> fmt::Debug for KBox<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
