//! Areas in which nothing is mapped, for benchmarks.
//! They show what vmalloc does to addresses alone.

use super::AreaAllocator;
use crate::addr::VirtAddr;
use crate::areas::area::{AreaKind, Fit, Owner};
use crate::error::{AllocError, FreeError};
use crate::platform::Platform;
use crate::report::Call;
use crate::tag::Tag;

impl<P: Platform> AreaAllocator<P> {
    /// Takes a range of `pages` pages, which is not 0, and a guard page. Process context only.
    #[doc(hidden)]
    #[track_caller]
    pub fn take_empty(&'static self, pages: usize) -> Result<VirtAddr, AllocError> {
        let call = Call::here(&"take_empty");
        self.reserve_area(Fit::pages(pages), AreaKind::Vmap, Tag::None, call).map(|area| self.open(area))
    }

    /// Frees a range from [`take_empty`](Self::take_empty). Process context only.
    #[doc(hidden)]
    #[track_caller]
    pub fn free_empty(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.free_area(addr, Owner::VUNMAP, Call::here(&"free_empty"))
    }
}
