//! The memory of a space from outside, while it does not run.
//! So the stack of a new program is written.

use super::object::Object;
use super::words::{FaultAccess, FaultError};
use super::{Space, UserMachine};
use crate::addr::{PAGE_SIZE, Pfn, VirtAddr};
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
            let frame = self.reach(here, access)?;
            K::memory().pages().show_user(frame, |page| f(page.add(here.page_offset()), done..done + part))?;
            done += part;
        }
        Ok(())
    }

    /// The frame of the page at `at`, once the program may use it so.
    fn reach(&mut self, at: VirtAddr, access: FaultAccess) -> Result<Pfn, FaultError> {
        self.fault(at, access)?;
        let page = self.mapper.translate(at).and_then(|(phys, _)| phys.frame());
        page.ok_or(FaultError::NoArea)
    }
}
