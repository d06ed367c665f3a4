//! The allocators put together: the chapter's calls, by the chapter's names.
//!
//! [`Memory`] owns five parts, and each stands only on those before it: [`PageAllocator`], [`ObjectAllocator`] (with
//! the [`PageTables`] beside it), [`AreaAllocator`], [`Kmap`]. The files of `memory/` have a family of calls each: they
//! name a call, note who made it, and hand it on. Statistics and further calls are the parts' own
//! ([`pages`](Memory::pages), [`areas`](Memory::areas) ...).
//!
//! What frees by an address or a frame what an owning type may hold is unsafe. `vfree`, `vunmap`, `iounmap` are not:
//! areas of owners bear a tag, and are refused; who has an area by its address alone shares it with all who know that.
//! Nor is `kmem_cache_destroy`: a cache with live objects stays.
//!
//! A call that may sleep is refused where the caller may not, whether or not it would have slept. A wrong free or
//! argument is reported, changes nothing, and returns what was wrong.
//!
//! Lock order, outermost first. A lock is only ever taken by closure, and nothing is reported while one is held:
//! 1. the list of caches;
//! 2. the tree of areas; the range pool; the windows of kmap; the shrinkers; the frames that zones have; one at a time;
//! 3. the page tables of a space, and under that lock those of swap and of the page cache; or the list of spaces; or a
//!    cache's own lock: its slabs and their free objects;
//! 4. a CPU's depot of that cache: the magazines in it; or the quarantine;
//! 5. the pool of cleared pages;
//! 6. a zone's lock: its free blocks, and the page-map entries as `page/` says.

mod areas;
mod kmap;
mod kvmalloc;
mod objects;
mod pages;
mod references;

use core::ptr::NonNull;

use crate::addr::{PAGE_SIZE, Pfn, PfnRange, VirtAddr};
use crate::areas::AreaAllocator;
use crate::config::Config;
use crate::error::{CreateError, ReleaseError};
use crate::kmap::{Kmap, WINDOWS};
use crate::objects::{CacheName, DebugChoice, ObjectAllocator};
use crate::outside::Header;
use crate::page::{DirectMap, PageMap};
use crate::pages::PageAllocator;
use crate::place::{Place, in_place};
use crate::platform::Platform;
use crate::report::Call;
use crate::tables::PageTables;

pub use references::Reference;

/// The allocators of one machine.
pub struct Memory<P: Platform> {
    pages: PageAllocator<P>,
    objects: ObjectAllocator<P>,
    tables: PageTables<P>,
    areas: AreaAllocator<P>,
    kmap: Kmap<P>,
}

impl<P: Platform> Memory<P> {
    /// Makes allocators without memory in `place`, where they stay. Then come `release` and `init_caches`.
    ///
    /// # Safety
    /// `place` must be valid for a `Memory` for ever; before this returns nothing else uses it, and then it is shared.
    pub unsafe fn init(place: NonNull<Self>, platform: P, map: PageMap, config: Config) -> &'static Self {
        // SAFETY: by the contract.
        let place = unsafe { Place::new(place) };
        let direct = DirectMap::new(map, platform.direct_map(), config.highmem_start);
        let windows = config.kmap_start.add(WINDOWS * PAGE_SIZE);
        let (range, code) = (config.vmalloc_start..config.vmalloc_end, config.code_start..config.code_end);
        let name = const { CacheName::literal("vm_area") };
        in_place!(
            place,
            Self {
                pages: |place| PageAllocator::settle(place, platform, direct, config.atomic_floor, windows),
                objects: |place| ObjectAllocator::settle(place, pages),
                tables: |place: Place<_>| place.make(|| PageTables::new(pages)),
                areas: |place| AreaAllocator::settle(place, objects, tables, range, code, name),
                kmap: |place: Place<_>| place.make(|| Kmap::new(pages, tables, config.kmap_start)),
            }
        )
    }

    /// Hands the frames of `range` to their zones: what bootmem left over, or other memory that the caller owns.
    /// Refused, all of it: a frame without an entry, of the kernel, or that a zone has, in use or not. Never sleeps;
    /// any context.
    ///
    /// # Errors
    /// Why not, which is reported. No frame was handed over.
    ///
    /// # Safety
    /// No code uses this memory from now on. One [`Memory`] alone has the page map that this one was made with.
    #[track_caller]
    pub unsafe fn release(&self, range: PfnRange) -> Result<(), ReleaseError> {
        self.pages.release(range, Call::here(&"release"))
    }

    /// Creates the caches of the allocators and kmalloc's classes, once, after the zones have memory. Process context.
    ///
    /// # Errors
    /// No memory, or it was done before. It may be called again after a failure.
    #[track_caller]
    pub fn init_caches(&'static self) -> Result<(), CreateError> {
        let call = Call::here(&"kmem_cache_init");
        self.objects.check_not_ready(call)?;
        self.kmap.init(call)?;
        self.areas.init();
        self.objects.init(call)?;
        self.pages.register_shrinker(&self.areas)?;
        self.pages.register_shrinker(&self.objects)?;
        Ok(())
    }

    /// Sets how caches created from now on are debugged, and when pages and all objects are cleared; kmalloc's too,
    /// before [`init_caches`](Self::init_caches). (`slab_debug=`, `init_on_alloc=`, `init_on_free=`, `slab_stats=`)
    pub fn set_slab_debug(&self, choice: DebugChoice) {
        self.objects.set_debug(choice);
    }

    /// The page allocator: zones, watermarks, reclaim, events.
    pub fn pages(&'static self) -> &'static PageAllocator<P> {
        &self.pages
    }

    /// The object allocator: what the caches hold.
    pub fn objects(&'static self) -> &'static ObjectAllocator<P> {
        &self.objects
    }

    /// The area allocator: which area has which synthetic addresses.
    pub fn areas(&'static self) -> &'static AreaAllocator<P> {
        &self.areas
    }

    /// The supply of page tables.
    pub fn tables(&'static self) -> &'static PageTables<P> {
        &self.tables
    }

    /// Writes down where all this lies, for readers of the machine's memory: the kernel adds what it alone knows. Any
    /// context.
    pub fn describe(&self, header: &mut Header) {
        self.pages.describe(header);
        self.objects.describe(header);
        header.areas = self.areas.describe();
    }

    /// The kernel beneath.
    #[inline]
    pub fn platform(&self) -> &P {
        self.pages.platform()
    }

    /// The direct map's address of `frame`; `None` for no memory, and for high memory: that needs [`kmap`](Self::kmap).
    #[inline]
    pub fn page_address(&self, frame: Pfn) -> Option<VirtAddr> {
        self.pages.direct().page_address(frame)
    }

    /// The frame whose direct-map address lies in the page of `addr`, if the page map knows it.
    #[inline]
    pub fn frame_of(&self, addr: VirtAddr) -> Option<Pfn> {
        self.pages.direct().frame_of(addr)
    }

    /// Gives back all memory that is not in use; returns how many pages that were. Process context.
    #[track_caller]
    pub fn drop_caches(&'static self) -> usize {
        self.pages.drop_caches(Call::here(&"drop_caches"))
    }

    /// Checks every invariant; returns the first that is broken. For tests: it holds locks long, and no call may run.
    ///
    /// # Errors
    /// The first invariant that is broken, in a few words.
    pub fn validate(&'static self) -> Result<(), &'static str> {
        self.pages.validate()?;
        self.objects.validate()?;
        self.areas.validate()
    }
}
