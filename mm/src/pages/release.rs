//! Memory comes in: frames are handed to their zones, each once.

use super::PageAllocator;
use crate::addr::{Pfn, PfnRange};
use crate::atomic::Ordering::Relaxed;
use crate::error::ReleaseError;
use crate::order::Order;
use crate::page::SECTION_FRAMES;
use crate::platform::{Lock, Platform};
use crate::report::Call;

impl<P: Platform> PageAllocator<P> {
    /// Hands the frames of `range` to their zones: all of them, each for the first time, or none.
    pub(crate) fn release(&self, range: PfnRange, call: Call) -> Result<(), ReleaseError> {
        self.claim(range).inspect_err(|error| {
            self.refuse(call, error.reason());
        })?;
        let mut at = range.start;
        while at < range.end {
            let end =
                if at < self.direct.highmem_start() { range.end.min(self.direct.highmem_start()) } else { range.end };
            let order = Order::largest_at(at.as_u32(), end.as_u32() - at.as_u32());
            self.with_zone(self.direct.zone_of(at), |zone| zone.release(self.map(), at, order));
            at = at.add(order.pages());
        }
        self.managed.fetch_add(range.frames(), Relaxed);
        self.poison_released();
        Ok(())
    }

    /// Notes that the frames of `range` belong to zones from now on, if they can.
    fn claim(&self, range: PfnRange) -> Result<(), ReleaseError> {
        let sections = range.start.as_u32() / SECTION_FRAMES..range.end.as_u32().div_ceil(SECTION_FRAMES);
        let is_ram = |section: u32| self.map().get(Pfn::new(section * SECTION_FRAMES)).is_some();
        if range.frames() > 0 && !{ sections }.all(is_ram) {
            return Err(ReleaseError::NotRam);
        }
        if self.platform.is_own(range) {
            return Err(ReleaseError::Own);
        }
        self.released.with(|released| {
            if released.ranges().iter().any(|held| held.intersection(range).frames() > 0) {
                return Err(ReleaseError::AlreadyReleased);
            }
            released.insert(range).map_err(|_| ReleaseError::TooManyRanges)
        })
    }
}
