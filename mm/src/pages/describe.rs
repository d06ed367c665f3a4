//! Where zones and events are, for readers of the machine's memory.

use super::PageAllocator;
use crate::gfp::ZoneKind;
use crate::outside::Header;
use crate::platform::{Lock, Platform};

impl<P: Platform> PageAllocator<P> {
    /// Writes down where the page map, the zones and the counts of events are. They stay there. Any context.
    pub(crate) fn describe(&self, header: &mut Header) {
        header.frames = self.map().frames().into();
        header.highmem_start = self.direct.highmem_start().as_u32().into();
        header.direct_map = self.direct.start().as_usize() as u64;
        for kind in ZoneKind::ALL {
            header.zones[kind as usize] = self.zone(kind).with(|zone| zone.words());
        }
        header.events = self.events.words();
        header.sites.owners = self.owners.word().as_usize() as u64;
    }
}
