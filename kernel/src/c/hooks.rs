//! What the loader asks of this interface: be ready, let go of a module.

use core::fmt;
use core::ops::Range;

use mm::VirtAddr;

/// A module that goes: what leads into it is taken back.
pub(super) struct Gone<'a> {
    ranges: &'a [Range<VirtAddr>],
    tell: &'a mut dyn FnMut(fmt::Arguments<'_>),
}

impl<'a> Gone<'a> {
    pub(super) fn new(ranges: &'a [Range<VirtAddr>], tell: &'a mut dyn FnMut(fmt::Arguments<'_>)) -> Self {
        Self { ranges, tell }
    }

    /// Whether the address is the module's.
    pub(super) fn has(&self, address: usize) -> bool {
        self.ranges.iter().any(|range| range.contains(&VirtAddr::new(address)))
    }

    /// It has left this behind.
    pub(super) fn tell(&mut self, what: fmt::Arguments<'_>) {
        (self.tell)(what);
    }
}
