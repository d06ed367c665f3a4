//! An owned page, possibly of high memory.

use core::marker::PhantomData;
use core::num::NonZeroU32;

use super::Global;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::order::Order;

/// A single page, of high memory too: it has an address only while it is shown, by kmap. (2.4 keeps files in such
/// pages.)
///
/// Frame 0 is never allocated, so an `Option` of a page is four bytes.
///
/// ```
/// # use mm::testing::{Machine, TestKernel};
/// use mm::GfpFlags;
/// use mm::own::UserPage;
///
/// # let machine = TestKernel::boot(&Machine { highmem_start: mm::Pfn::new(5120), ..Machine::with_mib(24) });
/// let mut page = UserPage::<TestKernel>::zeroed(GfpFlags::HIGHUSER)?;
/// assert_eq!(machine.pages().direct().zone_of(page.frame()), mm::ZoneKind::HighMem);
/// page.show_mut(|bytes| bytes[0] = 1)?;
/// assert_eq!(page.show(|bytes| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>())?, 1);
/// # Ok::<(), mm::AllocError>(())
/// ```
pub struct UserPage<K: Global> {
    frame: NonZeroU32,
    kernel: PhantomData<K>,
}

impl<K: Global> UserPage<K> {
    /// Allocates one page filled with zeros, such as [`GfpFlags::HIGHUSER`] asks for. Sleeps if `gfp` allows it.
    ///
    /// # Errors
    /// No memory.
    #[track_caller]
    pub fn zeroed(gfp: GfpFlags) -> Result<Self, AllocError> {
        let frame = K::memory().pages().alloc_zeroed_page(gfp)?;
        NonZeroU32::new(frame.as_u32()).map(|frame| Self { frame, kernel: PhantomData }).ok_or(AllocError)
    }

    /// The page's frame.
    pub const fn frame(&self) -> Pfn {
        Pfn::new(self.frame.get())
    }

    /// Shows the page to `f`. May sleep until a window is free: process context only. Fails in any other.
    ///
    /// # Errors
    /// The caller may not sleep.
    #[track_caller]
    pub fn show<R>(&self, f: impl FnOnce(&[u8]) -> R) -> Result<R, AllocError> {
        let window = Window::<K>::open(self.frame())?;
        // SAFETY: the handle owns the page, which shows there until the window is closed.
        Ok(f(unsafe { core::slice::from_raw_parts(window.address().as_mut_ptr(), PAGE_SIZE) }))
    }

    /// Shows the page to `f`, to be written. As [`show`](Self::show).
    ///
    /// # Errors
    /// The caller may not sleep.
    #[track_caller]
    pub fn show_mut<R>(&mut self, f: impl FnOnce(&mut [u8]) -> R) -> Result<R, AllocError> {
        let window = Window::<K>::open(self.frame())?;
        // SAFETY: as in `show`, and the handle is borrowed exclusively.
        Ok(f(unsafe { core::slice::from_raw_parts_mut(window.address().as_mut_ptr(), PAGE_SIZE) }))
    }
}

impl<K: Global> Drop for UserPage<K> {
    fn drop(&mut self) {
        // SAFETY: the page is this value's, which ends.
        let freed = unsafe { K::memory().free_frames(self.frame(), Order::ZERO) };
        debug_assert!(freed.is_ok());
    }
}

/// A page while it is shown.
pub(super) struct Window<K: Global> {
    frame: Pfn,
    addr: VirtAddr,
    kernel: PhantomData<K>,
}

impl<K: Global> Window<K> {
    #[track_caller]
    pub(super) fn open(frame: Pfn) -> Result<Self, AllocError> {
        K::memory().kmap(frame).map(|addr| Self { frame, addr, kernel: PhantomData })
    }

    /// Where it shows.
    pub(super) const fn address(&self) -> VirtAddr {
        self.addr
    }
}

impl<K: Global> Drop for Window<K> {
    fn drop(&mut self) {
        // SAFETY: this value has shown it, and ends.
        let closed = unsafe { K::memory().kunmap(self.frame) };
        debug_assert!(closed.is_ok());
    }
}
