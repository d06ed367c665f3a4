//! A value that several owners share.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use super::{Allocator, Box, Kmalloc};
use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// A value with its number of owners; the last one frees it.
///
/// As `alloc::sync::Arc` without weak references: two values that own each other are never freed.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::KArc;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let first = KArc::<_, TestKernel>::new([7u64; 100], GfpFlags::KERNEL)?;
/// let second = first.clone();
/// assert_eq!((second[99], KArc::owners(&first)), (7, 2));
/// drop(first);
/// assert_eq!(KArc::owners(&second), 1);
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct Arc<T, A: Allocator> {
    shared: NonNull<Counted<T>>,
    owner: PhantomData<(T, A)>,
}

/// A shared value in kmalloc'ed memory, of up to 131064 bytes.
pub type KArc<T, K> = Arc<T, Kmalloc<K>>;

/// Invariant: `owners` is the number of [`Arc`]s that point here.
struct Counted<T> {
    owners: AtomicUsize,
    value: T,
}

// SAFETY: owners on several threads share the value, and the last of them drops it.
unsafe impl<T: Send + Sync, A: Allocator> Send for Arc<T, A> {}
// SAFETY: as above: who has a reference may make itself an owner.
unsafe impl<T: Send + Sync, A: Allocator> Sync for Arc<T, A> {}

impl<T, A: Allocator> Arc<T, A> {
    /// Moves `value` into fresh memory, with one owner; without memory the value is dropped. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn new(value: T, gfp: GfpFlags) -> Result<Self, AllocError> {
        let counted = Box::<_, A>::new(Counted { owners: AtomicUsize::new(1), value }, gfp)?;
        Ok(Self { shared: counted.into_raw(), owner: PhantomData })
    }

    /// How many owners there are at this moment. Any context.
    pub fn owners(this: &Self) -> usize {
        this.counted().owners.load(Ordering::Relaxed)
    }

    const fn counted(&self) -> &Counted<T> {
        // SAFETY: by the invariant there is an owner, so the value has not been freed.
        unsafe { self.shared.as_ref() }
    }
}

impl<T, A: Allocator> Clone for Arc<T, A> {
    /// One owner more. Any context; needs no memory.
    fn clone(&self) -> Self {
        let before = self.counted().owners.fetch_add(1, Ordering::Relaxed);
        // Each owner takes a word of memory, unless it is forgotten: only then can the count get there.
        assert!(before < isize::MAX as usize, "a shared value has too many owners");
        Self { shared: self.shared, owner: PhantomData }
    }
}

impl<T, A: Allocator> Deref for Arc<T, A> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T, A: Allocator> Drop for Arc<T, A> {
    fn drop(&mut self) {
        if self.counted().owners.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: it came from `into_raw`, and the last owner has just gone.
            drop(unsafe { Box::<_, A>::from_raw(self.shared) });
        }
    }
}

impl<T: fmt::Debug, A: Allocator> fmt::Debug for Arc<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
