//! Pages of processes: what many mappings share, and who gets the last one.
//!
//! Key types: [`UserPages`], how many there are. Each mapping of a page holds a reference of its own; all are equal, so
//! the tag of a page of a process stays until the last one is given back, whoever that is. References are taken and
//! given back for many pages at once: the zone's lock is taken once for a run of them.

use super::PageAllocator;
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::error::{AllocError, FreeError};
use crate::gfp::GfpFlags;
use crate::order::Order;
use crate::page::{BlockChain, Page, PageState};
use crate::platform::{Lock, Platform};
use crate::report::Call;
use crate::tag::Tag;

/// How many pages processes have of their own.
pub(super) struct UserPages(AtomicUsize);

impl UserPages {
    /// None.
    pub(super) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }
}

impl<P: Platform> PageAllocator<P> {
    /// Allocates a page of a process. Content: zeros.
    pub(crate) fn alloc_user_zeroed(&'static self, call: Call) -> Result<Pfn, AllocError> {
        let gfp = GfpFlags::HIGHUSER;
        self.check_context(gfp, call)?;
        let frame = match self.take_prezeroed(gfp, Tag::Anonymous) {
            Some(frame) => frame,
            None => {
                let frame = self.alloc_block(gfp, Order::ZERO, Tag::Anonymous, call)?;
                self.cleared(frame, Order::ZERO, Tag::Anonymous).ok_or(AllocError)?
            }
        };
        self.user.0.fetch_add(1, Relaxed);
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
        self.user.0.fetch_add(1, Relaxed);
        Ok(frame)
    }

    /// Pages that processes have of their own: each counts once, whoever shares it.
    pub fn anonymous_pages(&self) -> usize {
        self.user.0.load(Relaxed)
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

    /// Whether the page in `frame` is one of processes.
    #[inline]
    pub(crate) fn is_anonymous(&self, frame: Pfn) -> bool {
        self.map().get(frame).is_some_and(|page| page.tag() == Tag::Anonymous)
    }

    /// Whether the page in `frame` is one of processes and has this one owner, who asks. Only by a reference of its own
    /// does anyone take a further one.
    #[inline]
    pub(crate) fn is_sole_anonymous(&self, frame: Pfn) -> bool {
        self.map().get(frame).is_some_and(|page| page.tag() == Tag::Anonymous && page.count() == 1)
    }

    /// A page of a process shows at one address more.
    #[inline]
    pub(crate) fn note_mapped(&self, _frame: Pfn) {}

    /// A page of a process shows at one address less.
    #[inline]
    pub(crate) fn note_unmapped(&self, _frame: Pfn) {}

    /// Takes one more reference to each of these blocks, by their first frames.
    ///
    /// # Errors
    /// One of them has as many as can be counted, or is no block. Then no reference was taken.
    pub(crate) fn get_pages(&self, frames: &[Pfn]) -> Result<(), AllocError> {
        let mut taken = 0;
        while let Some(&first) = frames.get(taken) {
            let kind = self.direct.zone_of(first);
            let run = frames[taken..].iter().take_while(|&&frame| self.direct.zone_of(frame) == kind);
            let got = self
                .zone(kind)
                .with(|_| run.take_while(|&&frame| self.map().get(frame).is_some_and(Page::get)).count());
            if got == 0 {
                self.put_pages(&frames[..taken]);
                return Err(AllocError);
            }
            taken += got;
        }
        Ok(())
    }

    /// Gives one reference to each of these blocks back; the last one frees a page of a process, or one that its owner
    /// has left. No TLB shows them for the caller any more. Never sleeps; any context.
    pub(crate) fn put_pages(&self, frames: &[Pfn]) {
        let mut chain = BlockChain::EMPTY;
        let mut anonymous = 0;
        let mut rest = frames;
        while let Some((&frame, after)) = rest.split_first() {
            let Some(page) = self.map().get(frame) else {
                rest = after;
                continue;
            };
            if page.word().owned_key(Order::ZERO).is_some() && matches!(page.tag(), Tag::Anonymous | Tag::None) {
                anonymous += usize::from(page.tag() == Tag::Anonymous);
                chain.push(self.map(), frame);
                rest = after;
                continue;
            }
            match self.put_shared(rest) {
                0 => {
                    anonymous += usize::from(self.put_last(frame, page));
                    rest = after;
                }
                put => rest = &rest[put..],
            }
        }
        self.user.0.fetch_sub(anonymous, Relaxed);
        if chain.len() > 0 {
            self.free_chain(chain);
        }
    }

    /// Gives one reference to each of these blocks back, up to the first that has no others or lies in another zone;
    /// returns how many.
    fn put_shared(&self, frames: &[Pfn]) -> usize {
        let Some(&first) = frames.first() else { return 0 };
        let kind = self.direct.zone_of(first);
        let put = |&&frame: &&Pfn| {
            let shared = |page: &&Page| matches!(page.state(), PageState::Allocated(_)) && page.is_shared();
            let page = self.map().get(frame).filter(shared).filter(|_| self.direct.zone_of(frame) == kind);
            page.inspect(|page| page.put_shared()).is_some()
        };
        self.zone(kind).with(|_| frames.iter().take_while(put).count())
    }

    /// Gives the last reference to a block back; says whether that was one of processes.
    #[cold]
    fn put_last(&self, frame: Pfn, page: &Page) -> bool {
        let tag = page.tag();
        let order = self.block_order(frame).unwrap_or(Order::ZERO);
        let freed = match tag {
            Tag::Anonymous | Tag::None => self.free_block(frame, order, tag),
            // Its owner has given up a reference that was not his.
            owner => Err(FreeError::Owned(owner)),
        };
        let put = freed.map_err(|error| self.bad_frame(Call::here(&"put_page"), frame, error));
        tag == Tag::Anonymous && put.is_ok()
    }
}
