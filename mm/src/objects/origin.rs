//! What a cache has of whoever created it: callees, the place of the call.

use core::panic::Location;
use core::ptr::NonNull;

use bitflags::bitflags;

use crate::addr::VirtAddr;
use crate::places::Places;

bitflags! {
    /// The flags of a call of a constructor or destructor.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CtorFlags: u32 {
        /// The callee is called as a constructor.
        const CONSTRUCTOR = 1;
        /// It must not sleep.
        const ATOMIC = 2;
    }
}

/// Prepares a fresh object: called once for each object when its slab is made, with the object's address, the cache's
/// name and [`CtorFlags::CONSTRUCTOR`].
pub type Ctor = fn(NonNull<u8>, &str, CtorFlags);
/// Cleans an object up: called once for each object when its slab goes, with no flags set.
pub type Dtor = fn(NonNull<u8>, &str, CtorFlags);

/// What a cache has of whoever created it.
#[derive(Clone, Copy, Default)]
pub(super) struct Origin {
    pub(super) ctor: Option<Ctor>,
    pub(super) dtor: Option<Dtor>,
    /// Where it was created; `None` for those of the allocators that exist from the start.
    pub(super) creator: Option<&'static Location<'static>>,
}

impl Origin {
    /// Whether something of it lies in `places`.
    pub(super) fn is_in(&self, places: Places<'_>) -> bool {
        let has = |callee: fn(NonNull<u8>, &str, CtorFlags)| places.has(VirtAddr::from_ptr(callee as *const ()));
        self.ctor.is_some_and(has) || self.dtor.is_some_and(has) || places.has_caller(self.creator)
    }
}
