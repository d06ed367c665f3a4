//! Slabs are made and given back: their pages, descriptors, page-map entries.
//! Constructors and destructors run here as well.

use core::ptr::NonNull;

use super::ObjectAllocator;
use crate::addr::{Pfn, PfnRange, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::cache::Cache;
use crate::objects::descriptor::{Objects, SlabRef};
use crate::objects::geometry::{Geometry, OFF_SLAB_OBJECTS};
use crate::objects::magazine::{CachedObject, MagazineRef};
use crate::objects::object_state::ObjectState;
use crate::objects::origin::{Ctor, CtorFlags};
use crate::objects::slabs::{Damaged, Slabs};
use crate::page::{Page, Word};
use crate::platform::{Lock, Platform};
use crate::report::Call;
use crate::tag::Tag;

/// The flags that choose a zone: they concern a cache's objects, not their descriptors.
const ZONES: GfpFlags = GfpFlags::DMA.union(GfpFlags::HIGHMEM);

/// Where the descriptor stands in an object of its own.
fn behind_states(object: NonNull<u8>) -> NonNull<u8> {
    // SAFETY: the object is large enough for both.
    unsafe { object.add(Geometry::off_slab_offset()) }
}

impl<P: Platform> ObjectAllocator<P> {
    /// The result of `look`, after the damaged slabs that it came upon were retired.
    fn look_into<R>(&self, cache: &Cache<P>, look: impl Fn(&mut Slabs) -> Result<R, Damaged>) -> R {
        loop {
            match cache.slabs.with(|slabs| look(slabs)) {
                Ok(found) => return found,
                Err(Damaged) => _ = self.retire_damaged(cache),
            }
        }
    }

    /// An object from a slab that the cache has, past all magazines.
    pub(crate) fn take_from_slab(&self, cache: &Cache<P>) -> Option<NonNull<u8>> {
        let (slab, object) = self.look_into(cache, |slabs| slabs.take(ObjectState::LIVE))?;
        NonNull::new(cache.address_of(slab, object).as_mut_ptr())
    }

    /// An object from a slab that the cache has; if there is none, the caller has entered the cache.
    pub(super) fn take_live_or_enter(&self, cache: &Cache<P>) -> Option<NonNull<u8>> {
        let (slab, object) = self.look_into(cache, |slabs| slabs.take_or_enter(ObjectState::LIVE))?;
        NonNull::new(cache.address_of(slab, object).as_mut_ptr())
    }

    /// [`take_live_or_enter`](Self::take_live_or_enter) of an object that is not live yet.
    pub(super) fn take_cached_or_enter(&self, cache: &Cache<P>) -> Option<CachedObject> {
        let (slab, object) = self.look_into(cache, |slabs| slabs.take_or_enter(ObjectState::CACHED))?;
        let slot = slab.slot(object);
        NonNull::new(cache.address_of(slab, object).as_mut_ptr()).map(|object| CachedObject { object, slot })
    }

    /// A slab of a cache without live or cached objects, to be [given back](Self::give_back).
    pub(super) fn take_whole(&self, cache: &Cache<P>) -> Option<SlabRef> {
        self.look_into(cache, Slabs::take_whole)
    }

    /// Puts an object into its slab, and gives back the slab that is one too many then.
    pub(super) fn put_into_slab(&'static self, cache: &Cache<P>, slab: SlabRef, cached: CachedObject) {
        // In one step: from then on nothing but a slab that it takes out keeps the cache for a caller without a CPU.
        let put = |slabs: &mut Slabs| {
            slabs.put(slab, cached)?;
            slabs.take_surplus()
        };
        match cache.slabs.with(put) {
            Ok(None) => {}
            Ok(Some(surplus)) => _ = self.give_back(cache, surplus),
            Err(Damaged) => _ = self.retire_damaged(cache),
        }
    }

    /// Puts the objects of a magazine into their slabs.
    pub(super) fn put_all_into_slabs(&self, cache: &Cache<P>, magazine: MagazineRef) {
        if cache.slabs.with(|slabs| slabs.put_all(magazine, |addr| self.slab_around(addr))).is_err() {
            self.retire_damaged(cache);
        }
    }

    /// Takes an object of a cache of the allocators' own, past all magazines. `gfp` matters when the cache must grow.
    pub(crate) fn take_own(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        loop {
            if let Some(object) = self.take_live_or_enter(cache) {
                return Ok(object);
            }
            self.grow_entered(cache, gfp, call)?;
        }
    }

    /// Puts an object of a cache of the allocators' own back into its slab, past all magazines.
    pub(crate) fn put_own(&'static self, cache: &Cache<P>, addr: VirtAddr) -> Result<(), FreeError> {
        let owner = NonNull::from(cache).cast();
        let mut put = self.put_own_once(cache, addr, owner);
        if put == Err(Damaged) {
            // It was retired, or mended.
            self.retire_damaged(cache);
            put = self.put_own_once(cache, addr, owner);
        }
        match put {
            Ok(Err(_)) | Err(Damaged) if self.retired_bytes(addr).is_some() => return Ok(()),
            put => put.unwrap_or(Err(FreeError::WrongCache))?,
        }
        self.trim(cache);
        Ok(())
    }

    fn put_own_once(
        &self,
        cache: &Cache<P>,
        addr: VirtAddr,
        owner: NonNull<u8>,
    ) -> Result<Result<(), FreeError>, Damaged> {
        match self.claimed_slab(addr) {
            Ok(slab) => cache.slabs.with(|slabs| slabs.put_live(slab, addr, owner)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Gives back the whole slabs beyond those that a cache keeps.
    pub(super) fn trim(&'static self, cache: &Cache<P>) {
        while let Some(slab) = self.look_into(cache, Slabs::take_surplus) {
            self.give_back(cache, slab);
        }
    }

    /// Makes a slab and hands it to the cache, for a caller that has entered it, and leaves. Constructors run.
    #[cold]
    #[inline(never)]
    pub(super) fn grow_entered(&'static self, cache: &Cache<P>, gfp: GfpFlags, call: Call) -> Result<(), AllocError> {
        let (slab, pages) = self.grow(cache, gfp, call).inspect_err(|_| {
            cache.slabs.with(|slabs| {
                slabs.failed();
                slabs.leave();
            });
        })?;
        cache.slabs.with(|slabs| {
            slabs.add(slab, pages);
            slabs.leave();
        });
        Ok(())
    }

    /// Makes a slab; returns it and its pages.
    fn grow(&'static self, cache: &Cache<P>, gfp: GfpFlags, call: Call) -> Result<(SlabRef, usize), AllocError> {
        self.pages.check_addressable(cache.page_gfp(gfp), call)?;
        let (frame, geometry) = self.alloc_slab_block(cache, gfp, call)?;
        self.give_tail_back(frame, &geometry);
        let block = self.direct.virt(frame);
        let descriptor = match geometry.descriptor_offset {
            Some(offset) => NonNull::new(block.add(offset).as_mut_ptr()).ok_or(AllocError),
            None => self.take_own(&self.own.descriptors, gfp.difference(ZONES), call).map(behind_states),
        };
        let descriptor = descriptor.inspect_err(|_| self.give_pages(frame, &geometry))?;
        let flags = if gfp.may_sleep() { CtorFlags::CONSTRUCTOR } else { CtorFlags::CONSTRUCTOR | CtorFlags::ATOMIC };
        Ok(self.make_slab(cache, frame, &geometry, descriptor, flags))
    }

    /// A block for a slab, and its layout. Where a smaller block serves too, a large one is taken only from plenty,
    /// without reclaim and without waiting.
    fn alloc_slab_block(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<(Pfn, Geometry), AllocError> {
        let (gfp, geometry) = (cache.page_gfp(gfp), cache.geometry);
        let Some(fallback) = geometry.fallback() else {
            return self.pages.alloc_block(gfp, geometry.order, Tag::None, call).map(|frame| (frame, geometry));
        };
        if let Some(frame) = self.pages.alloc_at_hand(gfp, geometry.order, Tag::None) {
            return Ok((frame, geometry));
        }
        self.pages.alloc_block(gfp, fallback.order, Tag::None, call).map(|frame| (frame, fallback))
    }

    /// Makes a slab of a cache of the allocators' own from free pages: never sleeps, reports nothing.
    pub(super) fn grow_quietly(&'static self, cache: &Cache<P>) -> Option<()> {
        let offset = cache.geometry.descriptor_offset?;
        let frame = self.pages.alloc_admitted(GfpFlags::ATOMIC, cache.geometry.order, Tag::None)?;
        let descriptor = NonNull::new(self.direct.virt(frame).add(offset).as_mut_ptr())?;
        let (slab, pages) = self.make_slab(cache, frame, &cache.geometry, descriptor, CtorFlags::empty());
        cache.slabs.with(|slabs| slabs.add(slab, pages));
        Some(())
    }

    /// Makes a slab of a block; returns it and its pages. The cache has it once it is added.
    fn make_slab(
        &'static self,
        cache: &Cache<P>,
        frame: Pfn,
        geometry: &Geometry,
        descriptor: NonNull<u8>,
        flags: CtorFlags,
    ) -> (SlabRef, usize) {
        debug_assert!(geometry.descriptor_offset.is_some() || geometry.objects <= OFF_SLAB_OBJECTS);
        let colour = cache.slabs.with(|slabs| slabs.next_colour(geometry.colours));
        let first = self.direct.virt(frame).add(geometry.lead + colour * geometry.colour_step);
        let Geometry { stride, objects: count, .. } = *geometry;
        let objects = Objects { first, stride, count, places: geometry.places() };
        // SAFETY: the geometry keeps room for states and descriptor at the block's end, or they are an object of their
        // own that has room for as many; both are aligned to 8 and used only here.
        let slab = unsafe { SlabRef::init(descriptor, NonNull::from(cache).cast(), objects) };
        self.each_page(frame, geometry, |page| {
            page.set_link(slab.to_link());
            page.set_word(cache.tag);
        });
        self.watch_new(cache, slab, geometry);
        self.call_each(cache, slab, cache.ctor(), flags);
        (slab, geometry.pages as usize)
    }

    /// Takes a slab apart that has left its cache: destructors, page-map entries, pages, descriptor. Returns how many
    /// pages that were.
    #[cold]
    #[inline(never)]
    pub(super) fn give_back(&'static self, cache: &Cache<P>, slab: SlabRef) -> usize {
        let geometry = &cache.layout_of(slab);
        self.watch_last(cache, slab, geometry);
        self.call_each(cache, slab, cache.dtor(), CtorFlags::empty());
        let pages = geometry.pages as usize;
        if let Some(frame) = self.direct.frame_of(slab.first()) {
            let head = Pfn::new(frame.as_u32() & !(geometry.order.pages() - 1));
            // The descriptor after the pages: none of them may lead to one that is free.
            self.give_pages(head, geometry);
            if geometry.descriptor_offset.is_none() {
                let object = VirtAddr::new(slab.addr().as_usize() - Geometry::off_slab_offset());
                let freed = self.put_own(&self.own.descriptors, object);
                debug_assert!(freed.is_ok());
            }
        }
        cache.slabs.with(|slabs| slabs.gone(geometry.objects, pages));
        pages
    }

    /// Frees the part of a slab's block that the slab does not need.
    fn give_tail_back(&self, head: Pfn, geometry: &Geometry) {
        if geometry.pages < geometry.order.pages() {
            self.pages.free_run(PfnRange::new(head.add(geometry.pages), head.add(geometry.order.pages())));
        }
    }

    /// Frees a slab's pages.
    fn give_pages(&self, head: Pfn, geometry: &Geometry) {
        self.each_page(head, geometry, |page| page.set_word(Word::INNER));
        self.pages.free_run(PfnRange::new(head, head.add(geometry.pages)));
    }

    fn each_page(&self, head: Pfn, geometry: &Geometry, f: impl Fn(&Page)) {
        (0..geometry.pages).for_each(|page| f(self.direct.map().at(head.add(page))));
    }

    fn call_each(&self, cache: &Cache<P>, slab: SlabRef, callee: Option<Ctor>, flags: CtorFlags) {
        let Some(callee) = callee else { return };
        for object in 0..slab.objects() {
            if let Some(addr) = NonNull::new(cache.address_of(slab, object).as_mut_ptr()) {
                callee(addr, cache.name.as_str(), flags);
            }
        }
    }
}
