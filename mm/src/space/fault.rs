//! What happens when a program uses an address whose page is not there, or not like that.

use super::area::{Area, GUARD};
use super::object::Object;
use super::words::{FaultAccess, FaultError, Growth, Resolved, Sharing};
use super::{Space, UserMachine, call};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, MapError};
use crate::mapper::{Protection, UserFormat};
use crate::own::Global;

impl From<AllocError> for FaultError {
    fn from(AllocError: AllocError) -> Self {
        Self::NoMemory
    }
}

/// The page that an area has for an address, and what the program may do with it at once.
struct Page {
    frame: Pfn,
    protection: Protection,
    resolved: Resolved,
}

/// What of an area a fault has to know. (The area itself stays in its tree, which is borrowed no longer.)
struct Facts<O> {
    protection: Protection,
    sharing: Sharing,
    object: Option<(O, u64)>,
}

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Has the page at `at` there, so that a program may use it so, or says why not. Process context; may sleep.
    ///
    /// # Errors
    /// The program has no such address, may not use it so, or there is nothing behind it. Nothing was changed.
    pub fn fault(&mut self, at: VirtAddr, access: FaultAccess) -> Result<Resolved, FaultError> {
        let at = at.page_down();
        let facts = self.facts(at, access)?;
        let (mut spare, mut slots) = (None, None);
        while slots.is_none() {
            match self.mapper.slot(at, &mut spare) {
                Ok(found) => slots = Some(found.leaf(0)),
                Err(MapError::TableMissing) => {
                    spare = Some(K::memory().tables().new_table(call())?);
                    self.usage.tables += 1;
                }
                Err(_) => return Err(FaultError::NoArea),
            }
        }
        match slots.flatten() {
            None => self.bring(at, access, &facts),
            Some((frame, rights)) if !access.is_allowed(M::Format::protection(rights)) => {
                self.replace(at, frame, access, &facts)
            }
            Some(_) => {
                // Another CPU, or a TLB that knew better before.
                self.flush(at, 1);
                Ok(Resolved::Already)
            }
        }
    }

    /// What the area of `at` says, if it may be used so. A growing area may begin there now.
    fn facts(&mut self, at: VirtAddr, access: FaultAccess) -> Result<Facts<O>, FaultError> {
        if self.areas.find(at).is_none() {
            self.grow_to(at)?;
        }
        let area = self.areas.find(at).ok_or(FaultError::NoArea)?;
        if !access.is_allowed(area.protection) {
            return Err(FaultError::NotAllowed);
        }
        let object = area.object_at(at).map(|(object, page)| (object.clone(), page));
        Ok(Facts { protection: area.protection, sharing: area.sharing, object })
    }

    /// Has the next area, if it grows, begin at `at`.
    fn grow_to(&mut self, at: VirtAddr) -> Result<(), FaultError> {
        let area = self.areas.next(at).filter(|area| area.growth == Growth::Down).ok_or(FaultError::NoArea)?;
        let &Area { start, end, .. } = area;
        let more = (start.as_usize() - at.as_usize()) / PAGE_SIZE;
        let is_near = self.areas.before(at).is_some_and(|below| at.as_usize() - below.end.as_usize() < GUARD);
        let is_low = at < self.machine.range().start;
        let is_long = end.as_usize() - at.as_usize() > self.limits.stack;
        if is_near || is_low || is_long || self.check_limits(more, 0).is_err() {
            return Err(FaultError::NoArea);
        }
        self.areas.change(start, |area| area.start = at);
        self.usage.total += more;
        Ok(())
    }

    /// Shows a page where none was.
    fn bring(&mut self, at: VirtAddr, access: FaultAccess, facts: &Facts<O>) -> Result<Resolved, FaultError> {
        let pages = K::memory().pages();
        let page = match &facts.object {
            None => {
                let frame = pages.alloc_user_zeroed(call())?;
                Page { frame, protection: facts.protection, resolved: Resolved::Zeroed }
            }
            Some((object, index)) => self.page_of(object, *index, access, facts)?,
        };
        self.usage.resident += 1;
        self.show(at, &page);
        self.machine.after_map(self.root(), at, 1);
        Ok(page.resolved)
    }

    /// The page of an object for a program that uses it so: the object's own, or, for a write that others shall not
    /// see, a copy.
    fn page_of(&self, object: &O, index: u64, access: FaultAccess, facts: &Facts<O>) -> Result<Page, FaultError> {
        let (pages, protection) = (K::memory().pages(), facts.protection);
        let read_only = protection.difference(Protection::WRITE);
        match (facts.sharing, access) {
            (Sharing::Shared, FaultAccess::Write) => {
                Ok(Page { frame: object.page(index, access)?, protection, resolved: Resolved::Object })
            }
            (Sharing::Private, FaultAccess::Write) => {
                let original = object.page(index, FaultAccess::Read)?;
                let copied = pages.alloc_user_copy(original, call());
                pages.put_pages(&[original]);
                Ok(Page { frame: copied?, protection, resolved: Resolved::Copied })
            }
            _ => {
                let frame = object.page(index, access)?;
                Ok(Page { frame, protection: read_only, resolved: Resolved::Object })
            }
        }
    }

    /// Lets a program write to a page that is shown to it, in `old`, without that right.
    fn replace(
        &mut self,
        at: VirtAddr,
        old: Pfn,
        access: FaultAccess,
        facts: &Facts<O>,
    ) -> Result<Resolved, FaultError> {
        let (pages, protection) = (K::memory().pages(), facts.protection);
        let page = match (&facts.object, facts.sharing) {
            (Some((object, index)), Sharing::Shared) => self.page_of(object, *index, access, facts)?,
            _ if pages.is_sole_anonymous(old) => Page { frame: old, protection, resolved: Resolved::Reused },
            _ => Page { frame: pages.alloc_user_copy(old, call())?, protection, resolved: Resolved::Copied },
        };
        if page.resolved == Resolved::Reused {
            self.write(at, &page);
            self.flush(at, 1);
            return Ok(page.resolved);
        }
        pages.note_unmapped(old);
        self.usage.anonymous -= usize::from(pages.is_anonymous(old));
        self.show(at, &page);
        self.flush(at, 1);
        pages.put_pages(&[old]);
        Ok(page.resolved)
    }

    /// Writes the entry of a page that was not shown there, and counts it.
    fn show(&mut self, at: VirtAddr, page: &Page) {
        let pages = K::memory().pages();
        self.usage.anonymous += usize::from(pages.is_anonymous(page.frame));
        pages.note_mapped(page.frame);
        self.write(at, page);
    }

    /// Writes an entry whose table is there.
    fn write(&mut self, at: VirtAddr, page: &Page) {
        let written = self.mapper.slot(at, &mut None);
        debug_assert!(written.is_ok());
        if let Ok(mut slot) = written {
            slot.set(0, page.frame, M::Format::user(page.protection));
        }
    }
}
