//! Where caches and slabs are, for readers of the machine's memory.

use core::mem::offset_of;

use super::ObjectAllocator;
use crate::objects::cache::{Body, Cache};
use crate::objects::descriptor::Slab;
use crate::objects::geometry::Geometry;
use crate::objects::name::CacheName;
use crate::objects::object_state::ObjectState;
use crate::outside::{CacheFields, Header, SlabFields};
use crate::platform::{Lock, Platform};

impl<P: Platform> ObjectAllocator<P> {
    /// Writes down where caches are, and the fields of caches and of descriptors of slabs. The list's head stays where
    /// it is. Any context.
    pub(crate) fn describe(&self, header: &mut Header) {
        let field = |offset: usize| (Cache::<P>::BODY + offset) as u64;
        let geometry = offset_of!(Body<P>, geometry) + offset_of!(Geometry, stride);
        header.caches = CacheFields {
            head: self.list.with(|list| list.head_word()).as_usize() as u64,
            next: field(offset_of!(Body<P>, next)),
            word: field(offset_of!(Body<P>, tag)),
            name: field(offset_of!(Body<P>, name) + CacheName::CHARACTERS),
            name_max: CacheName::MAX as u64,
            stride: field(geometry),
        };
        header.slabs = SlabFields {
            first: offset_of!(Slab, first) as u64,
            objects: offset_of!(Slab, objects) as u64,
            free: ObjectState::FREE.into(),
            cached: ObjectState::CACHED.into(),
            quarantined: ObjectState::QUARANTINED.into(),
            live: ObjectState::LIVE.into(),
        };
    }
}

impl<P: Platform> Cache<P> {
    /// The number that the pages of its slabs bear, as [`Seen::count`](crate::page::Seen::count) tells it. Any context.
    pub(crate) fn number(&self) -> u32 {
        (self.tag.bits() >> u32::BITS) as u32
    }
}
