//! Memory for a peer to manage.

use core::ptr::NonNull;

use mm::{Order, PAGE_SIZE};

/// Page frames that each peer manages, unless a row says otherwise: 128 MiB.
pub const FRAMES: usize = 32768;
/// Bytes of [`FRAMES`].
pub const BYTES: usize = FRAMES * PAGE_SIZE;

/// Fresh zeroed memory, aligned to the largest block.
pub struct Arena {
    mapping: NonNull<libc::c_void>,
    mapped: usize,
    start: NonNull<u8>,
}

// SAFETY: plain memory; who uses it takes care.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// So many page frames that the host has not yet given memory to.
    ///
    /// # Panics
    /// When the host has no addresses left.
    pub fn new(frames: usize) -> Self {
        // Room to align in.
        let mapped = frames * PAGE_SIZE + Order::MAX.bytes();
        let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh private mapping at an address of the host's choice.
        let mapping = unsafe { libc::mmap(core::ptr::null_mut(), mapped, rights, flags | libc::MAP_NORESERVE, -1, 0) };
        assert_ne!(mapping, libc::MAP_FAILED, "the host has no addresses left");
        let mapping = NonNull::new(mapping).expect("mmap returns no null");
        let bytes = mapping.cast::<u8>();
        // SAFETY: the offset is below the largest block's size, which is what the mapping has to spare.
        let start = unsafe { bytes.add(bytes.as_ptr().align_offset(Order::MAX.bytes())) };
        Self { mapping, mapped, start }
    }

    /// [`BYTES`] bytes that are there, in large pages if the host has them, as a kernel's direct map is.
    pub fn populated() -> Self {
        let arena = Self::new(FRAMES);
        // SAFETY: the mapping is ours; this is advice.
        unsafe { libc::madvise(arena.mapping.as_ptr(), arena.mapped, libc::MADV_HUGEPAGE) };
        // SAFETY: the range is ours and nobody uses it yet.
        unsafe { arena.start.write_bytes(1, BYTES) };
        // SAFETY: as above.
        unsafe { arena.start.write_bytes(0, BYTES) };
        arena
    }

    /// The first byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The first byte's address.
    pub fn address(&self) -> usize {
        self.start.as_ptr().expose_provenance()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever used it has gone.
        unsafe { libc::munmap(self.mapping.as_ptr(), self.mapped) };
    }
}
