//! Character devices of drivers in C: register_chrdev, and their open files.
//!
//! An open file is a `struct file` with its inode, in one allocation that stays where it is from open to release. What
//! the driver has for it is looked up anew at each call: open may have put another table there.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ffi::{c_char, c_int, c_uint};
use core::panic::Location;
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering::SeqCst};

use kapi::{CharDriver, Errno, Events, IoBuf, Minor, OpenFlags, Place, Whence};
use mm::GfpFlags;

use super::current::Limit;
use super::fasync;
use super::hooks::Gone;
use super::layout::{Dentry, File, FileOperations, Inode, Module, OpenOrRelease, Transfer};
use super::mapping::Mapping;
use super::strings;
use crate::chrdev::{self, Major, RawDriver, RawFile, RawMapping, Users, Wanted};
use crate::mm::space::MappedArea;
use crate::mm::{KString, KVec};
use crate::sched::{self, Mutex, PollTable};
use crate::{export, klog, modules};

/// A character device's mode: rw for all.
const MODE: u16 = 0o020_666;
/// What poll says of a driver that says nothing.
const ALWAYS: Events = Events::READABLE.union(Events::WRITABLE);
/// What programs know as data of the usual priority.
const POLLRDNORM: u32 = 0x40;
const POLLWRNORM: u32 = 0x100;
/// The flag of who wants signals.
const FASYNC: u32 = 0o20000;

export! {
    /// Has the kernel call `operations` for a major number.
    extern "C" fn register_chrdev(major: c_uint, name: *const c_char, operations: *const FileOperations) -> c_int {
        // SAFETY: the caller's text.
        let name = unsafe { strings::text(name) };
        match name.ok_or(Errno::EINVAL).and_then(|name| register(major, name, operations)) {
            // One that it was given is no news.
            Ok(_) if major != 0 => 0,
            Ok(given) => given.into(),
            Err(error) => -error.number(),
        }
    }

    /// Takes the number back.
    extern "C" fn unregister_chrdev(major: c_uint, name: *const c_char) -> c_int {
        // SAFETY: the caller's text.
        let name = unsafe { strings::text(name) };
        let wanted = name.zip(u16::try_from(major).ok()).ok_or(Errno::EINVAL);
        wanted.and_then(|(name, major)| unregister(major, name)).map_or_else(|error| -error.number(), |()| 0)
    }

    /// Where a seek leads on a device without positions.
    extern "C" fn no_llseek(_file: *mut File, _offset: i64, _whence: c_int) -> i64 {
        -i64::from(Errno::ESPIPE.number())
    }
}

/// Who uses the module that called in here.
pub(super) fn caller_users(call: &str) -> Result<Arc<Users>, Errno> {
    let module = sched::module_on_the_way();
    let users = module.as_ref().and_then(|place| modules::users_of(place.module()?));
    users.ok_or_else(|| {
        klog!("{call}: only for modules, called from {}", sched::caller(Location::caller()));
        Errno::EINVAL
    })
}

/// A number that a module has.
struct Registered {
    major: u16,
    name: KString,
    users: Arc<Users>,
    operations: usize,
}

static REGISTERED: Mutex<KVec<Registered>> = Mutex::new(KVec::new());

fn register(major: c_uint, name: &str, operations: *const FileOperations) -> Result<u16, Errno> {
    let users = caller_users("register_chrdev")?;
    let wanted = match u16::try_from(major).map_err(|_| Errno::EINVAL)? {
        0 => Major::Any,
        major @ 1..=255 => Major::Fixed(major),
        _ => return Err(Errno::EINVAL),
    };
    let driver = Arc::try_new(CDriver { operations }).map_err(|_| Errno::ENOMEM)?;
    let own_name = KString::from_str(name, GfpFlags::KERNEL)?;
    let mut registered = REGISTERED.lock_uninterruptible()?;
    registered.reserve(1, GfpFlags::KERNEL)?;
    let major = chrdev::register_raw(&users, name, wanted, driver)?;
    let entry = Registered { major, name: own_name, users, operations: operations.addr() };
    registered.push(entry, GfpFlags::KERNEL)?;
    Ok(major)
}

fn unregister(major: u16, name: &str) -> Result<(), Errno> {
    take(|it| it.major == major && it.name.as_str() == name).ok_or(Errno::EINVAL)?.end()
}

fn take(is_meant: impl Fn(&Registered) -> bool) -> Option<Registered> {
    let mut registered = REGISTERED.lock_uninterruptible().ok()?;
    let at = registered.iter().position(is_meant)?;
    registered.swap_remove(at)
}

impl Registered {
    /// The number is free again. A module that goes has lost it before.
    fn end(self) -> Result<(), Errno> {
        chrdev::unregister_number(&self.users, self.major, &self.name).map(drop)
    }
}

/// Numbers that a module has forgotten.
pub(super) fn take_back(gone: &mut Gone<'_>) {
    while let Some(left) = take(|it| gone.has(it.operations)) {
        gone.tell(format_args!("the character device {} {}", left.major, &*left.name));
        // Nobody can wait for this thread here.
        let _: Result<(), Errno> = left.end();
    }
}

/// A driver: what was registered.
struct CDriver {
    operations: *const FileOperations,
}

// SAFETY: the table is the module's, which stays as long as its driver is registered or has files open.
unsafe impl Send for CDriver {}
// SAFETY: as above.
unsafe impl Sync for CDriver {}

impl CharDriver for CDriver {}

impl RawDriver for CDriver {
    fn open_file(&self, major: u16, minor: Minor, flags: OpenFlags) -> Result<Arc<dyn RawFile>, Errno> {
        let _limit = Limit::own();
        let opened = Opened::new(self.operations, major << 8 | (minor.0 & 0xff), flags)?;
        let owner = opened.count_owner();
        // SAFETY: the module's function, with a file that nobody else knows yet.
        let result = opened.operation(|it| it.open).map_or(0, |open| unsafe { open(opened.inode(), opened.file()) });
        if result < 0 {
            uncount(owner);
            return Err(errno(result.into()));
        }
        let file: Arc<dyn RawFile> = Arc::try_new(OpenFile { opened, owner }).map_err(|_| Errno::ENOMEM)?;
        Ok(file)
    }
}

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
        let result = unsafe { function(file, buffer, count, position) };
        match usize::try_from(result) {
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
            let result = unsafe { llseek(file, offset, number) };
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
        let _limit = Limit::own();
        // SAFETY: the module's function, with its own file.
        Self::whole(unsafe { ioctl(self.opened.inode(), self.opened.file(), command, argument as u64) })
    }

    fn poll(&self, table: &mut PollTable<'_>) -> Events {
        let Some(poll) = self.opened.operation(|it| it.poll) else { return ALWAYS };
        // SAFETY: the module's function, with its own file; it gives the table to poll_wait, while this call lasts.
        let mask = unsafe { poll(self.opened.file(), ptr::from_mut(table).cast()) };
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
        Self::whole(unsafe { fsync(file, dentry, 0) }).map(drop)
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
            Self::whole(unsafe { fasync(descriptor, file, on.into()) })?;
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
        let result = unsafe { mmap(self.opened.file(), mapping.area()) };
        if result < 0 { Err(errno(result.into())) } else { Ok(mapping) }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let (inode, file, _limit) = (self.opened.inode(), self.opened.file(), Limit::own());
        if let Some(flush) = self.opened.operation(|it| it.flush) {
            // SAFETY: the module's function, with its own file.
            let _: c_int = unsafe { flush(file) };
        }
        let release: Option<OpenOrRelease> = self.opened.operation(|it| it.release);
        // SAFETY: as above.
        let _: c_int = release.map_or(0, |release| unsafe { release(inode, file) });
        fasync::forget(file);
        uncount(self.owner);
    }
}
