//! An owned page with a part of a file, which mappings of the file share.

use core::marker::PhantomData;
use core::num::NonZeroU32;

use super::Global;
use super::page::Window;
use crate::addr::{PAGE_SIZE, Pfn};
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::tag::Tag;

/// A single page, of high memory too, that is tagged as the content of a file: nobody but this value frees it. Whoever
/// maps it has a reference of his own ([`share`](Self::share)); if some are left when the value is dropped, the last of
/// them frees the page. (2.4's page cache, of which the chapter's pages in high memory are most.)
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::CachedPage;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut page = CachedPage::<TestKernel>::new(GfpFlags::HIGHUSER)?;
/// page.show_mut(|bytes| bytes.fill(1))?;
/// let frame = page.share().expect("references can be counted");
/// assert!(page.is_shared());
/// drop(page);
/// // It was the last one that had it.
/// # let memory = *machine;
/// assert!(memory.free_frames(frame, mm::Order::ZERO).is_ok());
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct CachedPage<K: Global> {
    frame: NonZeroU32,
    kernel: PhantomData<K>,
}

impl<K: Global> CachedPage<K> {
    /// Allocates a page, such as [`GfpFlags::HIGHUSER`] asks for; its content is undefined. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn new(gfp: GfpFlags) -> Result<Self, AllocError> {
        let frame = K::memory().pages().alloc_tagged_page(gfp, Tag::PageCache)?;
        NonZeroU32::new(frame.as_u32()).map(|frame| Self { frame, kernel: PhantomData }).ok_or(AllocError)
    }

    /// The page's frame.
    pub const fn frame(&self) -> Pfn {
        Pfn::new(self.frame.get())
    }

    /// The page's frame with one more reference, which the caller gives back; `None` if there are as many as can be
    /// counted. Any context.
    pub fn share(&self) -> Option<Pfn> {
        K::memory().get_page(self.frame()).then_some(self.frame())
    }

    /// Whether somebody else has a reference. Where it says no, it is so until [`share`](Self::share) is called.
    pub fn is_shared(&self) -> bool {
        K::memory().pages().map().get(self.frame()).is_some_and(|page| page.count() > 1)
    }

    /// Shows the page to `f`. May sleep until a window is free: process context only. Fails in any other.
    ///
    /// # Errors
    /// The caller may not sleep.
    #[track_caller]
    pub fn show<R>(&self, f: impl FnOnce(&[u8]) -> R) -> Result<R, AllocError> {
        let window = Window::<K>::open(self.frame())?;
        // SAFETY: the value owns the page, which shows there until the window is closed.
        Ok(f(unsafe { core::slice::from_raw_parts(window.address().as_mut_ptr(), PAGE_SIZE) }))
    }

    /// Shows the page to `f`, to be written. As [`show`](Self::show).
    ///
    /// # Errors
    /// The caller may not sleep.
    #[track_caller]
    pub fn show_mut<R>(&mut self, f: impl FnOnce(&mut [u8]) -> R) -> Result<R, AllocError> {
        let window = Window::<K>::open(self.frame())?;
        // SAFETY: as in `show`, and the value is borrowed exclusively.
        Ok(f(unsafe { core::slice::from_raw_parts_mut(window.address().as_mut_ptr(), PAGE_SIZE) }))
    }
}

impl<K: Global> Drop for CachedPage<K> {
    fn drop(&mut self) {
        let freed = K::memory().pages().free_tagged_page(self.frame(), Tag::PageCache);
        debug_assert!(freed.is_ok());
    }
}
