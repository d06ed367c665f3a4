//! Bytes of pages of files and of processes, copied.
//!
//! Nobody has references into such a page: whoever maps it, and whoever reads a disk into it, copies. So these copies
//! are safe to make of any frame: each first looks whether it is such a page.

use core::ops::Range;

use super::PageAllocator;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::platform::Platform;
use crate::tag::Tag;

impl<P: Platform> PageAllocator<P> {
    /// Copies the bytes from `offset` on of the page in `frame` to `to`. Any context; a page of high memory shows in a
    /// window of this CPU for that. `None`, and nothing is copied, unless it is a page of a file or a process and the
    /// bytes lie in it.
    pub fn copy_from_page(&self, frame: Pfn, offset: usize, to: &mut [u8]) -> Option<()> {
        self.show_bytes(frame, offset, to.len(), |at| {
            // SAFETY: the page's bytes show there, `to` is no part of it, as nobody has references into such a page.
            unsafe { at.as_mut_ptr::<u8>().copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) };
        })
    }

    /// Copies `from` to the bytes from `offset` on of the page in `frame`. As [`copy_from_page`](Self::copy_from_page).
    pub fn copy_to_page(&self, frame: Pfn, offset: usize, from: &[u8]) -> Option<()> {
        self.show_bytes(frame, offset, from.len(), |at| {
            // SAFETY: as above.
            unsafe { at.as_mut_ptr::<u8>().copy_from_nonoverlapping(from.as_ptr(), from.len()) };
        })
    }

    /// Writes zeros to these bytes of the page in `frame`. As [`copy_from_page`](Self::copy_from_page).
    pub fn zero_page_bytes(&self, frame: Pfn, bytes: Range<usize>) -> Option<()> {
        let len = bytes.end.checked_sub(bytes.start)?;
        self.show_bytes(frame, bytes.start, len, |at| {
            // SAFETY: the page's bytes show there.
            unsafe { at.as_mut_ptr::<u8>().write_bytes(0, len) };
        })
    }

    /// Runs `f` with the address at which so many bytes of the page show meanwhile.
    #[inline]
    pub(crate) fn show_bytes(&self, frame: Pfn, offset: usize, len: usize, f: impl FnOnce(VirtAddr)) -> Option<()> {
        let page = self.map().get(frame)?;
        let is_inside = len <= PAGE_SIZE && offset <= PAGE_SIZE - len;
        if !is_inside || !(page.has_tag(Tag::PageCache) || page.has_tag(Tag::Anonymous)) {
            return None;
        }
        self.show(frame, |at| f(at.add(offset))).ok()
    }
}
