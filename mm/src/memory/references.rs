//! What the allocators have of code that goes.
//! It is areas, objects, pages, caches, shrinkers.
//!
//! A kernel that unloads code asks here first: the allocators remember who called them, by constants that lie in the
//! caller's code, and call constructors, destructors and shrinkers.

use core::fmt;
use core::ops::Range;
use core::panic::Location;

use super::Memory;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::areas::AreaInfo;
use crate::error::AllocError;
use crate::gfp::GfpFlags;
use crate::objects::{LeftCache, LeftObject};
use crate::pages::LeftBlock;
use crate::places::Places;
use crate::platform::Platform;
use crate::report::Call;

/// Something of the allocators' that leads to whoever asked for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reference {
    /// An area that was never freed.
    Area(AreaInfo),
    /// A block of pages that was never freed, where owners are remembered. (`page_owner=1`)
    Pages(LeftBlock),
    /// An object that was never freed, where users are remembered. (`slab_debug=U`)
    Object(LeftObject),
    /// A cache that was never destroyed.
    Cache(LeftCache),
    /// A shrinker that was never taken out, by where it was registered.
    Shrinker(&'static Location<'static>),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caller, verb) = match self {
            Self::Area(area) => {
                let pages = area.bytes / PAGE_SIZE - 1;
                write!(f, "area {:016x}, pages: {pages}", area.start.as_usize())?;
                (area.caller, "allocated")
            }
            Self::Pages(block) => {
                let (frame, pages) = (block.frame.as_u32(), block.order.pages());
                write!(f, "pages from pfn {frame:#x} on: {pages}")?;
                (Some(block.allocated), "allocated")
            }
            Self::Object(object) => {
                write!(f, "object {:016x} of {}", object.addr.as_usize(), object.cache.as_str())?;
                write!(f, ", bytes: {}", object.bytes)?;
                (Some(object.allocated), "allocated")
            }
            Self::Cache(cache) => {
                write!(f, "cache {}, objects: {}", cache.name.as_str(), cache.objects)?;
                (cache.creator, "created")
            }
            Self::Shrinker(caller) => {
                f.write_str("shrinker")?;
                (Some(*caller), "registered")
            }
        };
        caller.map_or(Ok(()), |caller| write!(f, ", {verb} at {}:{}", caller.file(), caller.line()))
    }
}

impl<P: Platform> Memory<P> {
    /// Calls `visit` with all that was taken by callers whose constants lie in one of these ranges, and with what calls
    /// code there; returns how many of these there are. Objects and blocks of pages are known only where their users
    /// are remembered. `visit` may allocate and print. Any context but an interrupt.
    pub fn references_into(&'static self, ranges: &[Range<VirtAddr>], visit: &mut dyn FnMut(&Reference)) -> usize {
        let places = Places::new(ranges);
        let mut shrinkers = 0;
        self.pages.each_shrinker_in(places, &mut |caller| {
            shrinkers += 1;
            visit(&Reference::Shrinker(caller));
        });
        let caches = self.objects.each_cache_in(places, &mut |cache| visit(&Reference::Cache(*cache)));
        shrinkers + caches + self.live_references(places, visit)
    }

    /// Frees these ranges of what the allocators have of them, for code that is about to be unloaded and whose calls
    /// have all returned. Its shrinkers are taken out; its caches are closed and call nobody any more, and go, those
    /// with live objects as soon as these were freed and memory is [purged](Self::drop_caches); what is free forgets
    /// who had it. When this returns nothing of it is called. Calls `visit` with all that was left behind, before and
    /// after; returns how much of that still leads there: a live area, object or cache keeps its caller's
    /// [`Location`], so that must stay readable. Process context; may sleep.
    ///
    /// # Errors
    /// The caller may not sleep, which is reported. Nothing was changed.
    #[track_caller]
    pub fn disown(
        &'static self,
        ranges: &[Range<VirtAddr>],
        visit: &mut dyn FnMut(&Reference),
    ) -> Result<usize, AllocError> {
        let (call, places) = (Call::here(&"disown"), Places::new(ranges));
        self.pages.check_may_sleep(call)?;
        self.pages.disown_shrinkers(places, &mut |caller| visit(&Reference::Shrinker(caller)));
        self.objects.disown_caches(places, call, &mut |cache| visit(&Reference::Cache(*cache)));
        self.areas.forget_callers(places);
        self.pages.forget_owners(places);
        let moving = self.objects.forget_users(places);
        let caches = self.objects.each_cache_in(places, &mut |_| ());
        Ok(moving + caches + self.live_references(places, visit))
    }

    /// Remembers from now on who allocates blocks of pages, in a table of a word a frame. All requests then go to their
    /// zones: no page waits in a magazine. Twice is as once. Boot, after `init_caches`; may sleep. (Kernel option
    /// `page_owner=1`.)
    ///
    /// # Errors
    /// No memory, or no addresses for areas, which is reported.
    #[track_caller]
    pub fn remember_page_owners(&'static self) -> Result<(), AllocError> {
        if self.pages.are_owners_remembered() {
            return Ok(());
        }
        let gfp = GfpFlags::KERNEL | GfpFlags::HIGHMEM;
        let table = self.areas.vmalloc_area(self.pages.owner_bytes(), gfp, Call::here(&"page_owner"))?;
        let pages = (0..table.bytes()).step_by(PAGE_SIZE).map(|offset| table.start.add(offset));
        pages.for_each(|page| self.platform().clear_page(page));
        // SAFETY: the area is as large, was cleared, and is never freed.
        unsafe { self.pages.remember_owners(table.start) };
        Ok(())
    }

    fn live_references(&'static self, places: Places<'_>, visit: &mut dyn FnMut(&Reference)) -> usize {
        let areas = self.areas.each_area_in(places, &mut |area| visit(&Reference::Area(*area)));
        let blocks = self.pages.each_block_in(places, &mut |block| visit(&Reference::Pages(*block)));
        areas + blocks + self.objects.each_object_in(places, &mut |object| visit(&Reference::Object(*object)))
    }
}
