//! Locks of pages, and waiting for pages.

use kapi::{Kernel, SpinLock, WaitQueue, WrongContext};
use mm::Pfn;
use mm::own::PageRef;

use crate::cache::PageCache;
use crate::index::{Descriptor, Index, Marks};
use crate::state::State;

/// The lock of a page, with a reference to it. Dropped, it is free again.
///
/// Its holder alone changes what the page holds, or takes it out of its mapping. He may sleep, but takes no second one.
pub struct PageLock<K: Kernel> {
    cache: &'static PageCache<K>,
    page: PageRef<K>,
}

impl<K: Kernel> PageLock<K> {
    /// The lock of a page, which the caller has just marked as locked.
    pub(crate) const fn taken(cache: &'static PageCache<K>, page: PageRef<K>) -> Self {
        Self { cache, page }
    }

    /// The page.
    pub const fn page(&self) -> &PageRef<K> {
        &self.page
    }

    /// The page, to be changed.
    pub const fn page_mut(&mut self) -> &mut PageRef<K> {
        &mut self.page
    }
}

impl<K: Kernel> Drop for PageLock<K> {
    fn drop(&mut self) {
        self.cache.unlock(self.page.frame());
    }
}

impl<K: Kernel> PageCache<K> {
    /// Takes the lock of a page if it is free. `None` too if the page has as many references as can be counted. Any
    /// context.
    pub fn try_lock_page(&'static self, page: &PageRef<K>) -> Option<PageLock<K>> {
        self.lock_if(page, |descriptor| !descriptor.has(Marks::LOCKED))
    }

    fn lock_if(
        &'static self,
        page: &PageRef<K>,
        is_free: impl FnOnce(&mut Descriptor<K>) -> bool,
    ) -> Option<PageLock<K>> {
        let page = page.another()?;
        let frame = page.frame().as_u32();
        let is_free = self.index.with(|index| {
            let Some(descriptor) = index.pool.make(frame, Descriptor::new) else { return false };
            let is_free = is_free(descriptor);
            descriptor.marks |= Marks::LOCKED;
            is_free
        });
        is_free.then_some(PageLock { cache: self, page })
    }

    /// Takes the lock of a page; sleeps until it is free. ^C does not end the wait. Process context.
    ///
    /// # Errors
    /// The caller may not sleep.
    pub fn lock_page(&'static self, page: &PageRef<K>) -> Result<PageLock<K>, WrongContext> {
        let mut lock = self.try_lock_page(page);
        if lock.is_none() {
            self.queue(page.frame()).wait_until_uninterruptible(|| {
                lock = self.lock_if(page, Descriptor::is_unlocked_or_wanted);
                lock.is_some()
            })?;
        }
        lock.ok_or(WrongContext)
    }

    /// Ends the lock of a page, which the caller has. Any context.
    pub(crate) fn unlock(&self, frame: Pfn) {
        if self.index.with(|index| index.pool.at_mut(frame.as_u32()).unlock()) {
            self.queue(frame).wake_all();
        }
    }

    /// Sleeps until a page is not locked. Process context.
    ///
    /// # Errors
    /// The caller may not sleep.
    pub(crate) fn wait_unlocked(&self, page: &PageRef<K>) -> Result<(), WrongContext> {
        let frame = page.frame().as_u32();
        let is_unlocked = || self.index.with(|index| index.pool.at_mut(frame).is_unlocked_or_wanted());
        self.queue(page.frame()).wait_until_uninterruptible(is_unlocked)
    }

    /// Sleeps until a page is not on its way to a disk. Process context.
    ///
    /// # Errors
    /// The caller may not sleep.
    pub fn wait_written(&self, page: &PageRef<K>) -> Result<(), WrongContext> {
        let frame = page.frame().as_u32();
        let is_on_its_way =
            |index: &mut Index<K>| index.pool.get(frame).is_some_and(|page| page.state() == State::Writeback);
        let is_here = || !self.index.with(is_on_its_way);
        if is_here() { Ok(()) } else { self.queue(page.frame()).wait_until_uninterruptible(is_here) }
    }
}
