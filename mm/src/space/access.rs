//! The memory of a space from outside, while it does not run.
//! So the stack of a new program is written.

use super::object::Object;
use super::words::{FaultAccess, FaultError, Sharing, SpaceError};
use super::{Space, UserMachine};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
use crate::mapper::{UserEntry, UserFormat};
use crate::own::Global;

impl<K: Global, M: UserMachine, O: Object> Space<K, M, O> {
    /// Writes `bytes` from `at` on, as the program itself might. Process context; may sleep.
    ///
    /// # Errors
    /// As [`fault`](Self::fault), of a page of the range. The pages before it were written.
    pub fn copy_in(&mut self, at: VirtAddr, bytes: &[u8]) -> Result<(), FaultError> {
        self.each_part(at, bytes.len(), FaultAccess::Write, |to, part| {
            let from = &bytes[part];
            // SAFETY: the page shows there, its mapping has a reference to it, and the bytes lie in it.
            unsafe { to.as_mut_ptr::<u8>().copy_from_nonoverlapping(from.as_ptr(), from.len()) };
        })
    }

    /// Reads the bytes from `at` on, as the program itself might. Process context; may sleep.
    ///
    /// # Errors
    /// As [`fault`](Self::fault), of a page of the range. The pages before it were read.
    pub fn copy_out(&mut self, at: VirtAddr, bytes: &mut [u8]) -> Result<(), FaultError> {
        self.each_part(at, bytes.len(), FaultAccess::Read, |from, part| {
            let to = &mut bytes[part];
            // SAFETY: as in `copy_in`.
            unsafe { from.as_mut_ptr::<u8>().copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) };
        })
    }

    /// Writes zeros, as the program itself might. Process context; may sleep.
    ///
    /// # Errors
    /// As [`fault`](Self::fault), of a page of the range. The pages before it were written.
    pub fn zero(&mut self, at: VirtAddr, bytes: usize) -> Result<(), FaultError> {
        self.each_part(at, bytes, FaultAccess::Write, |to, part| {
            // SAFETY: as in `copy_in`.
            unsafe { to.as_mut_ptr::<u8>().write_bytes(0, part.len()) };
        })
    }

    /// Calls `f` for each page that a range touches, with the address at which its part of the range shows meanwhile,
    /// and the place of that in the range.
    fn each_part(
        &mut self,
        at: VirtAddr,
        bytes: usize,
        access: FaultAccess,
        mut f: impl FnMut(VirtAddr, core::ops::Range<usize>),
    ) -> Result<(), FaultError> {
        let mut done = 0;
        while done < bytes {
            let here = at.checked_add(done).ok_or(FaultError::NoArea)?;
            let part = (PAGE_SIZE - here.page_offset()).min(bytes - done);
            let (pages, frame) = (K::memory().pages(), self.reach(here, access)?);
            let shown = pages.show_user(frame, |page| f(page.add(here.page_offset()), done..done + part));
            pages.put_reference(frame);
            shown?;
            done += part;
        }
        Ok(())
    }

    /// The frame of the page at `at`, with a reference, once the program may use it so.
    fn reach(&mut self, at: VirtAddr, access: FaultAccess) -> Result<Pfn, FaultError> {
        let page = at.page_down();
        loop {
            self.fault(page, access)?;
            // Reclaim may have been faster.
            let found = self.tables.change(|_| {
                let slots = self.tables.mapper().slots(page, page.add(PAGE_SIZE))?;
                match slots.entry(0) {
                    UserEntry::Leaf(frame, rights) if access.is_allowed(M::Format::protection(rights)) => {
                        Some(K::memory().pages().share_page(frame).map(|_| frame))
                    }
                    _ => None,
                }
            });
            if let Some(found) = found {
                return Ok(found?);
            }
        }
    }

    /// Tells the page cache of the pages of shared areas in a range that were written to since they were last asked
    /// for: before they are written to their disks. (msync) Process context.
    ///
    /// # Errors
    /// What is wrong with the range, or a part of it has no area. Nothing was changed.
    pub fn note_written(&mut self, at: VirtAddr, bytes: usize) -> Result<(), SpaceError> {
        let end = self.check_range(at, bytes)?;
        let mut covered = at;
        while covered < end {
            covered = self.areas.find(covered).ok_or(SpaceError::NotMapped)?.end;
        }
        let mut from = at;
        while let Some(area) = self.areas.next(from).filter(|area| area.start < end) {
            let (start, stop) = (area.start.max(at), area.end.min(end));
            from = area.end;
            if area.sharing == Sharing::Shared {
                self.note_written_in(start, stop);
            }
        }
        Ok(())
    }

    /// The same for a range of a shared area.
    fn note_written_in(&self, from: VirtAddr, end: VirtAddr) {
        let (mut at, mut changed) = (from, false);
        while let Some(slots) = self.tables.mapper().slots(at, end) {
            at = slots.end();
            self.tables.change(|_| {
                slots.each(|place, entry| {
                    let UserEntry::Leaf(frame, rights) = entry else { return };
                    if M::Format::is_dirty(rights)
                        && let Some(before) = slots.change(place, M::Format::without_dirty)
                    {
                        self.tables.note_written(frame, before);
                        changed = true;
                    }
                });
            });
        }
        if changed {
            self.flush(from, (end.as_usize() - from.as_usize()) / PAGE_SIZE);
        }
    }
}
