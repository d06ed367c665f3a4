//! Faults: the page that a program uses is not there, or not like that.

use super::area::{Area, GUARD};
use super::object::{Object, ObjectError};
use super::tables::{RightsOf, Tables};
use super::words::{Content, FaultAccess, FaultError, Growth, Resolved, Sharing};
use super::{Space, UserMachine, call};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::atomic::Ordering::Relaxed;
use crate::error::{AllocError, MapError};
use crate::mapper::{Format, PageMapper, Protection, Slots, SwapSlot, UserEntry, UserFormat};
use crate::own::Global;

impl From<AllocError> for FaultError {
    fn from(AllocError: AllocError) -> Self {
        Self::NoMemory
    }
}

impl From<ObjectError> for FaultError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Beyond => Self::Beyond,
            ObjectError::NoMemory => Self::NoMemory,
            ObjectError::Io => Self::Io,
        }
    }
}

/// The page that an area has for an address, with a reference for the mapping, and what the program may do with it.
struct Page {
    frame: Pfn,
    protection: Protection,
    resolved: Resolved,
}

/// A fault in an area that allows it.
struct Fault<'a, K: Global, M: UserMachine, O> {
    tables: &'a Tables<K, M>,
    slot: Slots<'a, M::Format>,
    area: &'a Area<O>,
    at: VirtAddr,
    access: FaultAccess,
}

/// What is to be done where a page shows, but not so that it may be used.
enum Step {
    /// Nothing: it may now.
    Done(Resolved),
    /// Reclaim has taken it.
    Gone,
    /// The object is asked.
    Ask,
    /// The program gets a copy of this page, which others have too; with a reference.
    Copy(Pfn),
    /// No more references to it can be counted.
    Uncountable,
}

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Has the page at `at` there, so that a program may use it so, or says why not. Process context; may sleep.
    ///
    /// # Errors
    /// The program has no such address, may not use it so, or there is nothing behind it. Nothing was changed.
    pub fn fault(&mut self, at: VirtAddr, access: FaultAccess) -> Result<Resolved, FaultError> {
        let at = at.page_down();
        let area = match self.areas.find(at) {
            Some(area) => area,
            None => {
                self.grow_to(at)?;
                self.areas.find(at).ok_or(FaultError::NoArea)?
            }
        };
        if !access.is_allowed(area.protection) {
            return Err(FaultError::NotAllowed);
        }
        let tables = &*self.tables;
        let slot = slot::<K, _>(tables.mapper(), &mut self.table_count, at)?;
        // Without the lock: what is empty stays so, and all else is looked at again.
        match slot.entry(0) {
            UserEntry::Empty if matches!(area.content, Content::Anonymous) => {
                let pages = K::memory().pages();
                let frame = pages.alloc_user_zeroed(call())?;
                pages.count_fault();
                pages.note_mapped(frame);
                tables.fill(&slot, frame, M::Format::user(area.protection), 1);
                Ok(Resolved::Zeroed)
            }
            entry => Fault { tables, slot, area, at, access }.resolve(entry),
        }
    }

    /// Has the next area, if it grows, begin at `at`.
    #[cold]
    fn grow_to(&mut self, at: VirtAddr) -> Result<(), FaultError> {
        let area = self.areas.next(at).filter(|area| area.growth == Growth::Down).ok_or(FaultError::NoArea)?;
        let &Area { start, end, .. } = area;
        let more = (start.as_usize() - at.as_usize()) / PAGE_SIZE;
        let is_near = self.areas.before(at).is_some_and(|below| at.as_usize() - below.end.as_usize() < GUARD);
        let is_low = at < self.tables.machine().range().start;
        let is_long = end.as_usize() - at.as_usize() > self.limits.stack;
        if is_near || is_low || is_long || self.check_limits(more, 0).is_err() {
            return Err(FaultError::NoArea);
        }
        self.areas.change(start, |area| area.start = at);
        self.total += more;
        Ok(())
    }
}

impl Page {
    /// 1 if the page is memory of the process's own.
    fn is_own(&self) -> usize {
        usize::from(self.resolved != Resolved::Object)
    }
}

impl<K: Global, M: UserMachine, O: Object> Fault<'_, K, M, O> {
    #[inline(never)]
    fn resolve(&self, entry: UserEntry<RightsOf<M>>) -> Result<Resolved, FaultError> {
        match entry {
            UserEntry::Empty => {
                let page = self.bring()?;
                self.note(&page);
                self.tables.fill(&self.slot, page.frame, M::Format::user(page.protection), page.is_own());
                Ok(page.resolved)
            }
            UserEntry::Leaf(..) => self.upgrade(),
            UserEntry::Swapped(slot) => self.swap_in(slot),
        }
    }

    /// The page for an address that has none.
    fn bring(&self) -> Result<Page, FaultError> {
        match self.area.object_at(self.at) {
            None => {
                let frame = K::memory().pages().alloc_user_zeroed(call())?;
                Ok(Page { frame, protection: self.area.protection, resolved: Resolved::Zeroed })
            }
            Some((object, index)) => self.page_of(object, index),
        }
    }

    /// The page of an object for a program that uses it so: the object's own, or, for a write that others shall not
    /// see, a copy.
    fn page_of(&self, object: &O, index: u64) -> Result<Page, FaultError> {
        let (pages, access, most) = (K::memory().pages(), self.access, self.area.protection);
        let (asked, protection) = match (self.area.sharing, access) {
            (Sharing::Private, FaultAccess::Write) => (FaultAccess::Read, most),
            (Sharing::Shared, FaultAccess::Write) => (access, most),
            (Sharing::Shared, _) if !object.tracks_writes() => (access, most),
            _ => (access, most.difference(Protection::WRITE)),
        };
        // A frame outside of memory counts no references.
        let frame = object.page(index, asked).map_err(FaultError::from)?;
        if !pages.is_memory(frame) {
            return Err(FaultError::Io);
        }
        if asked == access {
            return Ok(Page { frame, protection, resolved: Resolved::Object });
        }
        let copied = pages.alloc_user_copy(frame, call());
        pages.put_reference(frame);
        Ok(Page { frame: copied?, protection, resolved: Resolved::Copied })
    }

    /// Counts the fault and the mapping, before anybody sees it.
    fn note(&self, page: &Page) {
        let pages = K::memory().pages();
        pages.count_fault();
        pages.note_mapped(page.frame);
    }

    fn after_map(&self) {
        self.tables.machine().after_map(self.tables.root(), self.at, 1);
    }

    /// Gives the program the right that it lacks to a page that shows, or another page.
    fn upgrade(&self) -> Result<Resolved, FaultError> {
        match self.tables.change(|_| self.step()) {
            Step::Done(resolved) => {
                self.tables.flush(self.at, 1);
                if resolved == Resolved::Reused {
                    K::memory().pages().count_fault();
                }
                Ok(resolved)
            }
            Step::Gone => Ok(Resolved::Already),
            Step::Ask => self.ask(),
            Step::Copy(old) => {
                let copied = self.copy(old);
                self.tables.leave_swap(old);
                K::memory().pages().put_reference(old);
                copied
            }
            Step::Uncountable => Err(FaultError::NoMemory),
        }
    }

    /// What there is to be done; under the lock.
    fn step(&self) -> Step {
        let UserEntry::Leaf(old, rights) = self.slot.entry(0) else { return Step::Gone };
        let (pages, allowed) = (K::memory().pages(), M::Format::protection(rights));
        if self.access.is_allowed(allowed) || self.access != FaultAccess::Write {
            // Another CPU was here before, the TLB has an entry from before, or nothing but the right is missing.
            let protection = allowed | self.area.protection.difference(Protection::WRITE);
            self.slot.change(0, |rights| M::Format::with_protection(rights, protection));
            return Step::Done(Resolved::Already);
        }
        if self.area.is_shared_object() {
            return Step::Ask;
        }
        let is_sole = || {
            let forgotten = || self.tables.swap().is_some_and(|store| store.forget(old));
            pages.is_sole_anonymous(old) || pages.is_swap_cached(old) && forgotten()
        };
        if is_sole() {
            self.slot.set(0, old, M::Format::user(self.area.protection));
            return Step::Done(Resolved::Reused);
        }
        pages.share_page(old).map_or(Step::Uncountable, |_| Step::Copy(old))
    }

    /// Has the object say which page a shared area shows where somebody writes.
    fn ask(&self) -> Result<Resolved, FaultError> {
        let page = self.bring()?;
        self.note(&page);
        let before = self.tables.change(|_| {
            let before = self.slot.take(0);
            self.tables.counts.resident.fetch_add(usize::from(before == UserEntry::Empty), Relaxed);
            self.slot.set(0, page.frame, M::Format::user(page.protection));
            before
        });
        match before {
            UserEntry::Leaf(old, _) => {
                self.tables.flush(self.at, 1);
                K::memory().pages().put_one(old);
            }
            UserEntry::Empty | UserEntry::Swapped(_) => self.after_map(),
        }
        Ok(page.resolved)
    }

    /// Has the program's own copy of a page, of which the caller has a reference, show in its place.
    fn copy(&self, old: Pfn) -> Result<Resolved, FaultError> {
        let pages = K::memory().pages();
        let protection = self.area.protection;
        let page = Page { frame: pages.alloc_user_copy(old, call())?, protection, resolved: Resolved::Copied };
        self.note(&page);
        let copied = self.tables.change(|_| {
            let is_there = matches!(self.slot.entry(0), UserEntry::Leaf(now, _) if now == old);
            if is_there {
                self.tables.counts.anonymous.fetch_add(usize::from(!pages.is_anonymous(old)), Relaxed);
                self.slot.set(0, page.frame, M::Format::user(protection));
            }
            is_there
        });
        if !copied {
            pages.put_one(page.frame);
            return Ok(Resolved::Already);
        }
        self.tables.flush(self.at, 1);
        pages.put_one(old);
        Ok(page.resolved)
    }

    /// Brings a page back from swap.
    #[cold]
    fn swap_in(&self, slot: SwapSlot) -> Result<Resolved, FaultError> {
        let store = self.tables.swap().ok_or(FaultError::Io)?;
        let frame = match store.bring(slot) {
            Ok(frame) => frame,
            // Another may have brought it back meanwhile, and the slot be nobody's any more.
            Err(error) if self.tables.change(|_| self.slot.entry(0) == UserEntry::Swapped(slot)) => Err(error)?,
            Err(_) => return Ok(Resolved::Already),
        };
        let protection = self.area.protection.difference(Protection::WRITE);
        self.note(&Page { frame, protection, resolved: Resolved::Swapped });
        let entered = self.tables.change(|_| {
            let is_there = self.slot.entry(0) == UserEntry::Swapped(slot);
            if is_there {
                self.tables.counts.swap_in();
                self.slot.set(0, frame, M::Format::user(protection));
            }
            is_there
        });
        if !entered {
            self.tables.put_one(frame);
            return Ok(Resolved::Already);
        }
        store.release(slot);
        self.after_map();
        if self.access == FaultAccess::Write {
            self.upgrade()?;
        }
        Ok(Resolved::Swapped)
    }
}

/// The entry of the page at `at`, in a table that may be new.
#[inline]
fn slot<'a, K: Global, F: Format>(
    mapper: &'a PageMapper<F>,
    tables: &mut usize,
    at: VirtAddr,
) -> Result<Slots<'a, F>, FaultError> {
    let mut spare = None;
    loop {
        match mapper.slot(at, &mut spare) {
            Ok(slot) => return Ok(slot),
            Err(MapError::TableMissing) => {
                spare = Some(K::memory().tables().new_table(call())?);
                *tables += 1;
            }
            Err(_) => return Err(FaultError::NoArea),
        }
    }
}
