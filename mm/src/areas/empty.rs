//! Areas in which nothing is mapped, for benchmarks.
//! They show what vmalloc does to addresses alone.

use super::AreaAllocator;
use crate::addr::VirtAddr;
use crate::areas::area::{AreaKind, Fit, Purpose};
use crate::error::{AllocError, FreeError};
use crate::platform::Platform;
use crate::report::Call;

impl<P: Platform> AreaAllocator<P> {
    /// Takes a range of `pages` pages, which is not 0, and a guard page. Process context only.
    #[doc(hidden)]
    #[track_caller]
    pub fn take_empty(&'static self, pages: usize) -> Result<VirtAddr, AllocError> {
        self.reserve_area(Fit::pages(pages), AreaKind::Vmap, Call::here(&"take_empty")).map(|area| self.open(area))
    }

    /// Frees a range from [`take_empty`](Self::take_empty). Process context only.
    #[doc(hidden)]
    #[track_caller]
    pub fn free_empty(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.free_area(addr, Purpose::Vmap, Call::here(&"free_empty"))
    }
}
