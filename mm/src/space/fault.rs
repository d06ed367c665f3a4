//! Faults: the page that a program uses is not there, or not like that.

use super::area::{Area, GUARD};
use super::object::{Object, ObjectError};
use super::words::{FaultAccess, FaultError, Growth, Resolved, Sharing};
use super::{Space, UserMachine, call};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::error::{AllocError, MapError};
use crate::flush::{AddressSpace, MustFlush};
use crate::mapper::{Format, PageMapper, Protection, Slots, UserFormat};
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
        let slot = slot::<K, _>(&self.mapper, &mut self.usage.tables, at)?;
        let root = self.mapper.root();
        match slot.leaf(0) {
            None => {
                let page = bring::<K, O>(area, at, access)?;
                slot.set(0, page.frame, M::Format::user(page.protection));
                self.usage.resident += 1;
                self.usage.anonymous += page.is_own();
                self.machine.after_map(root, at, 1);
                Ok(page.noted::<K>())
            }
            Some((_, rights)) if access.is_allowed(M::Format::protection(rights)) => {
                // Another CPU was here before, or the TLB has an entry from before.
                self.machine.flush(root, MustFlush::new(AddressSpace::User, at, 1));
                Ok(Resolved::Already)
            }
            Some((old, _)) => {
                let page = replace::<K, O>(area, at, access, old)?;
                slot.set(0, page.frame, M::Format::user(page.protection));
                self.machine.flush(root, MustFlush::new(AddressSpace::User, at, 1));
                if page.resolved == Resolved::Reused {
                    K::memory().pages().count_fault();
                    return Ok(Resolved::Reused);
                }
                self.usage.anonymous += page.is_own();
                self.usage.anonymous -= usize::from(give_back::<K>(old));
                Ok(page.noted::<K>())
            }
        }
    }

    /// Has the next area, if it grows, begin at `at`.
    #[cold]
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
}

impl Page {
    /// 1 if the page is memory of the process's own, and new.
    fn is_own(&self) -> usize {
        usize::from(self.resolved != Resolved::Object)
    }

    /// Counts the fault and the mapping.
    fn noted<K: Global>(&self) -> Resolved {
        let pages = K::memory().pages();
        pages.count_fault();
        pages.note_mapped(self.frame);
        self.resolved
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

/// The page for an address that has none.
#[inline]
fn bring<K: Global, O: Object>(area: &Area<O>, at: VirtAddr, access: FaultAccess) -> Result<Page, FaultError> {
    match area.object_at(at) {
        None => {
            let frame = K::memory().pages().alloc_user_zeroed(call())?;
            Ok(Page { frame, protection: area.protection, resolved: Resolved::Zeroed })
        }
        Some((object, index)) => page_of::<K, O>(area, object, index, access),
    }
}

/// The page of an object for a program that uses it so: the object's own, or, for a write that others shall not see, a
/// copy.
fn page_of<K: Global, O: Object>(
    area: &Area<O>,
    object: &O,
    index: u64,
    access: FaultAccess,
) -> Result<Page, FaultError> {
    let pages = K::memory().pages();
    let (asked, protection) = match (area.sharing, access) {
        (Sharing::Private, FaultAccess::Write) => (FaultAccess::Read, area.protection),
        (Sharing::Shared, FaultAccess::Write) => (access, area.protection),
        _ => (access, area.protection.difference(Protection::WRITE)),
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
    pages.put_one(frame);
    Ok(Page { frame: copied?, protection, resolved: Resolved::Copied })
}

/// The page for a program that writes where the one in `old` is shown to it without that right.
fn replace<K: Global, O: Object>(
    area: &Area<O>,
    at: VirtAddr,
    access: FaultAccess,
    old: Pfn,
) -> Result<Page, FaultError> {
    let (pages, protection) = (K::memory().pages(), area.protection);
    match area.object_at(at).filter(|_| area.sharing == Sharing::Shared) {
        Some((object, index)) => page_of::<K, O>(area, object, index, access),
        None if pages.is_sole_anonymous(old) => Ok(Page { frame: old, protection, resolved: Resolved::Reused }),
        None => Ok(Page { frame: pages.alloc_user_copy(old, call())?, protection, resolved: Resolved::Copied }),
    }
}

/// Gives back a page that was mapped; says whether it was memory of processes.
fn give_back<K: Global>(frame: Pfn) -> bool {
    let pages = K::memory().pages();
    let was_own = pages.is_anonymous(frame);
    pages.put_one(frame);
    was_own
}
