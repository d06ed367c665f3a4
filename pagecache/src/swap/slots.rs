//! What the page cache asks of an area.
//!
//! Where pages come from and go to, and who still wants them.

use alloc::sync::Arc;

use kapi::{Kernel, SpinLock};
use mm::space::SwapSlot;
use mm::{PageFlags, Pfn};

use super::area::{Areas, Swap};
use super::map::Sharer;
use crate::{Backing, Direction, Kind, PageIo};

/// An area as the page cache sees it: the disk below, and the shares of its slots.
pub struct Slots<K: Kernel> {
    pub(super) swap: &'static Swap<K>,
    pub(super) area: u8,
    pub(super) device: Arc<dyn Backing>,
}

impl<K: Kernel> Slots<K> {
    /// Asks something about the slot of a page; `None` if there is no such slot.
    fn with<R>(&self, index: u64, ask: impl FnOnce(&mut Areas<K>, SwapSlot) -> R) -> Option<R> {
        let slot = SwapSlot::new(self.area, u32::try_from(index).ok()?)?;
        Some(self.swap.areas.with(|areas| ask(areas, slot)))
    }
}

impl<K: Kernel> Backing for Slots<K> {
    fn kind(&self) -> Kind {
        Kind::Swap
    }

    fn read(&self, io: PageIo) {
        self.device.read(io);
    }

    fn write(&self, io: PageIo) {
        self.device.write(io);
    }

    fn begin(&self) {
        self.device.begin();
    }

    fn end(&self) {
        self.device.end();
    }

    /// The swap cache takes a share, which can be had while somebody has one.
    fn entering(&self, index: u64) -> bool {
        self.with(index, |areas, slot| areas.share(slot, Sharer::Cache).is_ok()) == Some(true)
    }

    fn left(&self, index: u64) {
        // It had a share since it entered.
        let _ = self.with(index, |areas, slot| areas.release(slot));
    }

    /// Nobody will ask for what only the swap cache has a share in.
    fn is_wanted(&self, index: u64) -> bool {
        self.with(index, |areas, slot| areas.shares(slot) > 1) == Some(true)
    }

    /// A slot that failed is never given out again; a page that could not be written stays in memory until nobody wants
    /// it. Of many failures the log has the first, the second, the fourth, ...
    fn failed(&self, index: u64, frame: Pfn, direction: Direction) {
        let what = match direction {
            Direction::Read => "read",
            Direction::Write => {
                K::memory().pages().set_page_flags(frame, PageFlags::KEPT);
                "written"
            }
        };
        let counted = self.with(index, |areas, slot| {
            areas.change(slot, |area| {
                area.map.mark_bad(slot.offset());
                area.failures += 1;
                (area.failures, area.name.clone())
            })
        });
        if let Some(Some((failures, name))) = counted
            && failures.is_power_of_two()
        {
            let name = name.as_str();
            K::log(format_args!("swap: page {index} of {name} cannot be {what}; failures so far: {failures}"));
        }
    }
}
