//! Memory for a test machine: an anonymous file that can be mapped repeatedly.

use core::ptr::NonNull;

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::mapper::Access;

/// What ranges are aligned to, 1 GiB: for the largest blocks, and so that runs need as many page tables each time.
const ALIGN: usize = if cfg!(target_pointer_width = "64") { 1 << 30 } else { 1 << 22 };

/// A range of reserved host addresses.
pub(super) struct Reserved {
    base: NonNull<libc::c_void>,
    len: usize,
    /// First aligned address.
    aligned: VirtAddr,
}

// SAFETY: plain addresses; what is mapped there belongs to the platform's user.
unsafe impl Send for Reserved {}
// SAFETY: as above.
unsafe impl Sync for Reserved {}

impl Reserved {
    /// Reserves `pages` pages of addresses that nothing is mapped to.
    pub(super) fn new(pages: usize) -> Self {
        let len = pages * PAGE_SIZE + ALIGN;
        // SAFETY: a fresh private mapping at an address of the host's choice.
        let base = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                len,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED, "the host has no addresses left");
        let base = NonNull::new(base).expect("mmap returns no null");
        let aligned = VirtAddr::new((base.as_ptr() as usize).next_multiple_of(ALIGN));
        Self { base, len, aligned }
    }

    pub(super) fn start(&self) -> VirtAddr {
        self.aligned
    }

    /// Gives the addresses back.
    pub(super) fn release(&self) {
        // SAFETY: the range is ours.
        let result = unsafe { libc::munmap(self.base.as_ptr(), self.len) };
        assert_eq!(result, 0);
    }

    /// Lets what is mapped to `pages` pages from `at` on be accessed in this way.
    pub(super) fn protect(&self, at: VirtAddr, pages: usize, access: Access) {
        let rights = match access {
            Access::Read => libc::PROT_READ,
            Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
            Access::Execute => libc::PROT_READ | libc::PROT_EXEC,
        };
        // SAFETY: the pages lie in the range that is ours.
        let result = unsafe { libc::mprotect(at.as_mut_ptr(), pages * PAGE_SIZE, rights) };
        assert_eq!(result, 0);
    }

    /// Takes away whatever is mapped to the page at `at`.
    pub(super) fn clear(&self, at: VirtAddr) {
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: the page lies in the range that is ours.
        let result = unsafe { libc::mmap(at.as_mut_ptr(), PAGE_SIZE, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(result, libc::MAP_FAILED);
    }
}

/// The file that holds the machine's memory.
pub(super) struct File(libc::c_int);

impl File {
    /// A file of `pages` zeroed pages.
    pub(super) fn new(pages: usize) -> Self {
        // SAFETY: the name is a constant C string.
        let fd = unsafe { libc::memfd_create(c"scullery-arena".as_ptr(), 0) };
        assert!(fd >= 0, "the host has no memory files");
        // SAFETY: the file is ours.
        let result = unsafe { libc::ftruncate(fd, (pages * PAGE_SIZE) as libc::off_t) };
        assert_eq!(result, 0, "the host has no room for the machine's memory");
        Self(fd)
    }

    /// Maps `pages` pages of the file, from page `first` on, to the addresses from `at` on.
    pub(super) fn map(&self, at: VirtAddr, first: usize, pages: usize) {
        let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_FIXED | libc::MAP_SHARED);
        let offset = (first * PAGE_SIZE) as libc::off_t;
        // SAFETY: the addresses lie in a range that the caller has reserved, the pages in the file.
        let result = unsafe { libc::mmap(at.as_mut_ptr(), pages * PAGE_SIZE, rights, flags, self.0, offset) };
        assert_ne!(result, libc::MAP_FAILED, "the host cannot map more pages");
    }

    pub(super) fn close(&self) {
        // SAFETY: the file is ours and not used any more.
        let result = unsafe { libc::close(self.0) };
        assert_eq!(result, 0);
    }
}
