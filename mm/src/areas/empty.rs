//! Areas in which nothing is mapped: what vmalloc does to addresses alone, for benchmarks.

use core::panic::Location;

use super::Memory;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::platform::Platform;
use crate::vm::{AreaKind, Purpose};

impl<P: Platform> Memory<P> {
    /// Takes a range of `pages` pages, which is not 0, and a guard page. Process context only.
    #[doc(hidden)]
    #[track_caller]
    pub fn take_empty_area(&'static self, pages: usize) -> Result<VirtAddr, AllocError> {
        let area = self.reserve_area("take_empty_area", (pages, PAGE_SIZE), AreaKind::Vmap, Location::caller())?;
        Ok(self.open(area))
    }

    /// Gives a range from [`take_empty_area`](Self::take_empty_area) back. Process context only.
    #[doc(hidden)]
    #[track_caller]
    pub fn free_empty_area(&'static self, addr: VirtAddr) -> Result<(), FreeError> {
        self.free_area("free_empty_area", addr, Purpose::Vmap, Location::caller())
    }
}
