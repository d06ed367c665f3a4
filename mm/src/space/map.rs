//! Areas come, go and change: mmap, munmap, mprotect.
//!
//! Room for the areas that a change needs is made first: after that nothing fails. Areas are cut at the ends of the
//! range, so that it is whole areas that change, and joined again where they are alike afterwards.

use super::area::{Area, GUARD};
use super::object::Object;
use super::release::Known;
use super::swap::SwapStore;
use super::words::{Content, Growth, MapRequest, Place, Sharing, SpaceError, pages_of};
use super::{Space, UserMachine};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::error::AllocError;
use crate::mapper::{Protection, UserFormat};
use crate::own::Global;

/// Addresses that are left to the stack at least, whatever its limit: 128 MiB, as on Linux.
const STACK_ROOM: usize = 128 << 20;

impl From<AllocError> for SpaceError {
    fn from(AllocError: AllocError) -> Self {
        Self::NoMemory
    }
}

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Makes an area, and returns its first address. What it shows comes when it is used. Process context; may sleep.
    ///
    /// # Errors
    /// What is wrong with the request; no memory, no room, a limit. Nothing was changed.
    pub fn map(&mut self, request: MapRequest<O>) -> Result<VirtAddr, SpaceError> {
        match (&request.content, request.sharing, request.growth) {
            (Content::Anonymous, Sharing::Shared, _) => return Err(SpaceError::Unshareable),
            (Content::Object(..), _, Growth::Down) => return Err(SpaceError::Ungrowable),
            _ => {}
        }
        let pages = pages_of(request.bytes).filter(|&pages| pages > 0).ok_or(SpaceError::Misaligned)?;
        let bytes = pages.checked_mul(PAGE_SIZE).ok_or(SpaceError::NoMemory)?;
        let start = self.place(request.at, bytes, request.growth)?;
        let end = start.add(bytes);
        self.check_limits(pages, self.pages_in(start, end))?;
        self.check_promise(pages, &request)?;
        self.areas.reserve(self.cuts(start, end) + 1)?;
        if matches!(request.at, Place::Fixed(_)) {
            self.cut_out(start, end);
        }
        self.add(Area::new(start, end, request));
        Ok(start)
    }

    /// Adds an area for which there is room, in the tree too.
    pub(super) fn add(&mut self, area: Area<O>) {
        let (start, end) = (area.start, area.end);
        area.tell(O::mapped);
        self.total += area.pages();
        self.areas.insert(area);
        self.join(start);
        self.join(end);
    }

    /// Takes the areas of a range away, and parts of those that it cuts. Pages without an area are no error. Process
    /// context; may sleep.
    ///
    /// # Errors
    /// What is wrong with the range; no memory for the areas that cutting makes. Nothing was changed.
    pub fn unmap(&mut self, at: VirtAddr, bytes: usize) -> Result<(), SpaceError> {
        let end = self.check_range(at, bytes)?;
        self.areas.reserve(self.cuts(at, end))?;
        self.cut_out(at, end);
        Ok(())
    }

    /// Lets go of the pages of a range: where it is used again they come anew, as zeros or from the object. Pages
    /// without an area are no error. (MADV_DONTNEED) Process context.
    ///
    /// # Errors
    /// What is wrong with the range. Nothing was changed.
    pub fn discard(&mut self, at: VirtAddr, bytes: usize) -> Result<(), SpaceError> {
        let end = self.check_range(at, bytes)?;
        self.release_pages(at, end);
        Ok(())
    }

    /// Sets what the program may do in a range that areas cover. Process context; may sleep.
    ///
    /// # Errors
    /// What is wrong with the range; a part of it has no area, or one that may not have this protection; no memory for
    /// the areas that cutting makes. Nothing was changed.
    pub fn protect(&mut self, at: VirtAddr, bytes: usize, protection: Protection) -> Result<(), SpaceError> {
        if bytes == 0 && at.page_offset() == 0 {
            return Ok(());
        }
        let end = self.check_range(at, bytes)?;
        let mut covered = at;
        while covered < end {
            let area = self.areas.find(covered).ok_or(SpaceError::NotMapped)?;
            if !area.most.contains(protection) {
                return Err(SpaceError::Denied);
            }
            covered = area.end;
        }
        self.areas.reserve(self.cuts(at, end))?;
        self.cut(at);
        self.cut(end);
        self.change_rights(at, end, protection);
        let mut edge = at;
        while let Some(&Area { start, end: next, .. }) = self.areas.next(edge).filter(|area| area.start < end) {
            self.areas.change(start, |area| area.protection = protection);
            self.join(start);
            edge = next;
        }
        self.join(end);
        Ok(())
    }

    /// Gives the pages of a range the rights that go with a protection. None gets the right to write here: the page may
    /// be one that others have too, which is the fault's to know.
    fn change_rights(&mut self, from: VirtAddr, end: VirtAddr, protection: Protection) {
        let rights = |before| {
            let kept = M::Format::protection(before) & Protection::WRITE;
            M::Format::with_protection(before, protection & (kept | !Protection::WRITE))
        };
        let (mut at, mut changed) = (from, false);
        while let Some(slots) = self.tables.mapper().slots(at, end) {
            at = slots.end();
            self.tables.change(|_| {
                slots.each(|place, _| {
                    changed |= slots.change(place, rights).is_some_and(|before| before != rights(before));
                })
            });
        }
        if changed {
            self.flush(from, (end.as_usize() - from.as_usize()) / PAGE_SIZE);
        }
    }

    /// Checks a range of whole pages of the users'; returns its end.
    pub(super) fn check_range(&self, at: VirtAddr, bytes: usize) -> Result<VirtAddr, SpaceError> {
        let range = self.tables.machine().range();
        if at.page_offset() != 0 || bytes == 0 {
            return Err(SpaceError::Misaligned);
        }
        let bytes = pages_of(bytes).and_then(|pages| pages.checked_mul(PAGE_SIZE)).ok_or(SpaceError::OutOfRange)?;
        let end = at.checked_add(bytes).ok_or(SpaceError::OutOfRange)?;
        if range.start <= at && end <= range.end { Ok(end) } else { Err(SpaceError::OutOfRange) }
    }

    /// The first address of an area that is to be made.
    fn place(&self, place: Place, bytes: usize, growth: Growth) -> Result<VirtAddr, SpaceError> {
        match place {
            Place::Anywhere => self.find_room(bytes, growth),
            Place::Hint(at) => {
                let at = at.page_down();
                let is_free = self.check_range(at, bytes).is_ok_and(|end| self.is_free(at, end));
                if is_free { Ok(at) } else { self.find_room(bytes, growth) }
            }
            Place::Fixed(at) => self.check_range(at, bytes).map(|_| at),
            Place::FixedNoReplace(at) => {
                let end = self.check_range(at, bytes)?;
                if self.is_empty(at, end) { Ok(at) } else { Err(SpaceError::Exists) }
            }
        }
    }

    /// The highest free range of so many bytes below what is left to the stack, or else anywhere.
    fn find_room(&self, bytes: usize, growth: Growth) -> Result<VirtAddr, SpaceError> {
        let range = self.tables.machine().range();
        let all = range.end.as_usize() - range.start.as_usize();
        // A growing area keeps the addresses below it free.
        let guard = if growth == Growth::Down { GUARD } else { 0 };
        let bytes = bytes.checked_add(guard).ok_or(SpaceError::NoMemory)?;
        let room = self.limits.stack.max(STACK_ROOM).min(all / 6 * 5).saturating_add(GUARD).min(all);
        let below = VirtAddr::new(range.end.as_usize() - room).page_down();
        let found = self.areas.highest_gap(bytes, range.start, below);
        let found = found.or_else(|| self.areas.highest_gap(bytes, range.start, range.end));
        found.map(|start| start.add(guard)).ok_or(SpaceError::NoMemory)
    }

    /// Whether no area is in a range.
    pub(super) fn is_empty(&self, from: VirtAddr, end: VirtAddr) -> bool {
        self.areas.next(from).is_none_or(|area| end <= area.start)
    }

    /// The same, and no growing area keeps it free.
    pub(super) fn is_free(&self, from: VirtAddr, end: VirtAddr) -> bool {
        self.areas.next(from).is_none_or(|area| end <= area.low())
    }

    /// Pages of a range that areas have.
    fn pages_in(&self, from: VirtAddr, end: VirtAddr) -> usize {
        let (mut at, mut pages) = (from, 0);
        while let Some(area) = self.areas.next(at).filter(|area| area.start < end) {
            pages += (area.end.min(end).as_usize() - area.start.max(from).as_usize()) / PAGE_SIZE;
            at = area.end;
        }
        pages
    }

    /// Whether the process may have so many pages more, after it lost some.
    pub(super) fn check_limits(&self, more: usize, less: usize) -> Result<(), SpaceError> {
        let total = (self.total - less).checked_add(more).ok_or(SpaceError::NoMemory)?;
        if total > self.limits.address_space / PAGE_SIZE { Err(SpaceError::NoMemory) } else { Ok(()) }
    }

    /// Refuses memory that no machine of this size and with so much swap could ever give, once it is used.
    fn check_promise(&self, pages: usize, request: &MapRequest<O>) -> Result<(), SpaceError> {
        let is_own = request.sharing == Sharing::Private && request.protection.contains(Protection::WRITE);
        let most = || {
            let swap = self.tables.swap().map_or(0, SwapStore::free_pages);
            K::memory().pages().managed_pages() + swap
        };
        if is_own && pages > most() { Err(SpaceError::NoMemory) } else { Ok(()) }
    }

    /// Takes away all that is in a range, and cuts areas that reach into it, for which there must be room
    /// ([`cuts`](Self::cuts)).
    pub(super) fn cut_out(&mut self, from: VirtAddr, end: VirtAddr) {
        if self.is_empty(from, end) {
            return;
        }
        self.cut(from);
        self.cut(end);
        while let Some(&Area { start, end, .. }) = self.areas.next(from).filter(|area| area.start < end) {
            self.release_pages(start, end);
            if let Some(area) = self.areas.remove(start) {
                self.total -= area.pages();
                self.release_tables(start, end, Known::Perhaps);
                area.tell(O::unmapped);
            }
        }
    }

    /// How many areas more there are when the areas of a range are cut at its ends.
    fn cuts(&self, from: VirtAddr, end: VirtAddr) -> usize {
        let cut = |at: VirtAddr| usize::from(self.areas.next(at).is_some_and(|area| area.start < at));
        cut(from) + cut(end)
    }

    /// Cuts the area that goes on across `at` in two there.
    fn cut(&mut self, at: VirtAddr) {
        let Some(&Area { start, .. }) = self.areas.find(at).filter(|area| area.start < at) else { return };
        if let Some(upper) = self.areas.change(start, |area| area.split_off(at)) {
            self.areas.insert(upper);
        }
    }

    /// Makes one area of two that meet at `at` and are alike.
    pub(super) fn join(&mut self, at: VirtAddr) {
        let Some(lower) = self.areas.before(at).filter(|area| area.end == at) else { return };
        let is_one = self.areas.next(at).is_some_and(|upper| lower.continues_in(upper));
        let start = lower.start;
        if is_one && let Some(upper) = self.areas.remove(at) {
            self.areas.change(start, |area| area.end = upper.end);
            upper.tell(O::unmapped);
        }
    }
}
