//! Pages of processes: what many mappings share, and who gets the last one.
//!
//! Key types: [`PageKind`]. Each mapping of a page holds a reference of its own; all are equal, so
//! the tag of a page of a process stays until the last one is given back, whoever that is. Taking a reference, and
//! giving one of several back, needs no lock.
//!
//! While pages are poisoned (`page_poison=1`), a page of a process counts its mappings in its link, of which it must
//! never have more than references: so a frame that two think theirs is found when the second one maps it, and one that
//! is given back too early before it is free.

use super::PageAllocator;
use super::user_counts::UserCounts;
use super::zeroing::ZeroPages;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::page::{BlockChain, Page, PageFlags, Whose};
use crate::platform::Platform;
use crate::report::{Call, Incident};
use crate::tag::Tag;

/// Whose page a process maps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PageKind {
    /// Memory of processes.
    Anonymous,
    /// An object's.
    Other,
}

impl<P: Platform> PageAllocator<P> {
    /// Allocates a page of a process. Content: zeros.
    #[inline]
    pub(crate) fn alloc_user_zeroed(&'static self, call: Call) -> Result<Pfn, AllocError> {
        let gfp = GfpFlags::HIGHUSER;
        self.check_context(gfp, call)?;
        let frame = self.alloc_zeroed(gfp, Tag::Anonymous, call)?;
        self.begin_user(frame);
        Ok(frame)
    }

    /// Allocates a page of a process, content undefined.
    pub(crate) fn alloc_user_page(&'static self, gfp: GfpFlags, call: Call) -> Result<Pfn, AllocError> {
        self.check_context(gfp, call)?;
        let frame = self.alloc_block(gfp, Order::ZERO, Tag::Anonymous, call)?;
        self.begin_user(frame);
        Ok(frame)
    }

    /// Allocates a page of a process with the content of the page in `from`.
    pub(crate) fn alloc_user_copy(&'static self, from: Pfn, call: Call) -> Result<Pfn, AllocError> {
        let gfp = GfpFlags::HIGHUSER;
        self.check_context(gfp, call)?;
        let frame = self.alloc_block(gfp, Order::ZERO, Tag::Anonymous, call)?;
        if self.copy_page(from, frame).is_err() {
            let freed = self.free_block(frame, Order::ZERO, Tag::Anonymous);
            debug_assert!(freed.is_ok());
            return Err(AllocError);
        }
        self.user.copies.fetch_add(1, Relaxed);
        self.begin_user(frame);
        Ok(frame)
    }

    /// Counts a new page of a process.
    #[inline]
    fn begin_user(&self, frame: Pfn) {
        self.user.anonymous.fetch_add(1, Relaxed);
        if self.are_mappings_counted() {
            self.map().at(frame).set_link(0);
        }
    }

    /// Pages that processes have of their own: each counts once, whoever shares it.
    pub fn anonymous_pages(&self) -> usize {
        self.user.anonymous.load(Relaxed)
    }

    /// Counts a fault that was resolved.
    #[inline]
    pub(crate) fn count_fault(&self) {
        self.user.faults.fetch_add(1, Relaxed);
    }

    /// What processes did since boot.
    pub fn user_counts(&self) -> UserCounts {
        self.user.counts()
    }

    /// Copies the page in `from`, which nobody writes to meanwhile, to the one in `to`, which only the caller uses.
    fn copy_page(&self, from: Pfn, to: Pfn) -> Result<(), AllocError> {
        self.show(from, |from| {
            self.show(to, |to| {
                let (from, to) = (from.as_mut_ptr::<u8>().cast_const(), to.as_mut_ptr::<u8>());
                // SAFETY: both pages show there, and they are two.
                unsafe { to.copy_from_nonoverlapping(from, PAGE_SIZE) };
            })
        })?
    }

    /// Runs `f` with the address at which the page in `frame` shows meanwhile. `f` neither sleeps nor allocates.
    pub(crate) fn show_user<R>(&self, frame: Pfn, f: impl FnOnce(VirtAddr) -> R) -> Result<R, AllocError> {
        self.show(frame, f)
    }

    /// Whether there is such a frame, so that it may be mapped: from then on it is named to the calls below.
    #[inline]
    pub(crate) fn is_memory(&self, frame: Pfn) -> bool {
        self.map().get(frame).is_some()
    }

    /// Whether the page in a mapped frame is one of processes.
    #[inline]
    pub(crate) fn is_anonymous(&self, frame: Pfn) -> bool {
        self.map().at(frame).has_tag(Tag::Anonymous)
    }

    /// Whether the page in a mapped frame is one of processes and has this one owner, who asks. Only by a reference of
    /// its own does anyone take a further one.
    #[inline]
    pub(crate) fn is_sole_anonymous(&self, frame: Pfn) -> bool {
        self.map().at(frame).is_sole(Tag::Anonymous)
    }

    /// Whether the page in a mapped frame may leave memory: it is one of processes or of a file, and nobody keeps it.
    #[inline]
    pub(crate) fn is_reclaimable(&self, frame: Pfn) -> bool {
        let page = self.map().at(frame);
        let is_known = page.has_tag(Tag::Anonymous) || page.has_tag(Tag::PageCache);
        is_known && !page.flags().contains(PageFlags::KEPT)
    }

    /// Whether the page in a mapped frame is one of processes and in the swap cache.
    #[inline]
    pub(crate) fn is_swap_cached(&self, frame: Pfn) -> bool {
        let page = self.map().at(frame);
        page.flags().contains(PageFlags::CACHED) && page.has_tag(Tag::Anonymous)
    }

    /// Takes one more reference to the page in a mapped frame, for one more mapping, which is
    /// [noted](Self::note_mapped) once no lock is held.
    ///
    /// # Errors
    /// It has as many as can be counted.
    #[inline]
    pub(crate) fn share_page(&self, frame: Pfn) -> Result<PageKind, AllocError> {
        let page = self.map().at(frame);
        if !page.get() {
            return Err(AllocError);
        }
        Ok(if page.has_tag(Tag::Anonymous) { PageKind::Anonymous } else { PageKind::Other })
    }

    /// Takes one more reference to a page of a file or of processes. Whether it is one, and that was possible.
    pub(crate) fn get_shared_page(&self, frame: Pfn) -> bool {
        let is_shared = |page: &Page| page.has_tag(Tag::PageCache) || page.has_tag(Tag::Anonymous);
        self.map().get(frame).is_some_and(|page| is_shared(page) && page.get())
    }

    /// Gives a mapping's reference to the page in a frame back, which no TLB shows for the caller any more. If it is
    /// the last one of a page that can go, that is added to `chain`, which the caller has freed. Any context.
    #[inline]
    pub(crate) fn put_page(&self, frame: Pfn, chain: &mut BlockChain) {
        let page = self.map().at(frame);
        if self.are_mappings_counted() && self.keep_mapped(frame, page) {
            return;
        }
        if page.is_sole(Tag::Anonymous) {
            self.user.anonymous.fetch_sub(1, Relaxed);
            chain.push(self.map(), frame);
        } else if !self.put_shared(frame, page, Whose::Another) {
            self.put_last(frame, page);
        }
    }

    /// [`put_page`](Self::put_page) of a page of processes that is not in the swap cache; says no, and does nothing, if
    /// it may be another.
    #[inline]
    pub(crate) fn put_plain(&self, frame: Pfn, chain: &mut BlockChain) -> bool {
        if self.are_mappings_counted() {
            return false;
        }
        let page = self.map().at(frame);
        let is_sole = page.is_sole(Tag::Anonymous);
        if is_sole {
            self.user.anonymous.fetch_sub(1, Relaxed);
            chain.push(self.map(), frame);
        }
        is_sole || page.has_tag_alone(Tag::Anonymous) && page.put_shared(Whose::Another).is_some()
    }

    /// [`put_page`](Self::put_page) of one page.
    pub(crate) fn put_one(&self, frame: Pfn) {
        let mut chain = BlockChain::EMPTY;
        self.put_page(frame, &mut chain);
        if chain.len() > 0 {
            self.free_chain(chain);
        }
    }

    /// Gives a reference that is no mapping's to a page back. Any context.
    #[inline]
    pub(crate) fn put_reference(&self, frame: Pfn) {
        let page = self.map().at(frame);
        if !self.put_shared(frame, page, Whose::Another) {
            self.put_last_reference(frame, page);
        }
    }

    /// [`put_reference`](Self::put_reference), but a page that can go is added to `chain`, which the caller has freed.
    #[inline]
    pub(crate) fn chain_reference(&self, frame: Pfn, chain: &mut BlockChain) {
        let page = self.map().at(frame);
        let is_of_process = page.is_sole(Tag::Anonymous);
        if is_of_process {
            self.user.anonymous.fetch_sub(1, Relaxed);
        }
        if is_of_process || page.is_sole(Tag::PageCache) {
            chain.push(self.map(), frame);
        } else {
            self.put_reference(frame);
        }
    }

    /// Frees a page, of a process too, by the last reference to it, which is no mapping's.
    #[cold]
    #[inline(never)]
    fn put_last_reference(&self, frame: Pfn, page: &Page) {
        if !page.has_tag(Tag::Anonymous) {
            return self.put_last(frame, page);
        }
        self.user.anonymous.fetch_sub(1, Relaxed);
        let freed = self.free_block(frame, Order::ZERO, Tag::Anonymous);
        debug_assert!(freed.is_ok());
    }

    /// Gives the last reference to a page or block back that is no page of a process: its owner has left it.
    #[cold]
    #[inline(never)]
    fn put_last(&self, frame: Pfn, page: &Page) {
        let freed = match page.tag() {
            Tag::None => self.free_block(frame, self.block_order(frame).unwrap_or(Order::ZERO), Tag::None),
            // Of a file: all references to it are equal.
            Tag::PageCache => self.free_block(frame, Order::ZERO, Tag::PageCache),
            // Its owner has given up a reference that was not his.
            owner => Err(FreeError::Owned(owner)),
        };
        // What was wrong is in the log.
        let _ = freed.map_err(|error| self.bad_frame(Call::here(&"put_page"), frame, error));
    }

    /// Whether pages of processes count their mappings.
    #[inline]
    pub(crate) fn are_mappings_counted(&self) -> bool {
        self.zeroing.is_wanted_at(ZeroPages::POISON)
    }

    /// A page shows at one address more.
    #[inline]
    pub(crate) fn note_mapped(&self, frame: Pfn) {
        if self.are_mappings_counted() {
            self.count_mapping(frame);
        }
    }

    /// Counts a mapping of a page of a process; reports one too many.
    #[cold]
    #[inline(never)]
    fn count_mapping(&self, frame: Pfn) {
        let page = self.map().at(frame);
        if page.has_tag(Tag::Anonymous) {
            let mappings = page.add_mapping() + 1;
            if mappings > page.count() {
                self.report_mappings(frame, page, mappings);
            }
        }
    }

    /// Counts a mapping that has gone. Whether the page has one for each of its references all the same, so that none
    /// can be given back: that is reported.
    #[cold]
    #[inline(never)]
    fn keep_mapped(&self, frame: Pfn, page: &Page) -> bool {
        if !page.has_tag(Tag::Anonymous) {
            return false;
        }
        let mappings = page.remove_mapping().wrapping_sub(1);
        let is_wrong = mappings >= page.count();
        if is_wrong {
            self.report_mappings(frame, page, mappings);
        }
        is_wrong
    }

    fn report_mappings(&self, frame: Pfn, page: &Page, mappings: u32) {
        let allocated = self.last_owner(frame);
        let incident = Incident::TwoOwners { frame, mappings, references: page.count(), allocated };
        self.report(Call::here(&"page_poison"), incident);
    }
}
