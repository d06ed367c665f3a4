//! Ranges of addresses, such as those of a module, and what lies there.

use core::ops::Range;
use core::panic::Location;

use crate::addr::VirtAddr;

/// Some ranges of addresses.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a>(&'a [Range<VirtAddr>]);

impl<'a> Places<'a> {
    /// These.
    pub(crate) const fn new(ranges: &'a [Range<VirtAddr>]) -> Self {
        Self(ranges)
    }

    /// Whether an address is in one of them.
    pub(crate) fn has(self, addr: VirtAddr) -> bool {
        self.0.iter().any(|range| range.contains(&addr))
    }

    /// Whether the constant that names a place of a call lies there.
    pub(crate) fn has_caller(self, caller: Option<&'static Location<'static>>) -> bool {
        caller.is_some_and(|caller| self.has(VirtAddr::from_ptr(core::ptr::from_ref(caller))))
    }
}
