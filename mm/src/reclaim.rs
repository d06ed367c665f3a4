//! Shrinkers: the holders of memory that can be given back.
//!
//! The page allocator calls its shrinkers through this trait and knows none of them by name: slab caches, areas and
//! other holders of memory that can be allocated again register themselves.

use core::panic::Location;

use crate::addr::VirtAddr;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::places::Places;

/// What a holder of memory has its pages for, in the counts of /proc/vmstat and in traces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// Slab caches.
    Slabs,
    /// Areas of vmalloc.
    Areas,
    /// What files, disks and processes have in memory.
    PageCache,
    /// Anything else.
    Other,
}

/// A holder of memory that can be given back when memory is short.
///
/// No call needs memory. Where the [`Platform`](crate::Platform) knows which task reclaims, a call may ask for some: it
/// gets it from the reserve or not at all.
pub trait Shrinker: Sync {
    /// Gives back what it can under these flags and returns how many pages that were; some tens of pages are enough. It
    /// starts I/O, or waits for some, only if the flags have [`GfpFlags::IO`]. Process context; it may sleep.
    fn shrink(&'static self, gfp: GfpFlags) -> usize;

    /// What it has its pages for.
    fn holder(&self) -> Holder {
        Holder::Other
    }

    /// Pages that are being written and will come free, or can be given back, when that is done: who may wait for I/O
    /// does not give up before. Process context; never sleeps.
    fn pending(&'static self) -> usize {
        0
    }

    /// Gives back what is free except for a last step, such as a flush; returns how many pages that were. Any context,
    /// no lock of the allocators held: the page allocator calls it before it refuses an allocation.
    fn settle(&'static self) -> usize {
        0
    }

    /// Gives back all memory that is not in use, whatever it costs to allocate it again; returns how many pages that
    /// were. Process context. (`echo 3 > /proc/sys/vm/drop_caches`)
    fn purge(&'static self) -> usize {
        self.shrink(GfpFlags::KERNEL)
    }
}

/// Shrinkers that can be registered: the allocators' own two, and eight more.
const MAX_SHRINKERS: usize = 10;

/// The shrinkers, in the order of their registration.
#[derive(Clone, Copy)]
pub(crate) struct Shrinkers {
    registered: [Option<Registered>; MAX_SHRINKERS],
}

/// A shrinker, and who registered it.
#[derive(Clone, Copy)]
struct Registered {
    shrinker: &'static dyn Shrinker,
    caller: &'static Location<'static>,
}

impl Shrinkers {
    /// No shrinkers.
    pub(crate) const fn new() -> Self {
        Self { registered: [None; MAX_SHRINKERS] }
    }

    /// Adds one, unless it is there; fails when the table is full.
    pub(crate) fn add(
        &mut self,
        shrinker: &'static dyn Shrinker,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        if self.registered.iter().flatten().any(|known| core::ptr::addr_eq(known.shrinker, shrinker)) {
            return Ok(());
        }
        let place = self.registered.iter_mut().find(|place| place.is_none()).ok_or(AllocError)?;
        *place = Some(Registered { shrinker, caller });
        Ok(())
    }

    /// Takes out this one; says whether it was there.
    pub(crate) fn remove(&mut self, shrinker: &'static dyn Shrinker) -> bool {
        self.take_if(|registered| core::ptr::addr_eq(registered.shrinker, shrinker)).is_some()
    }

    /// Takes out one that lies in `places`, or was registered from there; returns where it was registered.
    pub(crate) fn take_from(&mut self, places: Places<'_>) -> Option<&'static Location<'static>> {
        let is_there = |registered: &Registered| {
            let data = VirtAddr::from_ptr(core::ptr::from_ref(registered.shrinker).cast::<()>());
            places.has(data) || places.has_caller(Some(registered.caller))
        };
        self.take_if(is_there).map(|registered| registered.caller)
    }

    fn take_if(&mut self, is_it: impl Fn(&Registered) -> bool) -> Option<Registered> {
        self.registered.iter_mut().find(|place| place.as_ref().is_some_and(&is_it)).and_then(Option::take)
    }

    /// All of them, in the order of their registration, with their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &'static dyn Shrinker)> {
        let places = self.registered.iter().enumerate();
        places.filter_map(|(place, registered)| Some((place, registered.as_ref()?.shrinker)))
    }
}
