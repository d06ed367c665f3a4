//! Areas of processes that show devices of drivers in C.

use alloc::boxed::Box;
use core::ffi::{c_int, c_ulong};
use core::ptr;

use kapi::Errno;
use mm::{PAGE_SIZE, Pfn};

use super::layout::{File, VmArea, VmOperations};
use super::pages;
use crate::chrdev::RawMapping;
use crate::mm::space::{MappedArea, Protection, Sharing};
use crate::modules::called;

/// A driver's nopage had no memory.
const NOPAGE_OOM: usize = usize::MAX;
const VM_SHARED: c_ulong = 0x8;
/// What the program may be given the right to do later.
const VM_MAY: c_ulong = 0x70;

/// An area, as the driver sees it: all that came of one mmap share it, at the addresses that it had then.
pub(super) struct Mapping(Box<VmArea>);

// SAFETY: what the driver has put there is its own affair; it is called under a space's lock, or sees to its locks.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// An area that the driver has not seen yet.
    pub(super) fn new(area: &MappedArea, file: *mut File) -> Result<Box<Self>, Errno> {
        let mut flags = VM_MAY;
        let rights = [(Protection::READ, 1), (Protection::WRITE, 2), (Protection::EXEC, 4)];
        flags |=
            rights.iter().filter(|(right, _)| area.protection.contains(*right)).map(|(_, bit)| bit).sum::<c_ulong>();
        if area.sharing == Sharing::Shared {
            flags |= VM_SHARED;
        }
        let area = VmArea {
            vm_start: area.start.as_usize() as c_ulong,
            vm_end: area.end.as_usize() as c_ulong,
            vm_flags: flags,
            vm_page_prot: 0,
            vm_pgoff: area.first_page,
            vm_ops: ptr::null(),
            vm_file: file,
            vm_private_data: ptr::null_mut(),
        };
        let area = Box::try_new(area).map_err(|_| Errno::ENOMEM)?;
        Box::try_new(Self(area)).map_err(|_| Errno::ENOMEM)
    }

    /// The area, for the driver.
    pub(super) fn area(&self) -> *mut VmArea {
        ptr::from_ref(&*self.0).cast_mut()
    }

    fn operation<T>(&self, which: impl FnOnce(&VmOperations) -> Option<T>) -> Option<T> {
        // SAFETY: null, or what the driver's mmap has put there: the module's, which stays while it has files open.
        unsafe { self.0.vm_ops.as_ref() }.and_then(which)
    }
}

impl RawMapping for Mapping {
    fn mapped(&self) {
        if let Some(open) = self.operation(|it| it.open) {
            // SAFETY: the module's function, with its own area.
            called(open as *const (), || unsafe { open(self.area()) });
        }
    }

    fn unmapped(&self) {
        if let Some(close) = self.operation(|it| it.close) {
            // SAFETY: as above.
            called(close as *const (), || unsafe { close(self.area()) });
        }
    }

    fn page(&self, index: u64) -> Result<Pfn, Errno> {
        let nopage = self.operation(|it| it.nopage).ok_or(Errno::EFAULT)?;
        let pages = index.checked_sub(self.0.vm_pgoff).ok_or(Errno::EFAULT)?;
        let address = self.0.vm_start + pages * PAGE_SIZE as u64;
        // SAFETY: the module's function, with its own area.
        let page = called(nopage as *const (), || unsafe { nopage(self.area(), address, c_int::from(false)) });
        match page.addr() {
            NOPAGE_OOM => Err(Errno::ENOMEM),
            _ => pages::frame(page).ok_or(Errno::EFAULT),
        }
    }
}
