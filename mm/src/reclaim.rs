//! Who can give memory back when there is need.
//!
//! The page allocator asks its shrinkers by this trait and knows none of them by name: slab caches, areas and whoever
//! else holds memory that can be had again register themselves.

use crate::error::AllocError;
use crate::gfp::GfpFlags;

/// Somebody who holds memory that can be given back when there is need. No call allocates anything.
pub trait Shrinker: Sync {
    /// Gives back what it can under these flags and returns how many pages that were. It starts I/O only if the flags
    /// have [`GfpFlags::IO`]. Process context; it may sleep.
    fn shrink(&'static self, gfp: GfpFlags) -> usize;

    /// Gives back what is free but for a last step, such as a flush, and returns how many pages that were. Any context,
    /// and no lock of the allocators is held: it is asked before an allocation is refused.
    fn settle(&'static self) -> usize {
        0
    }

    /// Gives back everything that is not in use, however dear it will be to get again; returns how many pages that
    /// were. Process context. (`echo 3 > /proc/sys/vm/drop_caches`)
    fn purge(&'static self) -> usize {
        self.shrink(GfpFlags::KERNEL)
    }
}

/// Shrinkers that can be registered: the allocators' own two, and eight more.
const MAX_SHRINKERS: usize = 10;

/// The shrinkers, in the order in which they came.
#[derive(Clone, Copy)]
pub(crate) struct Shrinkers {
    registered: [Option<&'static dyn Shrinker>; MAX_SHRINKERS],
}

impl Shrinkers {
    /// Nobody.
    pub(crate) const fn new() -> Self {
        Self { registered: [None; MAX_SHRINKERS] }
    }

    /// Adds one; fails when there is no room.
    pub(crate) fn add(&mut self, shrinker: &'static dyn Shrinker) -> Result<(), AllocError> {
        let place = self.registered.iter_mut().find(|place| place.is_none()).ok_or(AllocError)?;
        *place = Some(shrinker);
        Ok(())
    }

    /// The sum of what `ask` returns for each.
    pub(crate) fn sum(&self, ask: impl Fn(&'static dyn Shrinker) -> usize) -> usize {
        self.registered.iter().flatten().map(|&shrinker| ask(shrinker)).sum()
    }
}
