//! From an address to the slab around it, its cache, and the object's state.

use super::ObjectAllocator;
use crate::addr::{PAGE_SHIFT, Pfn, VirtAddr};
use crate::error::FreeError;
use crate::objects::cache::Cache;
use crate::objects::classes::{KMALLOC_MAX, Twin};
use crate::objects::descriptor::{SlabRef, StateSlot};
use crate::objects::geometry::Geometry;
use crate::page::PageState;
use crate::platform::Platform;
use crate::report::Call;

impl<P: Platform> ObjectAllocator<P> {
    /// The slab whose pages `addr` lies in.
    pub(super) fn slab_of(&self, addr: VirtAddr) -> Result<SlabRef, FreeError> {
        let frame = self.direct.frame_of(addr).ok_or(FreeError::Wild)?;
        let page = self.direct.map().get(frame).ok_or(FreeError::Wild)?;
        match page.state() {
            // SAFETY: a page that reads Slab carries the link of its slab, which exists until that state goes.
            PageState::Slab => Ok(unsafe { SlabRef::from_link(page.link()) }),
            PageState::Allocated(_) => Err(FreeError::NotSlab),
            PageState::Free(_) | PageState::Cached(_) => Err(FreeError::DoubleFree),
            PageState::Inner => match self.direct.map().block_of(frame) {
                Some((_, PageState::Free(_) | PageState::Cached(_))) => Err(FreeError::DoubleFree),
                Some(_) => Err(FreeError::NotSlab),
                None => Err(FreeError::Reserved),
            },
        }
    }

    /// The slab around an address that is known to lie in one.
    pub(super) fn slab_around(&self, addr: VirtAddr) -> SlabRef {
        let offset = addr.as_usize().wrapping_sub(self.direct.virt(Pfn::new(0)).as_usize());
        let page = self.direct.map().at(Pfn::new((offset >> PAGE_SHIFT) as u32));
        // SAFETY: the page belongs to a slab, which exists as long as one of its objects is out.
        unsafe { SlabRef::from_link(page.link()) }
    }

    /// The cache of a slab.
    #[inline]
    pub(super) fn owner(&self, slab: SlabRef) -> &Cache<P> {
        // SAFETY: a slab's owner is the cache that made it, and a cache outlives its slabs.
        unsafe { slab.owner().cast::<Cache<P>>().as_ref() }
    }

    /// The slab and the state of the live object at `addr`. It must be one of `expected`, or of any cache that is not
    /// the allocators' own.
    pub(super) fn live_object(
        &self,
        addr: VirtAddr,
        expected: Option<&Cache<P>>,
    ) -> Result<(SlabRef, StateSlot), FreeError> {
        let slab = self.slab_of(addr)?;
        let cache = self.owner(slab);
        let fits = match expected {
            Some(expected) => core::ptr::eq(expected, cache),
            None => !cache.is_own(),
        };
        if !fits {
            return Err(FreeError::WrongCache);
        }
        let slot = slab.state_at(addr).ok_or(FreeError::Interior)?;
        if slot.state().is_live() { Ok((slab, slot)) } else { Err(FreeError::DoubleFree) }
    }

    /// Bytes that the owner of the object at `memory` may use, or `None` when no live object of a slab starts there.
    pub fn ksize(&self, memory: *const u8) -> Option<usize> {
        let addr = VirtAddr::from_ptr(memory);
        let slab = self.slab_of(addr).ok()?;
        slab.state_at(addr).filter(|slot| slot.state().is_live())?;
        Some(self.owner(slab).geometry.usable)
    }

    /// Bytes of the objects of the slab around `addr`; 0 when there is none.
    pub(crate) fn object_bytes(&self, addr: VirtAddr) -> usize {
        self.slab_of(addr).map_or(0, |slab| self.owner(slab).geometry.usable)
    }

    /// Bytes of memory that an object of the slab around `addr` costs: its share of the slab's pages and of a
    /// descriptor outside of it. 0 when there is no slab.
    pub fn footprint(&self, addr: VirtAddr) -> usize {
        self.slab_of(addr).map_or(0, |slab| self.share(&self.owner(slab).layout_of(slab)))
    }

    /// Bytes of memory that an object from kmalloc for `size` bytes costs; 0 beyond 131072 bytes.
    pub fn kmalloc_footprint(&self, size: usize) -> usize {
        let class = Some(size).filter(|&size| size <= KMALLOC_MAX);
        class.and_then(|size| self.classes.cache_for(size, Twin::Normal)).map_or(0, |cache| self.own_footprint(cache))
    }

    /// [`footprint`](Self::footprint) of an object of one of the allocators' own caches.
    pub(crate) fn own_footprint(&self, cache: &Cache<P>) -> usize {
        self.share(&cache.geometry)
    }

    fn share(&self, geometry: &Geometry) -> usize {
        let descriptor = if geometry.descriptor_offset.is_some() { 0 } else { self.own.descriptors.geometry.share() };
        (geometry.bytes() + descriptor).div_ceil(geometry.objects)
    }

    /// Reports a wrong free of an object, with the name of the cache whose slab it points into, if any.
    #[cold]
    #[inline(never)]
    pub(super) fn bad_object(&self, call: Call, addr: VirtAddr, error: FreeError) -> FreeError {
        let name = self.slab_of(addr).map(|slab| self.owner(slab).name);
        self.pages.bad_free(call, addr, name.as_ref().ok().map(|name| name.as_str()), error)
    }
}
