//! From an address to its slab, cache and object; from a handle to its cache.

use core::ptr::NonNull;

use super::ObjectAllocator;
use crate::addr::{PAGE_SHIFT, Pfn, VirtAddr};
use crate::error::FreeError;
use crate::objects::cache::{Cache, CachePtr, CacheRef};
use crate::objects::classes::{KMALLOC_MAX, Twin};
use crate::objects::debug::DebugFlags;
use crate::objects::descriptor::{PLACES_MAX, SlabRef};
use crate::objects::geometry::Geometry;
use crate::objects::magazine::CachedObject;
use crate::objects::object_state::{ObjectState, StateSlot};
use crate::objects::slabs::Slabs;
use crate::objects::watched::{Event, User};
use crate::page::{PageState, Word};
use crate::platform::{Lock, Platform};
use crate::report::Call;

impl<P: Platform> ObjectAllocator<P> {
    /// The slab whose pages `addr` lies in; one that is damaged is retired and not found. The list of caches is not
    /// locked.
    pub(super) fn slab_of(&self, addr: VirtAddr) -> Result<SlabRef, FreeError> {
        let slab = self.claimed_slab(addr)?;
        if !slab.is_intact() {
            self.retire_by_word(self.page_word(addr));
            // Mended, unless it is retired.
            return self.claimed_slab(addr);
        }
        Ok(slab)
    }

    /// The word of the page around `addr`.
    pub(super) fn page_word(&self, addr: VirtAddr) -> Word {
        let page = self.direct.frame_of(addr).and_then(|frame| self.direct.map().get(frame));
        page.map_or(Word::INNER, |page| page.word())
    }

    /// The slab that the page around `addr` names; it may be damaged.
    pub(super) fn claimed_slab(&self, addr: VirtAddr) -> Result<SlabRef, FreeError> {
        let frame = self.direct.frame_of(addr).ok_or(FreeError::Wild)?;
        let page = self.direct.map().get(frame).ok_or(FreeError::Wild)?;
        match page.state() {
            // SAFETY: a page that reads Slab carries the link of its slab, which exists until that state goes.
            PageState::Slab => Ok(unsafe { SlabRef::from_link(page.link()) }),
            PageState::Allocated(_) | PageState::Retired => Err(FreeError::NotSlab),
            PageState::Free(_) | PageState::Cached(_) => Err(FreeError::DoubleFree),
            PageState::Inner => match self.direct.map().block_of(frame) {
                Some((_, PageState::Free(_) | PageState::Cached(_))) => Err(FreeError::DoubleFree),
                Some(_) => Err(FreeError::NotSlab),
                None => Err(FreeError::Reserved),
            },
        }
    }

    /// The slab around an address that lies in one, unless that was retired.
    pub(super) fn slab_around(&self, addr: VirtAddr) -> Option<SlabRef> {
        let offset = addr.as_usize().wrapping_sub(self.direct.virt(Pfn::new(0)).as_usize());
        let page = self.direct.map().at(Pfn::new((offset >> PAGE_SHIFT) as u32));
        // SAFETY: the page belongs to a slab, which exists as long as one of its objects is out.
        (page.word() != Word::RETIRED).then(|| unsafe { SlabRef::from_link(page.link()) })
    }

    /// Whether a cached object is one of a slab that was not retired.
    pub(super) fn is_counted(&self, cached: CachedObject) -> bool {
        self.slab_around(VirtAddr::from_ptr(cached.object.as_ptr())).is_some()
    }

    /// The cache of a slab.
    #[inline]
    pub(super) fn owner(&self, slab: SlabRef) -> &Cache<P> {
        // SAFETY: a slab's owner is the cache that made it, and a cache outlives its slabs.
        unsafe { slab.owner().cast::<Cache<P>>().as_ref() }
    }

    /// The slab and the state of the live object at `addr`. It must be of the cache whose pages have the word
    /// `expected`, or of any cache that is not the allocators' own.
    pub(super) fn live_object(
        &self,
        addr: VirtAddr,
        expected: Option<Word>,
    ) -> Result<(SlabRef, StateSlot), FreeError> {
        let slab = self.slab_of(addr)?;
        let cache = self.owner(slab);
        let fits = match expected {
            Some(expected) => expected == cache.tag,
            None => !cache.is_own(),
        };
        if !fits {
            return Err(FreeError::WrongCache);
        }
        let slot = slab.state_at(addr).ok_or(FreeError::Interior)?;
        match slot.state().get() {
            ObjectState::LIVE => Ok((slab, slot)),
            ObjectState::CACHED | ObjectState::FREE | ObjectState::QUARANTINED => Err(FreeError::DoubleFree),
            _ => {
                // Its guard may be whole: something wrote just there.
                slab.condemn();
                self.retire_damaged(cache);
                Err(FreeError::NotSlab)
            }
        }
    }

    /// The cache that a handle leads to. It stays until the caller leaves it.
    pub(super) fn enter(&self, handle: CacheRef<P>) -> Option<CachePtr<P>> {
        self.list.with(|_| {
            let cache = handle.alive()?;
            cache.slabs.with(Slabs::enter);
            Some(cache)
        })
    }

    /// Bytes that the owner of the object at `memory` may use, or `None` when no live object of a slab starts there. In
    /// a cache with red zones these are the bytes that were asked for: the rest is red zone.
    pub fn ksize(&self, memory: *const u8) -> Option<usize> {
        let addr = VirtAddr::from_ptr(memory);
        let Ok(slab) = self.slab_of(addr) else { return self.retired_bytes(addr) };
        slab.state_at(addr).filter(|slot| slot.state().is_live())?;
        NonNull::new(memory.cast_mut()).map(|memory| self.held_bytes(self.owner(slab), memory))
    }

    /// Bytes that the owner of a live object may use.
    pub(super) fn held_bytes(&self, cache: &Cache<P>, object: NonNull<u8>) -> usize {
        if cache.debug.contains(DebugFlags::RED_ZONE) {
            self.watched(cache, object).requested()
        } else {
            cache.geometry.usable
        }
    }

    /// The slab around the object at `addr`, if that is live: then its descriptor may be followed without a look at the
    /// seals, as by a free.
    #[inline]
    fn live_slab(&self, addr: VirtAddr) -> Option<SlabRef> {
        let offset = addr.as_usize().wrapping_sub(P::DIRECT_MAP.unwrap_or(self.direct.start()).as_usize());
        let page = self.direct.is_gapless(offset).then(|| self.direct.map().at_offset(offset))?;
        // SAFETY: a page with the word of a slab carries the link of its slab, which exists until that word goes.
        let slab = page.word().is_slab().then(|| unsafe { SlabRef::from_link(page.link()) })?;
        let number = slab.number(addr);
        (number < PLACES_MAX && slab.slot(number).state().is_live()).then_some(slab)
    }

    /// Bytes of the object at `addr`, which is live; 0 where there is none.
    pub(crate) fn object_bytes(&self, addr: VirtAddr) -> usize {
        self.live_slab(addr).map_or_else(|| self.slab_of(addr), Ok).map_or_else(
            |_| self.retired_bytes(addr).unwrap_or(0),
            |slab| NonNull::new(addr.as_mut_ptr()).map_or(0, |memory| self.held_bytes(self.owner(slab), memory)),
        )
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
        let slab = self.slab_of(addr).ok();
        let name = slab.map(|slab| self.owner(slab).name);
        let freed = slab.filter(|_| error == FreeError::DoubleFree).and_then(|slab| self.last_free(slab, addr));
        self.pages.bad_object(call, addr, name.as_ref().map(|name| name.as_str()), error, freed)
    }

    /// Who freed the object at `addr` last, if that is remembered.
    fn last_free(&self, slab: SlabRef, addr: VirtAddr) -> Option<User> {
        let cache = self.owner(slab);
        slab.state_at(addr).filter(|_| cache.debug.contains(DebugFlags::USERS))?;
        self.watched(cache, NonNull::new(addr.as_mut_ptr())?).users()[Event::Free as usize]
    }
}
