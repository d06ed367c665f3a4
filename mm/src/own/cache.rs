//! An owned lookaside cache and the objects that come from it.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::{Buffer, Calls, Global};
use crate::addr::VirtAddr;
use crate::error::{AllocError, CreateError, DestroyError};
use crate::gfp::GfpFlags;
use crate::objects::{CacheFlags, CacheName, CacheRef, CacheSpec};

/// A cache of equal pieces of plain memory. Dropping it destroys it, as far as its objects are back.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::own::{Buffer, KmemCache};
/// use mm::{CacheFlags, DestroyError, GfpFlags};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let quanta = KmemCache::<TestKernel>::create("quanta", 4000, 0, CacheFlags::HWCACHE_ALIGN).expect("a new name");
/// let mut quantum = quanta.alloc(GfpFlags::KERNEL).expect("memory");
/// quantum.bytes_mut().fill(0);
/// assert_eq!((quantum.bytes().len(), quanta.object_size()), (4032, 4032));
/// drop(quantum);
/// assert_eq!(quanta.destroy(), Ok(()));
/// ```
pub struct KmemCache<K: Global> {
    cache: CacheRef<K::Platform>,
}

/// A way to allocate from a [`KmemCache`] of another owner. Once that is destroyed, every call is refused.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// # use mm::own::KmemCache;
/// # use mm::{CacheFlags, GfpFlags};
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let cache = KmemCache::<TestKernel>::create("shared", 100, 0, CacheFlags::empty()).expect("a new name");
/// let (source, another) = (cache.source(), cache.source());
/// drop((source.alloc(GfpFlags::KERNEL), another.alloc(GfpFlags::ATOMIC)));
/// drop(cache);
/// assert!(source.alloc(GfpFlags::KERNEL).is_err());
/// ```
pub struct CacheSource<K: Global> {
    cache: CacheRef<K::Platform>,
}

impl<K: Global> Clone for CacheSource<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Global> Copy for CacheSource<K> {}

/// One object of a [`KmemCache`]. It may outlive the handle of its cache, which then cannot be destroyed.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// # use mm::own::{Buffer, KmemCache};
/// # use mm::{CacheFlags, DestroyError, GfpFlags};
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let cache = KmemCache::<TestKernel>::create("kept", 64, 0, CacheFlags::empty()).expect("a new name");
/// let mut object = cache.alloc(GfpFlags::KERNEL).expect("memory");
/// assert_eq!(cache.destroy(), Err(DestroyError::Busy(1)));
/// object.as_mut().fill(1);
/// assert_eq!(object.as_ref(), [1; 64]);
/// ```
pub struct CacheObject<K: Global> {
    memory: NonNull<u8>,
    kernel: PhantomData<K>,
}

// SAFETY: the handle owns plain memory.
unsafe impl<K: Global> Send for CacheObject<K> {}
// SAFETY: as above; shared access only reads.
unsafe impl<K: Global> Sync for CacheObject<K> {}

impl<K: Global> KmemCache<K> {
    /// Creates a cache of objects of `size` bytes, without constructor. `offset` is the colour step, 0 for the default.
    /// Process context.
    ///
    /// # Errors
    /// What is wrong with the arguments, or no memory.
    #[track_caller]
    pub fn create(name: &str, size: usize, offset: usize, flags: CacheFlags) -> Result<Self, CreateError> {
        let spec = CacheSpec { name, size, offset, flags, ctor: None, dtor: None };
        Ok(Self { cache: K::memory().kmem_cache_create(&spec)? })
    }

    /// Allocates an object; content undefined. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn alloc(&self, gfp: GfpFlags) -> Result<CacheObject<K>, AllocError> {
        self.source().alloc(gfp)
    }

    /// A handle that can only allocate.
    pub fn source(&self) -> CacheSource<K> {
        CacheSource { cache: self.cache }
    }

    /// The cache's name.
    pub fn name(&self) -> CacheName {
        // The handle keeps the cache.
        K::memory().objects().kmem_cache_name(self.cache).unwrap_or(const { CacheName::literal("?") })
    }

    /// Gives back the whole slabs; returns how many pages that were. Process context.
    #[track_caller]
    pub fn shrink(&self) -> usize {
        K::memory().kmem_cache_shrink(self.cache)
    }

    /// Bytes of an object, padding included.
    pub fn object_size(&self) -> usize {
        K::memory().objects().kmem_cache_size(self.cache).unwrap_or(0)
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

impl<K: Global> CacheSource<K> {
    /// Allocates an object; content undefined. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn alloc(&self, gfp: GfpFlags) -> Result<CacheObject<K>, AllocError> {
        let memory = Calls::<K>::kmem_cache_alloc(self.cache, gfp)?;
        Ok(CacheObject { memory, kernel: PhantomData })
    }
}

impl<K: Global> Drop for KmemCache<K> {
    fn drop(&mut self) {
        // What could not be destroyed has been reported and stays listed.
        let _: Result<(), DestroyError> = K::memory().kmem_cache_destroy(self.cache);
    }
}

impl<K: Global> fmt::Debug for KmemCache<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KmemCache({})", self.name().as_str())
    }
}

as_bytes!(CacheObject);

impl<K: Global> Buffer for CacheObject<K> {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the handle owns one object, whose cache knows its size, for as long as it lives.
        unsafe { core::slice::from_raw_parts(self.memory.as_ptr(), K::memory().objects().object_bytes(self.addr())) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the handle is borrowed exclusively.
        unsafe {
            core::slice::from_raw_parts_mut(self.memory.as_ptr(), K::memory().objects().object_bytes(self.addr()))
        }
    }

    fn addr(&self) -> VirtAddr {
        VirtAddr::from_ptr(self.memory.as_ptr())
    }

    fn footprint(&self) -> usize {
        K::memory().objects().footprint(self.addr())
    }
}

impl<K: Global> Drop for CacheObject<K> {
    fn drop(&mut self) {
        // SAFETY: the object is this value's, which ends.
        let freed = unsafe { Calls::<K>::kmem_cache_free(self.memory) };
        debug_assert!(freed.is_ok());
    }
}
