//! Open files of character devices in C.
//!
//! An open file is a `struct file` with its inode, in one allocation that stays where it is from open to release. What
//! the driver has for it is looked up anew at each call: open may have put another table there.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering::SeqCst};

use kapi::{Errno, Events, IoBuf, OpenFlags, Place, Whence};

use super::current::Limit;
use super::fasync;
use super::layout::{Dentry, File, FileOperations, Inode, Module, OpenOrRelease, Transfer};
use super::mapping::Mapping;
use crate::chrdev::{RawFile, RawMapping, Wanted};
use crate::klog;
use crate::mm::space::MappedArea;
use crate::modules::{Function, called};
use crate::sched::PollTable;

/// A character device's mode: rw for all.
const MODE: u16 = 0o020_666;
/// What poll says of a driver that says nothing.
const ALWAYS: Events = Events::READABLE.union(Events::WRITABLE);
/// What programs know as data of the usual priority.
const POLLRDNORM: u32 = 0x40;
const POLLWRNORM: u32 = 0x100;
/// The flag of who wants signals.
const FASYNC: u32 = 0o20000;

/// What of an open file C sees, in one place.
struct Seen {
    file: File,
    dentry: Dentry,
    inode: Inode,
}

/// That, where it stays.
struct Opened(*mut Seen);

/// An open file, whose drop releases it.
pub(super) struct OpenFile {
    opened: Opened,
    owner: *mut Module,
}

// SAFETY: what the kernel does with it is atomic or is C's own doing, which sees to its locks.
unsafe impl Send for OpenFile {}
// SAFETY: as above.
unsafe impl Sync for OpenFile {}

impl Opened {
    fn new(operations: *const FileOperations, device: u16, flags: OpenFlags) -> Result<Self, Errno> {
        let mut mode = 0;
        mode |= u32::from(flags.contains(OpenFlags::READ));
        mode |= u32::from(flags.contains(OpenFlags::WRITE)) << 1;
        let file = File {
            f_dentry: ptr::null_mut(),
            f_op: operations,
            f_flags: abi::open::status(flags),
            f_mode: mode,
            f_pos: 0,
            private_data: ptr::null_mut(),
            __kernel: ptr::null_mut(),
        };
        let inode = Inode {
            i_rdev: device,
            i_mode: MODE,
            i_uid: 0,
            i_gid: 0,
            i_ino: device.into(),
            i_size: 0,
            u: ptr::null_mut(),
        };
        let seen = Seen { file, dentry: Dentry { d_inode: ptr::null_mut() }, inode };
        let seen = Box::into_raw(Box::try_new(seen).map_err(|_| Errno::ENOMEM)?);
        let opened = Self(seen);
        // SAFETY: it was just made, and nobody else knows it.
        let own = unsafe { &mut *seen };
        own.dentry.d_inode = opened.inode();
        own.file.f_dentry = &raw mut own.dentry;
        Ok(opened)
    }

    fn file(&self) -> *mut File {
        // SAFETY: it is there as long as this.
        unsafe { &raw mut (*self.0).file }
    }

    fn inode(&self) -> *mut Inode {
        // SAFETY: as above.
        unsafe { &raw mut (*self.0).inode }
    }

    /// What the driver has for the file now.
    fn operation<T>(&self, which: impl FnOnce(&FileOperations) -> Option<T>) -> Option<T> {
        // SAFETY: it is there as long as this.
        let operations = unsafe { (*self.file()).f_op };
        // SAFETY: null, or a table of the module's, which stays as long as it has files open.
        unsafe { operations.as_ref() }.and_then(which)
    }

    /// Counts the user whom the table's owner wants counted.
    fn count_owner(&self) -> *mut Module {
        let owner = self.operation(|it| Some(it.owner)).unwrap_or(ptr::null_mut());
        if let Some(count) = usecount(owner) {
            count.fetch_add(1, SeqCst);
        }
        owner
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: it was made by `new`, and C has been told that it goes.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

fn usecount<'a>(owner: *mut Module) -> Option<&'a AtomicI32> {
    // SAFETY: null, or what SET_MODULE_OWNER has put there: the module's own, which stays as long as it.
    unsafe { owner.as_ref() }.map(|owner| &owner.usecount)
}

fn uncount(owner: *mut Module) {
    if let Some(count) = usecount(owner) {
        count.fetch_sub(1, SeqCst);
    }
}

/// What C returns, as the kernel's errors. Those that only the kernel is to see mean that a signal came.
pub(super) fn errno(result: i64) -> Errno {
    match i32::try_from(-result) {
        Ok(512..=514) => Errno::EINTR,
        Ok(515) => Errno::ENOTTY,
        Ok(number) => Errno::of_number(number).unwrap_or(Errno::EIO),
        Err(_) => Errno::EIO,
    }
}

impl OpenFile {
    /// Has the driver open a file.
    pub(super) fn open(operations: *const FileOperations, device: u16, flags: OpenFlags) -> Result<Arc<Self>, Errno> {
        let _limit = Limit::own();
        let opened = Opened::new(operations, device, flags)?;
        let owner = opened.count_owner();
        let result = opened.operation(|it| it.open).map_or(0, |open| {
            // SAFETY: the module's function, with a file that nobody else knows yet.
            called(open as *const (), || unsafe { open(opened.inode(), opened.file()) })
        });
        if result < 0 {
            uncount(owner);
            return Err(errno(result.into()));
        }
        Arc::try_new(Self { opened, owner }).map_err(|_| Errno::ENOMEM)
    }

    fn transfer(&self, function: Option<Transfer>, position: Option<u64>, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        let function = function.ok_or(Errno::EINVAL)?;
        let (place, count) = (buf.place()?, buf.remaining());
        let (at, _limit) = match place {
            Place::User(at) => (at, Limit::user()),
            Place::Kernel(at) => (at, Limit::kernel()),
        };
        let file = self.opened.file();
        let mut elsewhere = position.unwrap_or(0) as i64;
        // SAFETY: the file is there as long as this.
        let position = if position.is_some() { &raw mut elsewhere } else { unsafe { &raw mut (*file).f_pos } };
        let buffer = ptr::with_exposed_provenance_mut(at);
        // SAFETY: the module's function, with its own file, and memory that it reaches by copies.
        let result = called(function as *const (), || unsafe { function(file, buffer, count, position) });
        match usize::try_from(result) {
            Ok(done) if done > count => {
                // Who knows how many of them there are.
                klog!("{} returned {done}, asked for {count} bytes", Function(function as *const ()));
                Err(Errno::EIO)
            }
            Ok(done) => Ok(buf.copied(done)),
            Err(_) => Err(errno(result as i64)),
        }
    }

    /// A result that is an int.
    fn whole(result: c_int) -> Result<usize, Errno> {
        usize::try_from(result).map_err(|_| errno(result.into()))
    }
}

impl RawFile for OpenFile {
    fn read(&self, position: Option<u64>, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.transfer(self.opened.operation(|it| it.read), position, buf)
    }

    fn write(&self, position: Option<u64>, buf: &mut IoBuf<'_>) -> Result<usize, Errno> {
        self.transfer(self.opened.operation(|it| it.write), position, buf)
    }

    fn llseek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let file = self.opened.file();
        let number = match whence {
            Whence::Start => 0,
            Whence::Current => 1,
            Whence::End => 2,
        };
        if let Some(llseek) = self.opened.operation(|it| it.llseek) {
            // SAFETY: the module's function, with its own file.
            let result = called(llseek as *const (), || unsafe { llseek(file, offset, number) });
            return u64::try_from(result).map_err(|_| errno(result));
        }
        // SAFETY: the file is there as long as this.
        let position = unsafe { (*file).f_pos };
        let target = kapi::seek(0, position as u64, offset, whence)?;
        // SAFETY: as above.
        unsafe { (*file).f_pos = target as i64 };
        Ok(target)
    }

    fn ioctl(&self, command: u32, argument: usize) -> Result<usize, Errno> {
        let ioctl = self.opened.operation(|it| it.ioctl).ok_or(Errno::ENOTTY)?;
        let (inode, file, _limit) = (self.opened.inode(), self.opened.file(), Limit::own());
        // SAFETY: the module's function, with its own file.
        Self::whole(called(ioctl as *const (), || unsafe { ioctl(inode, file, command, argument as u64) }))
    }

    fn poll(&self, table: &mut PollTable<'_>) -> Events {
        let Some(poll) = self.opened.operation(|it| it.poll) else { return ALWAYS };
        let (file, table) = (self.opened.file(), ptr::from_mut(table).cast());
        // SAFETY: the module's function, with its own file; it gives the table to poll_wait, while this call lasts.
        let mask = called(poll as *const (), || unsafe { poll(file, table) });
        let mut events = Events::from_bits_truncate(mask as u16);
        events.set(Events::READABLE, events.contains(Events::READABLE) || mask & POLLRDNORM != 0);
        events.set(Events::WRITABLE, events.contains(Events::WRITABLE) || mask & POLLWRNORM != 0);
        events
    }

    fn sync(&self) -> Result<(), Errno> {
        let fsync = self.opened.operation(|it| it.fsync).ok_or(Errno::EINVAL)?;
        let file = self.opened.file();
        // SAFETY: the file is there as long as this.
        let dentry = unsafe { (*file).f_dentry };
        // SAFETY: the module's function, with its own file.
        Self::whole(called(fsync as *const (), || unsafe { fsync(file, dentry, 0) })).map(drop)
    }

    fn set_flags(&self, flags: OpenFlags) {
        // SAFETY: the file is there as long as this.
        let flags_of = unsafe { &mut (*self.opened.file()).f_flags };
        *flags_of = abi::open::status(flags) | (*flags_of & FASYNC);
    }

    fn set_async(&self, descriptor: i32, wanted: Wanted) -> Result<(), Errno> {
        let file = self.opened.file();
        let on = wanted == Wanted::Yes;
        if let Some(fasync) = self.opened.operation(|it| it.fasync) {
            // SAFETY: the module's function, with its own file.
            Self::whole(called(fasync as *const (), || unsafe { fasync(descriptor, file, on.into()) }))?;
        }
        // SAFETY: the file is there as long as this.
        let flags = unsafe { &mut (*file).f_flags };
        *flags = (*flags & !FASYNC) | if on { FASYNC } else { 0 };
        Ok(())
    }

    fn set_owner(&self, owner: i32) {
        fasync::set_owner(self.opened.file(), owner);
    }

    fn can_be_mapped(&self) -> bool {
        self.opened.operation(|it| it.mmap).is_some()
    }

    fn map(self: Arc<Self>, area: MappedArea) -> Result<Box<dyn RawMapping>, Errno> {
        let mmap = self.opened.operation(|it| it.mmap).ok_or(Errno::ENODEV)?;
        let mapping = Mapping::new(&area, self.opened.file())?;
        // SAFETY: the module's function, with its own file and an area that nobody else knows yet.
        let result = called(mmap as *const (), || unsafe { mmap(self.opened.file(), mapping.area()) });
        if result < 0 { Err(errno(result.into())) } else { Ok(mapping) }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let (inode, file, _limit) = (self.opened.inode(), self.opened.file(), Limit::own());
        if let Some(flush) = self.opened.operation(|it| it.flush) {
            // SAFETY: the module's function, with its own file.
            let _: c_int = called(flush as *const (), || unsafe { flush(file) });
        }
        let release: Option<OpenOrRelease> = self.opened.operation(|it| it.release);
        if let Some(release) = release {
            // SAFETY: as above.
            let _: c_int = called(release as *const (), || unsafe { release(inode, file) });
        }
        fasync::forget(file);
        uncount(self.owner);
    }
}
