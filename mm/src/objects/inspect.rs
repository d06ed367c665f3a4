//! What is known of an object: for people, and before something is freed.

use core::panic::Location;
use core::ptr::NonNull;

use super::ObjectAllocator;
use crate::addr::VirtAddr;
use crate::objects::cache::Cache;
use crate::objects::debug::DebugFlags;
use crate::objects::descriptor::SlabRef;
use crate::objects::name::CacheName;
use crate::objects::object_state::ObjectState;
use crate::objects::watched::Event;
use crate::page::PageState;
use crate::platform::{Cpus, Lock, Platform};

/// Where an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Whereabouts {
    /// With an owner.
    Live,
    /// Free, in a magazine of a CPU or in its depot, or on its way.
    Cached,
    /// Free, in its slab.
    InSlab,
    /// Freed, and kept back for a while. (`slab_quarantine=`)
    Quarantined,
    /// Unknown: what was written down of it was overwritten.
    Damaged,
}

/// An object of a slab, and its slab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The name of its cache.
    pub cache: CacheName,
    /// Whether the allocators themselves own it: no caller frees it.
    pub is_own: bool,
    /// The object's first address.
    pub start: VirtAddr,
    /// Bytes that its owner may use.
    pub usable: usize,
    /// Its number in the slab, from 0 on.
    pub number: usize,
    /// Where it is.
    pub whereabouts: Whereabouts,
    /// Objects of its slab.
    pub objects: usize,
    /// Of these, the ones that are not in the slab: live or cached.
    pub out: usize,
    /// Who allocated it last, if that is remembered. (`slab_debug=U`)
    pub allocated: Option<&'static Location<'static>>,
    /// Who freed it last, if that is remembered.
    pub freed: Option<&'static Location<'static>>,
}

impl<P: Platform> ObjectAllocator<P> {
    /// What is known of the object around `addr`: a snapshot, of which nothing need be true any more if others allocate
    /// meanwhile. `None` outside of slabs, between objects, and where a slab's descriptor was overwritten. Never
    /// sleeps; any context.
    pub fn object_info(&self, addr: VirtAddr) -> Option<ObjectInfo> {
        let _pin = self.platform().cpus().pin();
        let slab = self.claimed_slab(addr).ok().filter(|slab| slab.is_intact())?;
        let cache = self.owner(slab);
        cache.slabs.with(|_| {
            // The slab may have gone before the cache was locked.
            let stays =
                self.claimed_slab(addr).is_ok_and(|now| now == slab) && self.page_state(addr) == PageState::Slab;
            if stays { self.object_info_in(cache, slab, addr) } else { None }
        })
    }

    /// [`object_info`](Self::object_info) in a slab that stays.
    fn object_info_in(&self, cache: &Cache<P>, slab: SlabRef, addr: VirtAddr) -> Option<ObjectInfo> {
        let offset = addr.as_usize().checked_sub(slab.first().as_usize())?;
        let number = Some(offset / cache.geometry.stride).filter(|&number| number < slab.objects())?;
        let start = cache.address_of(slab, number);
        let object = NonNull::new(start.as_mut_ptr())?;
        let whereabouts = match slab.slot(number).state().get() {
            ObjectState::LIVE => Whereabouts::Live,
            ObjectState::CACHED => Whereabouts::Cached,
            ObjectState::FREE => Whereabouts::InSlab,
            ObjectState::QUARANTINED => Whereabouts::Quarantined,
            _ => Whereabouts::Damaged,
        };
        let remembered = cache.debug.contains(DebugFlags::USERS);
        let users = if remembered { self.watched(cache, object).users() } else { [None; 2] };
        let usable =
            if whereabouts == Whereabouts::Live { self.held_bytes(cache, object) } else { cache.geometry.usable };
        Some(ObjectInfo {
            cache: cache.name,
            is_own: cache.is_own(),
            start,
            usable,
            number,
            whereabouts,
            objects: slab.objects(),
            out: slab.out(),
            allocated: users[Event::Alloc as usize],
            freed: users[Event::Free as usize],
        })
    }

    fn page_state(&self, addr: VirtAddr) -> PageState {
        self.page_word(addr).state()
    }
}
