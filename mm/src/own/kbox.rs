//! One value in memory from kmalloc, from vmalloc, or from either.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::ptr::NonNull;

use super::{Allocator, KVmalloc, Kmalloc, Vmalloc};
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// An owned value.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::KBox;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut boxed = KBox::<_, TestKernel>::new([0u64; 100], GfpFlags::KERNEL)?;
/// boxed[7] = 42;
/// let copy = boxed.try_clone(GfpFlags::ATOMIC)?;
/// assert!(copy == boxed && copy.into_inner()[7] == 42);
/// assert!(KBox::<_, TestKernel>::new([0u8; 200_000], GfpFlags::KERNEL).is_err());
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct Box<T, A: Allocator> {
    value: NonNull<T>,
    owner: PhantomData<(T, A)>,
}

/// A value in kmalloc'ed memory, of up to 131072 bytes.
pub type KBox<T, K> = Box<T, Kmalloc<K>>;
/// A value in an area of vmalloc.
pub type VBox<T, K> = Box<T, Vmalloc<K>>;
/// A value in memory from kmalloc or, where that has none, from vmalloc.
pub type KVBox<T, K> = Box<T, KVmalloc<K>>;

/// Memory that is freed when this is dropped.
struct Freed<A: Allocator> {
    memory: NonNull<u8>,
    owner: PhantomData<A>,
}

impl<A: Allocator> Drop for Freed<A> {
    fn drop(&mut self) {
        // SAFETY: a box had it from this allocator, and holds no value any more.
        unsafe { A::free(self.memory) };
    }
}

// SAFETY: the box owns its value as a `T` itself would be owned.
unsafe impl<T: Send, A: Allocator> Send for Box<T, A> {}
// SAFETY: as above.
unsafe impl<T: Sync, A: Allocator> Sync for Box<T, A> {}

impl<T, A: Allocator> Box<T, A> {
    /// Moves `value` into fresh memory; without memory the value is dropped. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn new(value: T, gfp: GfpFlags) -> Result<Self, AllocError> {
        const { assert!(align_of::<T>() <= 4096) };
        let memory = A::alloc_plain(Layout::new::<T>(), gfp)?.cast::<T>();
        // SAFETY: fresh memory, large enough and aligned for a `T`.
        unsafe { memory.write(value) };
        Ok(Self { value: memory, owner: PhantomData })
    }

    /// A value that never moves again, in a box. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn pin(value: T, gfp: GfpFlags) -> Result<Pin<Self>, AllocError> {
        Self::new(value, gfp).map(Self::into_pin)
    }

    /// The box, whose value does not move any more.
    pub fn into_pin(self) -> Pin<Self> {
        // SAFETY: the value stays where it is until it is dropped, and nothing moves it out of a pinned box.
        unsafe { Pin::new_unchecked(self) }
    }

    /// A box with a copy of the value. (What `Clone` cannot do, since it must not fail.) Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn try_clone(&self, gfp: GfpFlags) -> Result<Self, AllocError>
    where
        T: Clone,
    {
        Self::new((**self).clone(), gfp)
    }

    /// Takes the value out and frees the memory.
    pub fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        let _memory = this.memory();
        // SAFETY: the box holds a value, and forgets it here.
        unsafe { this.value.read() }
    }

    /// The value, for good: its memory is never freed.
    pub fn leak<'a>(self) -> &'a mut T
    where
        T: 'a,
    {
        // SAFETY: the value stays, and no other reference to it exists.
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

    /// Bytes of memory that the box costs, without what the value owns elsewhere.
    pub fn footprint(&self) -> usize {
        A::footprint(self.value.cast())
    }

    /// The value's address.
    pub fn as_ptr(&self) -> *const T {
        self.value.as_ptr()
    }

    /// The box's memory, which is freed by dropping this: once.
    fn memory(&self) -> Freed<A> {
        Freed { memory: self.value.cast(), owner: PhantomData }
    }
}

impl<T, A: Allocator> Deref for Box<T, A> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the box holds a value for as long as it lives.
        unsafe { self.value.as_ref() }
    }
}

impl<T, A: Allocator> DerefMut for Box<T, A> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the box is borrowed exclusively.
        unsafe { self.value.as_mut() }
    }
}

impl<T, A: Allocator> Drop for Box<T, A> {
    fn drop(&mut self) {
        // Frees the memory in the end, even if the value's own drop panics.
        let _memory = self.memory();
        // SAFETY: the box holds a value, which is not used after this.
        unsafe { self.value.drop_in_place() };
    }
}

impl<T: Iterator, A: Allocator> Iterator for Box<T, A> {
    type Item = T::Item;

    fn next(&mut self) -> Option<T::Item> {
        (**self).next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (**self).size_hint()
    }
}

impl<T: fmt::Debug, A: Allocator> fmt::Debug for Box<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display, A: Allocator> fmt::Display for Box<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T, A: Allocator> fmt::Pointer for Box<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
