//! Slabs that were damaged are retired.
//!
//! Their memory is left to whoever writes there.
//! The page map, out of reach of such writes, knows the slabs of a cache: the lists are made anew from it. The pages of
//! a damaged slab are nobody's from then on. Its objects that are out stay where they are, and freeing one of them does
//! nothing.

use super::ObjectAllocator;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::objects::cache::{Cache, CachePtr};
use crate::objects::descriptor::SlabRef;
use crate::objects::gaps::Gap;
use crate::objects::slabs::Slabs;
use crate::objects::watched::Finding;
use crate::page::{PageState, Word};
use crate::platform::{Lock, Platform};
use crate::report::{Call, Incident};

/// The slabs that were retired at once.
#[derive(Default)]
struct Retired {
    /// The last one's link.
    link: u64,
    slabs: usize,
    pages: usize,
    /// A damage before a descriptor that was not reached.
    finding: Option<Finding>,
}

impl<P: Platform> ObjectAllocator<P> {
    /// Retires the damaged slabs of a cache, except for those that were written to before their states only: these are
    /// mended. Returns how many such writes were reported. Any context, the lock of no cache held.
    #[cold]
    #[inline(never)]
    pub(super) fn retire_damaged(&self, cache: &Cache<P>) -> usize {
        let call = Call::here(&"slab");
        let retired = cache.slabs.with(|slabs| self.list_anew(cache, slabs));
        if let Some(finding) = retired.finding {
            self.report_damage(cache, finding, call);
        }
        if retired.slabs > 0 {
            self.retired.fetch_add(retired.pages, Relaxed);
            let Retired { link, slabs, pages, .. } = retired;
            let addr = VirtAddr::new(link as usize);
            let incident = Incident::Retired { cache: cache.name.as_str(), addr, slabs, pages };
            self.pages.report(call, incident);
        }
        usize::from(retired.finding.is_some())
    }

    /// Retires the damaged slabs of the cache whose pages have this word. The list of caches is not locked.
    #[cold]
    #[inline(never)]
    pub(super) fn retire_by_word(&self, word: Word) {
        let listed = self.list.with(|list| list.iter().find(|cache: &CachePtr<P>| cache.tag == word));
        if let Some(cache) = listed {
            self.retire_damaged(&cache);
        } else if let Some(own) = self.own.all().find(|cache| cache.tag == word) {
            self.retire_damaged(own);
        }
    }

    /// Pages of slabs that were retired since boot.
    pub fn retired_pages(&self) -> usize {
        self.retired.load(Relaxed)
    }

    /// The bytes of an object of a slab that was retired, of those that lie in retired pages; `None` for an address
    /// elsewhere. Nobody knows where objects start there: from an address inside one, its size may lead too far.
    pub(super) fn retired_bytes(&self, addr: VirtAddr) -> Option<usize> {
        let (first, map) = (self.direct.frame_of(addr)?, self.direct.map());
        let retired = |frame: Pfn| map.get(frame).filter(|page| page.state() == PageState::Retired);
        let bytes = retired(first)?.link() as usize;
        let pages = (addr.page_offset() + bytes).div_ceil(PAGE_SIZE);
        let whole = (0..pages as u32).take_while(|&page| retired(first.add(page)).is_some()).count();
        Some(bytes.min(whole * PAGE_SIZE - addr.page_offset()))
    }

    /// Reports damage.
    pub(super) fn report_damage(&self, cache: &Cache<P>, finding: Finding, call: Call) {
        let Finding { addr, damage, dump, users: [allocated, freed] } = finding;
        self.pages.report(call, Incident::Damage { cache: cache.name.as_str(), addr, damage, dump, allocated, freed });
    }

    /// Looks at every slab of a cache, whose lock is held: those that are sound are listed, the others retired.
    fn list_anew(&self, cache: &Cache<P>, slabs: &mut Slabs) -> Retired {
        let mut retired = Retired::default();
        let mut last = None;
        slabs.forget();
        let map = self.direct.map();
        for page in (0..map.frames()).filter_map(|frame| map.get(Pfn::new(frame))) {
            if page.word() != cache.tag {
                continue;
            }
            let link = page.link();
            if last != Some(link) {
                last = Some(link);
                // SAFETY: a page with the word of a slab carries the link of its slab, which exists until the word
                // goes.
                let slab = unsafe { SlabRef::from_link(link) };
                if slabs.is_sound(slab) || slab.mend() {
                    retired.finding = retired.finding.or_else(|| Gap::find_first(&cache.layout_of(slab), slab));
                    slabs.found(slab, cache.layout_of(slab).pages as usize);
                } else {
                    (retired.link, retired.slabs) = (link, retired.slabs + 1);
                    slabs.counts.retired += 1;
                }
            }
            if retired.slabs > 0 && link == retired.link {
                page.set_word(Word::RETIRED);
                page.set_link(cache.geometry.usable as u64);
                retired.pages += 1;
            }
        }
        retired
    }
}
