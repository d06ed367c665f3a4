//! How areas come and go.

use alloc::sync::Arc;
use core::time::Duration;

use kapi::{Errno, Kernel, SleepLock, SpinLock, WaitQueue};
use mm::own::{AnyBox, KArc, KString};
use mm::space::SwapSlot;
use mm::{AllocError, GfpFlags, PAGE_SIZE};

use super::area::{Area, Phase, Swap};
use super::header::{Header, HeaderError};
use super::map::SlotMap;
use super::slots::Slots;
use crate::{Backing, Mapping};

/// How long it takes until [`Swap::close`] looks again for pages that are on their way.
const PAUSE: Duration = Duration::from_millis(10);

/// Puts what the page cache asks of an area into an [`Arc`], in the way that the kernel has.
pub type Share<K> = fn(Slots<K>) -> Result<Arc<dyn Backing>, AllocError>;

/// An area that is to be used.
pub struct NewArea<'a, K: Kernel> {
    /// Its path.
    pub name: &'a str,
    /// A number that no other device has.
    pub device: u64,
    /// The device's pages.
    pub backing: Arc<dyn Backing>,
    /// As the kernel does it.
    pub share: Share<K>,
    /// How many whole pages it has.
    pub pages: u64,
    /// The first of them.
    pub header: &'a [u8; PAGE_SIZE],
    /// The higher, the earlier it is used; without one it comes after all others.
    pub priority: Option<i16>,
    /// Is dropped when the area has gone.
    pub claim: AnyBox,
}

impl<K: Kernel> Swap<K> {
    /// Has pages go to a new area too. Process context; may sleep.
    ///
    /// # Errors
    /// `EINVAL`: the first page is none of an area that can be used, as the log says; `EPERM`: there are as many areas
    /// as there can be; `EBUSY`: the device is one; `ENOMEM`, `EINTR`.
    pub fn open(&'static self, new: NewArea<'_, K>) -> Result<(), Errno> {
        self.changes.with(|()| self.open_alone(new))?
    }

    fn open_alone(&'static self, new: NewArea<'_, K>) -> Result<(), Errno> {
        let refuse = |error: HeaderError| {
            K::log(format_args!("swapon: {}: {error}", new.name));
            Errno::EINVAL
        };
        if self.find(new.device).is_some() {
            return Err(Errno::EBUSY);
        }
        self.sweep();
        let number = self.areas.with(|areas| areas.unused()).ok_or(Errno::EPERM)?;
        let header = Header::parse(new.header, new.pages).map_err(refuse)?;
        let map = SlotMap::new(header.slots(), header.bad())?;
        if map.good() == 0 {
            return Err(refuse(HeaderError::Empty));
        }
        let slots = (new.share)(Slots { swap: self, area: number, device: new.backing })?;
        let bytes = u64::from(header.slots()) * PAGE_SIZE as u64;
        let mapping = KArc::new(self.cache.mapping(slots, bytes, new.name)?, GfpFlags::KERNEL)?;
        let name = KArc::new(KString::from_str(new.name, GfpFlags::KERNEL)?, GfpFlags::KERNEL)?;
        let kib = map.good() * PAGE_SIZE / 1024;
        let priority = self.areas.with(|areas| {
            let priority = new.priority.unwrap_or_else(|| areas.order.lowest());
            let (device, claim) = (new.device, Some(new.claim));
            areas.put(number, Area { map, mapping, name, device, priority, phase: Phase::On, failures: 0, claim });
            priority
        });
        K::log(format_args!("Adding Swap: {kib}k swap-space (priority {priority})"));
        Ok(())
    }

    /// The number of the area on a device, if there is one.
    pub fn find(&self, device: u64) -> Option<u8> {
        let is_it = |area: &Area<K>| area.device == device && area.phase != Phase::Closed;
        self.areas.with(|areas| areas.iter().find(|(_, area)| is_it(area)).map(|(number, _)| number))
    }

    /// Gives up the area on a device, once everything that it has is in memory again. `bring_back` has all page tables
    /// show the pages of the area with this number. Process context; may sleep, for long.
    ///
    /// # Errors
    /// `EINVAL`: there is none; `EINTR`; and those of `bring_back`. The area is used as before then, and what was
    /// brought back stays in memory.
    pub fn close(&self, device: u64, bring_back: &mut dyn FnMut(u8) -> Result<(), Errno>) -> Result<(), Errno> {
        self.changes.with(|()| self.close_alone(device, bring_back))?
    }

    fn close_alone(&self, device: u64, bring_back: &mut dyn FnMut(u8) -> Result<(), Errno>) -> Result<(), Errno> {
        let number = self.find(device).ok_or(Errno::EINVAL)?;
        let mapping = self.mapping(number).ok_or(Errno::EINVAL)?;
        self.areas.with(|areas| areas.set_phase(number, Phase::Closing));
        let emptied = self.empty(number, &mapping, bring_back);
        drop(mapping);
        let phase = if emptied.is_ok() { Phase::Closed } else { Phase::On };
        let claim = self.areas.with(|areas| areas.set_phase(number, phase));
        drop(claim);
        self.sweep();
        emptied
    }

    /// Frees what is left of closed areas. On other CPUs somebody may be on the way to one: it stays until later.
    fn sweep(&self) {
        while let Some(area) = self.areas.with(|areas| areas.take_closed()) {
            drop(area);
        }
    }

    /// Brings the pages of an area back, until nobody has a share in any slot.
    fn empty(
        &self,
        number: u8,
        mapping: &Mapping<K>,
        bring_back: &mut dyn FnMut(u8) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let never = K::WaitQueue::new();
        loop {
            bring_back(number)?;
            if self.drop_cached(number, mapping) == 0 {
                return Ok(());
            }
            // A page is on its way still, or a program that forked has taken its slots along.
            never.wait_timeout(|| false, PAUSE)?;
        }
    }

    /// Takes all pages out of the swap cache whose slots nobody else has a share in; how many slots are used still.
    fn drop_cached(&self, number: u8, mapping: &Mapping<K>) -> usize {
        let used = |from| self.areas.with(|areas| areas.get(number)?.map.next_used(from));
        let mut next = 0;
        while let Some(offset) = used(next) {
            if let Some(slot) = SwapSlot::new(number, offset) {
                mapping.remove_at(offset.into(), u32::MAX, &mut |_| self.is_unwanted(slot));
            }
            next = offset + 1;
        }
        self.areas.with(|areas| areas.get(number).map_or(0, |area| area.map.used()))
    }
}
