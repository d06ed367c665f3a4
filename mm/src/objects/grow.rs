//! Slabs are made and given back: their pages, descriptors, page-map entries.
//! Constructors and destructors run here as well.

use core::ptr::NonNull;

use super::ObjectAllocator;
use crate::addr::{Pfn, PfnRange, VirtAddr};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::objects::cache::{Cache, Ctor, CtorFlags};
use crate::objects::descriptor::SlabRef;
use crate::objects::geometry::{Geometry, OFF_SLAB_OBJECTS};
use crate::page::{Page, Word};
use crate::platform::{Lock, Platform};
use crate::report::Call;
use crate::tag::Tag;

/// The flags that choose a zone: they concern a cache's objects, not their descriptors.
const ZONES: GfpFlags = GfpFlags::DMA.union(GfpFlags::HIGHMEM);

impl<P: Platform> ObjectAllocator<P> {
    /// The result of `take`, after the cache has grown as often as that takes.
    pub(super) fn take_or_grow<R>(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        call: Call,
        take: impl Fn() -> Option<R>,
    ) -> Result<R, AllocError> {
        loop {
            if let Some(taken) = take() {
                return Ok(taken);
            }
            self.grow(cache, gfp, call).inspect_err(|_| cache.slabs.with(|slabs| slabs.failed()))?;
        }
    }

    /// An object from a slab that the cache has, past all magazines.
    pub(crate) fn take_from_slab(&self, cache: &Cache<P>) -> Option<NonNull<u8>> {
        let (slab, object) = cache.slabs.with(|slabs| slabs.take())?;
        NonNull::new(cache.address_of(slab, object).as_mut_ptr())
    }

    /// Takes an object of a cache of the allocators' own, past all magazines. `gfp` matters when the cache must grow.
    pub(crate) fn take_own(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        call: Call,
    ) -> Result<NonNull<u8>, AllocError> {
        self.take_or_grow(cache, gfp, call, || self.take_from_slab(cache))
    }

    /// Puts an object of a cache of the allocators' own back into its slab, past all magazines.
    pub(crate) fn put_own(&'static self, cache: &Cache<P>, addr: VirtAddr) -> Result<(), FreeError> {
        let (slab, slot) = self.live_object(addr, Some(cache))?;
        cache.slabs.with(|slabs| slabs.put(slab, slab.object_of(slot)));
        self.trim(cache);
        Ok(())
    }

    /// Gives back the whole slabs beyond those that a cache keeps.
    pub(super) fn trim(&'static self, cache: &Cache<P>) {
        while let Some(slab) = cache.slabs.with(|slabs| slabs.take_surplus()) {
            self.give_back(cache, slab);
        }
    }

    /// Makes a slab and hands it to the cache. Constructors run.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(&'static self, cache: &Cache<P>, gfp: GfpFlags, call: Call) -> Result<(), AllocError> {
        self.pages.check_addressable(cache.page_gfp(gfp), call)?;
        let (frame, geometry) = self.alloc_slab_block(cache, gfp, call)?;
        self.give_tail_back(frame, &geometry);
        let block = self.direct.virt(frame);
        let descriptor = match geometry.descriptor_offset {
            Some(offset) => NonNull::new(block.add(offset).as_mut_ptr()).ok_or(AllocError),
            None => self.take_own(&self.own.descriptors, gfp.difference(ZONES), call),
        };
        let descriptor = descriptor.inspect_err(|_| self.give_pages(frame, &geometry))?;
        let flags = if gfp.may_sleep() { CtorFlags::CONSTRUCTOR } else { CtorFlags::CONSTRUCTOR | CtorFlags::ATOMIC };
        self.make_slab(cache, frame, &geometry, descriptor, flags);
        Ok(())
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
        self.make_slab(cache, frame, &cache.geometry, descriptor, CtorFlags::empty());
        Some(())
    }

    fn make_slab(
        &'static self,
        cache: &Cache<P>,
        frame: Pfn,
        geometry: &Geometry,
        descriptor: NonNull<u8>,
        flags: CtorFlags,
    ) {
        debug_assert!(geometry.descriptor_offset.is_some() || geometry.objects <= OFF_SLAB_OBJECTS);
        let colour = cache.slabs.with(|slabs| slabs.next_colour(geometry.colours));
        let first = self.direct.virt(frame).add(geometry.lead + colour * geometry.colour_step);
        // SAFETY: the geometry keeps room for the descriptor at the block's end, or it is an object of its own that has
        // room for OFF_SLAB_OBJECTS states; both are aligned to 8 and used only here.
        let slab =
            unsafe { SlabRef::init(descriptor, NonNull::from(cache).cast(), first, geometry.objects, geometry.stride) };
        self.each_page(frame, geometry, |page| {
            page.set_link(slab.to_link());
            page.set_word(cache.tag());
        });
        self.watch_new(cache, slab);
        self.call_each(cache, slab, cache.ctor, flags);
        cache.slabs.with(|slabs| slabs.add(slab, geometry.pages as usize));
    }

    /// Takes a slab apart that has left its cache: destructors, page-map entries, pages, descriptor. Returns how many
    /// pages that were.
    #[cold]
    #[inline(never)]
    pub(super) fn give_back(&'static self, cache: &Cache<P>, slab: SlabRef) -> usize {
        self.watch_last(cache, slab);
        self.call_each(cache, slab, cache.dtor, CtorFlags::empty());
        let geometry = &cache.layout_of(slab);
        let pages = geometry.pages as usize;
        if let Some(frame) = self.direct.frame_of(slab.first()) {
            let head = Pfn::new(frame.as_u32() & !(geometry.order.pages() - 1));
            // The descriptor after the pages: none of them may lead to one that is free.
            self.give_pages(head, geometry);
            if geometry.descriptor_offset.is_none() {
                let freed = self.put_own(&self.own.descriptors, slab.addr());
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
