//! What TLBs must drop: the token of a mapping that was removed.
//! A flush takes the token before its address gets a new owner, and but for kmap before its frame does.

use crate::addr::{PAGE_SIZE, VirtAddr};

/// The owner of some translations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressSpace {
    /// The kernel's addresses, which are part of every address space.
    Kernel,
    /// The users' addresses of one set of tables: whoever flushes knows which.
    User,
}

/// The lowest bit of a page's address, which is otherwise 0: set for users.
const USER: usize = 1;

/// Pages whose mappings are gone or have other rights, but may live on in TLBs. Their frames and addresses must have no
/// new owner before [`KernelTables::flush`](crate::KernelTables::flush), or for a window of one CPU
/// [`flush_local`](crate::KernelTables::flush_local), has taken this. One exception: kmap's stale windows, whose frames
/// may have new owners before.
///
/// Dropping one is a bug, and fails where the feature `testing` is on; the platform ends it with
/// [`flushed`](Self::flushed) once it has flushed.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "TLBs may still show the old frames until this is flushed"]
pub struct MustFlush {
    /// The first page, and [`USER`]: so the token is two words, and travels in registers.
    start: usize,
    pages: usize,
}

impl MustFlush {
    /// The `pages` pages from that of `start` on must be flushed.
    #[inline]
    pub const fn new(space: AddressSpace, start: VirtAddr, pages: usize) -> Self {
        match space {
            AddressSpace::Kernel => Self { start: start.page_down().as_usize(), pages },
            AddressSpace::User => Self { start: start.page_down().as_usize() | USER, pages },
        }
    }

    /// One for both, of one address space, and all between them: so a single flush serves many areas.
    pub fn merge(self, other: Self) -> Self {
        debug_assert!(self.space() == other.space());
        let (start, end) = (self.start().min(other.start()), self.end().max(other.end()));
        // A run that wraps around has its end before its start.
        let pages = end.as_usize().wrapping_sub(start.as_usize()) / PAGE_SIZE;
        let merged = Self::new(self.space(), start, pages);
        self.flushed();
        other.flushed();
        merged
    }

    /// The owner of the translations.
    #[inline]
    pub const fn space(&self) -> AddressSpace {
        if self.start & USER == 0 { AddressSpace::Kernel } else { AddressSpace::User }
    }

    /// The first address concerned.
    #[inline]
    pub const fn start(&self) -> VirtAddr {
        VirtAddr::new(self.start & !USER)
    }

    /// The end of the addresses concerned.
    #[inline]
    pub const fn end(&self) -> VirtAddr {
        self.start().add(self.pages.wrapping_mul(PAGE_SIZE))
    }

    /// Pages from the start to the end.
    #[inline]
    pub const fn pages(&self) -> usize {
        self.pages
    }

    /// The TLBs have forgotten all of it, or a larger flush will see to that.
    #[inline]
    pub const fn flushed(self) {
        let _ = core::mem::ManuallyDrop::new(self);
    }
}

#[cfg(feature = "testing")]
impl Drop for MustFlush {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped without a flush: {self:?}");
    }
}
