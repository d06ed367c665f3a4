//! Swap: where pages of processes are while memory has no room for them.
//!
//! Key types: [`SwapStore`], what a space knows of it; [`Scan`], what reclaim knows of spaces.

use super::object::ObjectError;
use crate::addr::Pfn;
use crate::error::AllocError;
use crate::gfp::GfpFlags;

pub use crate::mapper::SwapSlot;

/// Swap, as address spaces use it. A slot has as many shares as page tables have entries that name it.
///
/// A page whose content a slot has, or will have, is in the swap cache: it is [`CACHED`](crate::PageFlags::CACHED) by
/// a reference of the cache's own. While others have references too, nobody writes it to its slot: so a page that a
/// mapping has may be changed at any time.
///
/// Calls of any context come with the page tables of a space locked: nothing of them sleeps, allocates, or calls a
/// space.
pub trait SwapStore: Sync {
    /// The page of a slot, its content up to date, with a reference for the caller, who has a share in the slot or may
    /// lose it meanwhile: then any page will do, or an error. Process context; may sleep.
    ///
    /// # Errors
    /// No memory, or the slot cannot be read.
    fn bring(&self, slot: SwapSlot) -> Result<Pfn, ObjectError>;

    /// One share more in a slot, for a caller who has one. Any context.
    ///
    /// # Errors
    /// It has as many as can be counted.
    fn duplicate(&self, slot: SwapSlot) -> Result<(), AllocError>;

    /// One share less in a slot. Any context.
    fn release(&self, slot: SwapSlot);

    /// Has an anonymous page in the swap cache, of which the caller has a mapping's reference, and gives him a share in
    /// its slot. `None`, and nothing has changed: there is no room, or the page is locked. Any context.
    fn assign(&self, frame: Pfn) -> Option<SwapSlot>;

    /// Takes a page out of the swap cache, if nobody has a share in its slot, nobody but the cache and the caller has a
    /// reference to it, and it is neither locked nor on its way to its slot. Says whether it did: the caller's
    /// reference is the only one then. Any context.
    fn forget(&self, frame: Pfn) -> bool;

    /// A page of an object was written to by way of a mapping, which has a reference to it. Any context.
    fn note_dirty(&self, frame: Pfn);

    /// Slots that are free: so many pages more than memory has may be promised. Any context.
    fn free_pages(&self) -> usize;
}

/// The address spaces of all processes, as reclaim and swap use them.
pub trait Scan: Sync {
    /// Takes up to `pages` pages out of page tables that were not used since the last time: pages of processes go to
    /// the swap cache, marked [`DIRTY`](crate::PageFlags::DIRTY) if swap does not have their content, pages of files
    /// are left to the page cache. Only pages of the zones that `gfp` names. Goes on where it stopped, once or twice
    /// round all spaces. Nothing is written, nothing allocated, nothing waited for. Any context but interrupts.
    fn swap_out(&self, gfp: GfpFlags, pages: usize) -> SwapOut;

    /// Has page tables name no slot of a swap area any more: asks `bring` for the page of each that does, which the
    /// tables show instead, and gives its share in the slot back. The page comes with a reference. Nobody may get a
    /// share in a slot of the area any more, but by [`duplicate`](SwapStore::duplicate). Process context; may sleep;
    /// one caller at a time.
    ///
    /// A space that is made by a fork or that ends meanwhile may have shares for a moment longer: who wants them all
    /// calls again until there are none.
    ///
    /// # Errors
    /// The first of `bring`. All slots that were not brought are as they were.
    fn unswap(&self, area: u8, bring: &mut dyn FnMut(SwapSlot) -> Result<Pfn, ObjectError>) -> Result<(), ObjectError>;
}

/// What [`Scan::swap_out`] has done, in pages of page tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwapOut {
    /// Pages that it has looked at.
    pub scanned: usize,
    /// Pages that it has taken away.
    pub unmapped: usize,
    /// Of these, pages of processes, which are in the swap cache now.
    pub swapped: usize,
}
