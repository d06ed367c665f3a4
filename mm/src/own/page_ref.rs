//! One counted reference to a page that many share: of a file, or of processes.

use core::marker::PhantomData;
use core::num::NonZeroU32;

use super::Global;
use super::page::Window;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::page::BlockChain;
use crate::report::Call;
use crate::tag::Tag;

/// A reference to a single page, of high memory too, that is the content of a file or memory of processes. All
/// references to a page are equal: the one that is dropped last frees it.
///
/// What the page holds is bytes that others may see and change meanwhile: programs that map it, a device.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::PageRef;
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut page = PageRef::<TestKernel>::of_file(GfpFlags::HIGHUSER)?;
/// page.show_mut(|bytes| bytes.fill(1))?;
/// let other = page.another().expect("references can be counted");
/// assert_eq!(page.references(), 2);
/// drop(page);
/// assert_eq!(other.show(|bytes| bytes[0])?, 1);
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct PageRef<K: Global> {
    frame: NonZeroU32,
    kernel: PhantomData<K>,
}

impl<K: Global> PageRef<K> {
    /// Allocates a page for the content of a file; what it holds is undefined. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn of_file(gfp: GfpFlags) -> Result<Self, AllocError> {
        Self::own(K::memory().pages().alloc_tagged_page(gfp, Tag::PageCache)?).ok_or(AllocError)
    }

    /// Allocates a page of a process; what it holds is undefined. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn of_process(gfp: GfpFlags) -> Result<Self, AllocError> {
        let call = Call::here(&"alloc_pages");
        Self::own(K::memory().pages().alloc_user_page(gfp, call)?).ok_or(AllocError)
    }

    /// One more reference to the page in `frame`, for a caller that has one. `None` if the page is neither of a file
    /// nor of processes, or has as many references as can be counted. Any context.
    pub fn to(frame: Pfn) -> Option<Self> {
        K::memory().pages().get_shared_page(frame).then(|| Self::own(frame)).flatten()
    }

    /// A reference that [`into_frame`](Self::into_frame) has let go, as a value again. `None` for frame 0.
    ///
    /// # Safety
    /// It is the caller's, who does not give it back by other means.
    pub unsafe fn adopt(frame: Pfn) -> Option<Self> {
        Self::own(frame)
    }

    fn own(frame: Pfn) -> Option<Self> {
        NonZeroU32::new(frame.as_u32()).map(|frame| Self { frame, kernel: PhantomData })
    }

    /// One more. `None` if there are as many as can be counted. Any context.
    #[inline]
    pub fn another(&self) -> Option<Self> {
        K::memory().pages().get_another(self.frame()).then_some(Self { frame: self.frame, kernel: PhantomData })
    }

    /// The page's frame.
    #[inline]
    pub const fn frame(&self) -> Pfn {
        Pfn::new(self.frame.get())
    }

    /// The page's frame with this reference, which is the caller's from here on: a mapping gives it back.
    pub const fn into_frame(self) -> Pfn {
        let frame = self.frame();
        core::mem::forget(self);
        frame
    }

    /// How many references there are. Who sees that his is the only one knows that it stays so.
    #[inline]
    pub fn references(&self) -> u32 {
        K::memory().pages().references(self.frame())
    }

    /// Shows the page to `f`. For a page of high memory it may sleep until a window is free.
    ///
    /// # Errors
    /// The page is of high memory, and the caller may not sleep.
    #[inline]
    #[track_caller]
    pub fn show<R>(&self, f: impl FnOnce(&[u8]) -> R) -> Result<R, AllocError> {
        self.at_address(|page| {
            // SAFETY: the reference keeps the page, which shows there meanwhile; no value of Rust's lies in it, only
            // bytes, of which any are right.
            f(unsafe { core::slice::from_raw_parts(page.as_mut_ptr(), PAGE_SIZE) })
        })
    }

    /// Shows the page to `f`, to be written. As [`show`](Self::show).
    ///
    /// # Errors
    /// The page is of high memory, and the caller may not sleep.
    #[inline]
    #[track_caller]
    pub fn show_mut<R>(&mut self, f: impl FnOnce(&mut [u8]) -> R) -> Result<R, AllocError> {
        self.at_address(|page| {
            // SAFETY: as in `show`.
            f(unsafe { core::slice::from_raw_parts_mut(page.as_mut_ptr(), PAGE_SIZE) })
        })
    }

    /// Runs `f` with the address at which the page shows meanwhile.
    #[inline]
    #[track_caller]
    fn at_address<R>(&self, f: impl FnOnce(VirtAddr) -> R) -> Result<R, AllocError> {
        match K::memory().pages().direct().page_address(self.frame()) {
            Some(page) => Ok(f(page)),
            None => Window::<K>::open(self.frame()).map(|window| f(window.address())),
        }
    }
}

/// References that are given back together when it is dropped: cheaper than one by one, and any lock may be held until
/// then.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::{PageRef, PageRefs};
///
/// # let machine = TestKernel::boot(&Machine::with_mib(16));
/// let mut pages = PageRefs::<TestKernel>::new();
/// for _ in 0..3 {
///     pages.push(PageRef::of_file(GfpFlags::HIGHUSER)?);
/// }
/// drop(pages);
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct PageRefs<K: Global> {
    chain: BlockChain,
    kernel: PhantomData<K>,
}

impl<K: Global> PageRefs<K> {
    /// None.
    pub const fn new() -> Self {
        Self { chain: BlockChain::EMPTY, kernel: PhantomData }
    }

    /// Adds one. Any context.
    #[inline]
    pub fn push(&mut self, page: PageRef<K>) {
        K::memory().pages().chain_reference(page.into_frame(), &mut self.chain);
    }
}

impl<K: Global> Default for PageRefs<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Global> Drop for PageRefs<K> {
    fn drop(&mut self) {
        K::memory().pages().free_chain(core::mem::replace(&mut self.chain, BlockChain::EMPTY));
    }
}

impl<K: Global> Drop for PageRef<K> {
    #[inline]
    fn drop(&mut self) {
        K::memory().pages().put_reference(self.frame());
    }
}
