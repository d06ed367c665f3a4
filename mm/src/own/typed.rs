//! A lookaside cache of values of one type, prepared when their slab is made.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::{Calls, Global};
use crate::error::{AllocError, CreateError, DestroyError};
use crate::gfp::GfpFlags;
use crate::objects::{CacheFlags, CacheName, CacheRef, CacheSpec, CtorFlags};

/// A value that a [`TypedCache`] can hold.
///
/// As the chapter has it, a constructor does not run at each allocation, but once for each object when a slab is made;
/// the destructor, here [`Drop`], when the slab goes. In between a value keeps the state in which it was freed.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::own::{KVec, Prepared, TypedCache};
/// use mm::{CacheFlags, CtorFlags, GfpFlags};
///
/// /// Its list keeps its memory from one user to the next.
/// struct Job { pages: KVec<u32, TestKernel> }
/// impl Prepared for Job {
///     fn prepare(_: CtorFlags) -> Self { Job { pages: KVec::new() } }
/// }
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let jobs = TypedCache::<Job, TestKernel>::create("jobs", CacheFlags::empty()).expect("a new name");
/// let mut job = jobs.alloc(GfpFlags::KERNEL).expect("memory");
/// job.pages.resize(500, 0, GfpFlags::KERNEL).expect("memory");
/// job.pages.clear();
/// drop(job);
/// assert!(jobs.alloc(GfpFlags::KERNEL).is_ok_and(|job| job.pages.capacity() >= 500));
/// ```
pub trait Prepared: Send + Sized + 'static {
    /// A fresh value. It must not allocate from its own cache, and not sleep if `flags` has [`CtorFlags::ATOMIC`].
    fn prepare(flags: CtorFlags) -> Self;
}

/// A cache of `T`s. Dropping it destroys it, as far as its objects are back.
///
/// ```
/// use mm::own::{Prepared, TypedCache};
/// use mm::testing::{Machine, TestKernel};
/// use mm::{CacheFlags, CtorFlags, GfpFlags};
///
/// struct Request { uses: u32 }
/// impl Prepared for Request {
///     fn prepare(_: CtorFlags) -> Self { Request { uses: 0 } }
/// }
///
/// let machine = TestKernel::boot(&Machine::with_mib(16));
/// let requests = TypedCache::<Request, TestKernel>::create("requests", CacheFlags::empty()).expect("memory");
/// for round in 0..3 {
///     let mut request = requests.alloc(GfpFlags::KERNEL).expect("memory");
///     assert_eq!(request.uses, round, "the value that was freed last, as it was");
///     request.uses += 1;
/// }
/// requests.destroy().expect("all objects are back");
/// ```
pub struct TypedCache<T: Prepared, K: Global> {
    cache: CacheRef<K::Platform>,
    values: PhantomData<fn() -> T>,
}

/// A value from a [`TypedCache`]. Dropping it gives it back, as it is. It may outlive the handle of its cache, which
/// then cannot be destroyed.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// # use mm::own::{Prepared, TypedCache};
/// # use mm::{CacheFlags, CtorFlags, GfpFlags};
/// # #[derive(Debug)]
/// # struct Count(u32);
/// # impl Prepared for Count {
/// #     fn prepare(_: CtorFlags) -> Self { Count(0) }
/// # }
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let counts = TypedCache::<Count, TestKernel>::create("counts", CacheFlags::empty()).expect("a new name");
/// let mut count = counts.alloc(GfpFlags::KERNEL).expect("memory");
/// count.0 += 1;
/// assert_eq!(format!("{count:?}"), "Count(1)");
/// ```
pub struct KObject<T: Prepared, K: Global> {
    value: NonNull<T>,
    owner: PhantomData<(T, K)>,
}

// SAFETY: the handle owns a `T`, which may be sent.
unsafe impl<T: Prepared, K: Global> Send for KObject<T, K> {}
// SAFETY: shared access to the handle is shared access to the value.
unsafe impl<T: Prepared + Sync, K: Global> Sync for KObject<T, K> {}

fn construct<T: Prepared>(object: NonNull<u8>, _name: &str, flags: CtorFlags) {
    // SAFETY: a fresh object of a cache for `T`s: large enough, aligned, and used only here.
    unsafe { object.cast::<T>().write(T::prepare(flags)) };
}

fn destruct<T: Prepared>(object: NonNull<u8>, _name: &str, _flags: CtorFlags) {
    // SAFETY: the constructor wrote a value there, and no owner has the object.
    unsafe { object.cast::<T>().drop_in_place() };
}

impl<T: Prepared, K: Global> TypedCache<T, K> {
    /// Creates a cache. Process context.
    ///
    /// # Errors
    /// What is wrong with the arguments, or no memory.
    #[track_caller]
    pub fn create(name: &str, flags: CacheFlags) -> Result<Self, CreateError> {
        const { assert!(align_of::<T>() <= 8) };
        let dtor = if core::mem::needs_drop::<T>() { Some(destruct::<T> as _) } else { None };
        let size = size_of::<T>().max(8);
        let spec = CacheSpec { name, size, offset: 0, flags, ctor: Some(construct::<T>), dtor };
        Ok(Self { cache: K::memory().kmem_cache_create(&spec)?, values: PhantomData })
    }

    /// Allocates a value: a fresh one, or one as it was freed. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn alloc(&self, gfp: GfpFlags) -> Result<KObject<T, K>, AllocError> {
        let value = Calls::<K>::kmem_cache_alloc(self.cache, gfp)?.cast();
        Ok(KObject { value, owner: PhantomData })
    }

    /// The cache's name.
    pub fn name(&self) -> CacheName {
        // The handle keeps the cache.
        K::memory().objects().kmem_cache_name(self.cache).unwrap_or(const { CacheName::literal("?") })
    }

    /// Gives back the whole slabs, after dropping their values; returns how many pages that were.
    /// Process context.
    #[track_caller]
    pub fn shrink(&self) -> usize {
        K::memory().kmem_cache_shrink(self.cache)
    }

    /// Destroys the cache. Fails, and leaves it alive and listed, while objects are allocated. Process context.
    ///
    /// # Errors
    /// Objects are left; the cache stays.
    #[track_caller]
    pub fn destroy(self) -> Result<(), DestroyError> {
        K::memory().kmem_cache_destroy(ManuallyDrop::new(self).cache)
    }
}

impl<T: Prepared, K: Global> Drop for TypedCache<T, K> {
    fn drop(&mut self) {
        // What could not be destroyed has been reported and stays listed.
        let _: Result<(), DestroyError> = K::memory().kmem_cache_destroy(self.cache);
    }
}

impl<T: Prepared, K: Global> Deref for KObject<T, K> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the handle owns an object that the cache's constructor made a `T` of.
        unsafe { self.value.as_ref() }
    }
}

impl<T: Prepared, K: Global> DerefMut for KObject<T, K> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the handle is borrowed exclusively.
        unsafe { self.value.as_mut() }
    }
}

impl<T: Prepared, K: Global> Drop for KObject<T, K> {
    fn drop(&mut self) {
        // SAFETY: the object is this value's, which ends.
        let freed = unsafe { Calls::<K>::kmem_cache_free(self.value.cast()) };
        debug_assert!(freed.is_ok());
    }
}

impl<T: Prepared, K: Global> AsRef<T> for KObject<T, K> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: Prepared, K: Global> AsMut<T> for KObject<T, K> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: Prepared, K: Global> fmt::Debug for TypedCache<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypedCache({})", self.name().as_str())
    }
}

impl<T: Prepared + fmt::Debug, K: Global> fmt::Debug for KObject<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
