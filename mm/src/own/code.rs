//! Owned memory for the code of modules, and for what it works on.

use core::marker::PhantomData;

use super::{Buffer, Global};
use crate::addr::VirtAddr;
use crate::areas::{Alias, AreaRef};
use crate::error::AllocError;
use crate::mapper::Access;
use crate::report::Call;

/// An area in the range of modules that is being filled: zeroed pages, contiguous, with a guard page behind them. They
/// can be written to and not be executed; [`seal`](Self::seal) ends that. Dropped anywhere: where the caller may not
/// sleep, its pages are free as soon as the next one allocates or frees such an area.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::Access;
/// use mm::own::{Buffer, CodeArea};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut text = CodeArea::<TestKernel>::new(5000)?;
/// text.bytes_mut()[0] = 0xc3; // ret
/// let text = text.seal(Access::Execute)?;
/// assert_eq!((text.bytes().len(), text.bytes()[0]), (8192, 0xc3));
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct CodeArea<K: Global> {
    area: AreaRef,
    kernel: PhantomData<K>,
}

/// A [`CodeArea`] that nobody writes to by its owner any more: it has the rights that it was sealed with, and so have
/// its pages in the direct map. Whoever runs code in it, or has addresses in it, sees to it that it lives so long.
pub struct SealedArea<K: Global> {
    area: AreaRef,
    access: Access,
    kernel: PhantomData<K>,
}

// SAFETY: the handle owns plain memory; of the area it reads only what never changes.
unsafe impl<K: Global> Send for CodeArea<K> {}
// SAFETY: as above; shared access only reads.
unsafe impl<K: Global> Sync for CodeArea<K> {}
// SAFETY: as above.
unsafe impl<K: Global> Send for SealedArea<K> {}
// SAFETY: as above.
unsafe impl<K: Global> Sync for SealedArea<K> {}

impl<K: Global> CodeArea<K> {
    /// Takes an area of at least `len` bytes. Process context; may sleep.
    ///
    /// # Errors
    /// No memory, or no room in the range. A kernel without such a range, and no bytes, are refused and reported.
    #[track_caller]
    pub fn new(len: usize) -> Result<Self, AllocError> {
        let area = K::memory().areas().alloc_code(len, Call::here(&"module_alloc"))?;
        Ok(Self { area, kernel: PhantomData })
    }

    /// Ends writing: from now on the pages can be read ([`Access::Read`]), or read and executed ([`Access::Execute`]),
    /// and in the direct map only be read. All TLBs know it when this returns. With [`Access::ReadWrite`] the pages
    /// stay as they are, for code that knows their addresses: a module's data. Process context; may sleep.
    ///
    /// # Errors
    /// No memory for page tables, or pages whose rights cannot be changed: it is reported, and the area is freed.
    #[track_caller]
    pub fn seal(self, access: Access) -> Result<SealedArea<K>, AllocError> {
        K::memory().areas().seal_code(self.area, access, Call::here(&"module_seal"))?;
        let area = core::mem::ManuallyDrop::new(self).area;
        Ok(SealedArea { area, access, kernel: PhantomData })
    }
}

impl<K: Global> Buffer for CodeArea<K> {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the handle owns this many bytes from this address on, for as long as it lives.
        unsafe { core::slice::from_raw_parts(self.addr().as_mut_ptr(), self.area.bytes()) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the handle is borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(self.addr().as_mut_ptr(), self.area.bytes()) }
    }

    fn addr(&self) -> VirtAddr {
        self.area.start
    }

    fn footprint(&self) -> usize {
        K::memory().areas().footprint(self.area)
    }
}

as_bytes!(CodeArea);

impl<K: Global> SealedArea<K> {
    /// Its first address.
    pub fn addr(&self) -> VirtAddr {
        self.area.start
    }

    /// Bytes of its pages.
    pub fn len(&self) -> usize {
        self.area.bytes()
    }

    /// Never: an area has pages.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// What may be done to it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The bytes of an area that nobody can write to; none of one that was sealed with [`Access::ReadWrite`].
    pub fn bytes(&self) -> &[u8] {
        let len = if self.access == Access::ReadWrite { 0 } else { self.len() };
        // SAFETY: the handle owns these bytes, which nobody can change for as long as it lives.
        unsafe { core::slice::from_raw_parts(self.addr().as_mut_ptr(), len) }
    }
}

impl<K: Global> core::fmt::Debug for SealedArea<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SealedArea({:?}, {} bytes, {:?})", self.addr(), self.len(), self.access)
    }
}

impl<K: Global> Drop for CodeArea<K> {
    fn drop(&mut self) {
        K::memory().areas().free_code(self.area, Alias::Writable, Call::here(&"module_free"));
    }
}

impl<K: Global> Drop for SealedArea<K> {
    fn drop(&mut self) {
        let alias = if self.access == Access::ReadWrite { Alias::Writable } else { Alias::ReadOnly };
        K::memory().areas().free_code(self.area, alias, Call::here(&"module_free"));
    }
}
