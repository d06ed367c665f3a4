//! How a slab comes and goes: pages, descriptor, page-map entries, constructors and destructors.

use core::panic::Location;
use core::ptr::NonNull;

use super::events::Event;
use super::{Memory, largest_block};
use crate::addr::{Pfn, PfnRange};
use crate::error::AllocError;
use crate::gfp::{GfpFlags, ZoneKind};
use crate::order::Order;
use crate::page::{BlockKey, Page, PageState, Word};
use crate::platform::{Lock, Platform};
use crate::slab::descriptor::SlabRef;
use crate::slab::geometry::OFF_SLAB_OBJECTS;
use crate::slab::{Cache, Ctor, CtorFlags, Geometry};

/// The flags that choose a zone: they concern a cache's objects, not what describes them.
const ZONES: GfpFlags = GfpFlags::DMA.union(GfpFlags::HIGHMEM);

impl<P: Platform> Memory<P> {
    /// Makes a slab and hands it to the cache. Constructors run.
    #[cold]
    #[inline(never)]
    pub(super) fn grow(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<(), AllocError> {
        self.check_addressable("kmem_cache_grow", cache.page_gfp(gfp), caller)?;
        let (frame, geometry) = self.alloc_block(cache, gfp, caller)?;
        self.give_tail_back(frame, &geometry);
        let block = self.virt(frame);
        let descriptor = match geometry.descriptor_offset {
            Some(offset) => NonNull::new(block.add(offset).as_mut_ptr()).ok_or(AllocError),
            None => self.take_object(&self.boot_caches.descriptors, gfp.difference(ZONES), caller),
        };
        let descriptor = descriptor.inspect_err(|_| self.give_pages(frame, &geometry))?;
        let flags = if gfp.may_sleep() { CtorFlags::CONSTRUCTOR } else { CtorFlags::CONSTRUCTOR | CtorFlags::ATOMIC };
        self.make_slab(cache, (frame, &geometry), descriptor, flags);
        Ok(())
    }

    /// A block for a slab, and how the slab is laid out. A block that a smaller one can stand in for is taken only if it
    /// is there, without reserves: nobody reclaims or waits for it.
    fn alloc_block(
        &'static self,
        cache: &Cache<P>,
        gfp: GfpFlags,
        caller: &'static Location<'static>,
    ) -> Result<(Pfn, Geometry), AllocError> {
        let (gfp, geometry) = (cache.page_gfp(gfp), cache.geometry);
        let Some(fallback) = geometry.fallback() else {
            return self.alloc_frames(gfp, geometry.order, caller).map(|frame| (frame, geometry));
        };
        if let Some(frame) = self.alloc_frames_at_hand(gfp, geometry.order) {
            return Ok((frame, geometry));
        }
        self.alloc_frames(gfp, fallback.order, caller).map(|frame| (frame, fallback))
    }

    /// Makes a slab of a cache of the allocators' own from pages that are there: sleeps not and reports nothing.
    pub(super) fn grow_quietly(&'static self, cache: &Cache<P>) -> Option<()> {
        let offset = cache.geometry.descriptor_offset?;
        let frame = self.alloc_admitted(GfpFlags::ATOMIC, cache.geometry.order)?;
        let descriptor = NonNull::new(self.virt(frame).add(offset).as_mut_ptr())?;
        self.make_slab(cache, (frame, &cache.geometry), descriptor, CtorFlags::empty());
        Some(())
    }

    /// A block from this CPU's magazines or from a zone that has plenty.
    fn alloc_frames_at_hand(&'static self, gfp: GfpFlags, order: Order) -> Option<Pfn> {
        if !self.platform.admits(order) {
            return None;
        }
        let key = BlockKey::new(self.first_zone(gfp), order);
        let mut frame = [Pfn::new(0)];
        if self.alloc_cached(key, frame.iter_mut()) == 1 {
            self.platform.on_alloc(frame[0], order, key.zone());
            return Some(frame[0]);
        }
        let plenty = |&kind: &ZoneKind| Some((self.with_zone(kind, |zone| zone.alloc_plenty(&self.map, order))?, kind));
        let (frame, kind) = gfp.zones().iter().find_map(plenty)?;
        self.count(Event::Direct, 1);
        self.platform.on_alloc(frame, order, kind);
        self.zeroed_if_wanted(frame, order)
    }

    fn make_slab(
        &'static self,
        cache: &Cache<P>,
        (frame, geometry): (Pfn, &Geometry),
        descriptor: NonNull<u8>,
        flags: CtorFlags,
    ) {
        debug_assert!(geometry.descriptor_offset.is_some() || geometry.objects <= OFF_SLAB_OBJECTS);
        let colour = cache.slabs.with(|slabs| slabs.next_colour(geometry.colours));
        let first = self.virt(frame).add(geometry.lead + colour * geometry.colour_step);
        let layout = (geometry.objects, geometry.stride);
        // SAFETY: the geometry keeps room for the descriptor at the block's end, or it is an object of its own that has
        // room for OFF_SLAB_OBJECTS states; both are aligned to 8 and ours.
        let slab = unsafe { SlabRef::init(descriptor, NonNull::from(cache).cast(), first, layout) };
        self.each_page(frame, geometry, |page| {
            page.set_link(slab.to_link());
            page.set_word(cache.tag());
        });
        self.watch_new(cache, slab);
        self.call_each(cache, slab, cache.ctor, flags);
        cache.slabs.with(|slabs| slabs.add(slab, geometry.pages as usize));
    }

    /// Takes a slab apart that its cache has let go: destructors, page-map entries, descriptor, pages. Returns how many
    /// pages that were.
    #[cold]
    #[inline(never)]
    pub(super) fn give_back(&'static self, cache: &Cache<P>, slab: SlabRef) -> usize {
        self.watch_last(cache, slab);
        self.call_each(cache, slab, cache.dtor, CtorFlags::empty());
        let geometry = &cache.layout_of(slab);
        let pages = geometry.pages as usize;
        if let Some(frame) = self.frame_of(slab.first()) {
            let head = Pfn::new(frame.as_u32() & !(geometry.order.pages() - 1));
            if geometry.descriptor_offset.is_none() {
                let freed = self.put_object(slab.addr(), Some(&self.boot_caches.descriptors));
                debug_assert!(freed.is_ok());
            }
            self.give_pages(head, geometry);
        }
        cache.slabs.with(|slabs| slabs.gone(geometry.objects, pages));
        pages
    }

    /// Frees the part of a slab's block that the slab does not need.
    fn give_tail_back(&self, head: Pfn, geometry: &Geometry) {
        if geometry.pages < geometry.order.pages() {
            self.free_run(PfnRange::new(head.add(geometry.pages), head.add(geometry.order.pages())));
        }
    }

    /// Frees a slab's pages.
    fn give_pages(&self, head: Pfn, geometry: &Geometry) {
        let zone = self.zone_of(head);
        self.each_page(head, geometry, |page| page.set_word(Word::new(PageState::Inner, zone)));
        self.free_run(PfnRange::new(head, head.add(geometry.pages)));
    }

    /// Frees a run of pages, a part of an allocated block, in blocks that are aligned to their size.
    fn free_run(&self, run: PfnRange) {
        let mut at = run.start;
        while at < run.end {
            let order = largest_block(at, run.end, run.end);
            self.map.at(at).set_word(Word::new(PageState::Allocated(order), self.zone_of(at)));
            let freed = self.release_frames(at, order);
            debug_assert!(freed.is_ok());
            at = at.add(order.pages());
        }
    }

    fn each_page(&self, head: Pfn, geometry: &Geometry, f: impl Fn(&Page)) {
        (0..geometry.pages).for_each(|page| f(self.map.at(head.add(page))));
    }

    fn call_each(&self, cache: &Cache<P>, slab: SlabRef, callee: Option<Ctor>, flags: CtorFlags) {
        let Some(callee) = callee else { return };
        for object in 0..slab.objects() {
            if let Some(addr) = NonNull::new(cache.address_of(slab, object).as_mut_ptr()) {
                callee(addr, cache.name.as_str(), flags);
            }
        }
    }

    /// Gives all slabs of a cache back that no live object is in; returns how many pages that was.
    pub(super) fn shrink(&'static self, cache: &Cache<P>) -> usize {
        self.drain_objects(cache);
        let mut pages = 0;
        while let Some(slab) = cache.slabs.with(|slabs| slabs.take_whole()) {
            pages += self.give_back(cache, slab);
        }
        pages
    }
}
