//! Character devices of drivers in C: register_chrdev.

use alloc::sync::Arc;
use core::ffi::{c_char, c_int, c_uint};
use core::panic::Location;

use kapi::{CharDriver, Errno, Minor, OpenFlags};
use mm::GfpFlags;

use super::hooks::Gone;
use super::layout::{File, FileOperations};
use super::opened::OpenFile;
use super::strings;
use crate::chrdev::{self, Major, RawDriver, RawFile, Users};
use crate::mm::{KString, KVec};
use crate::sched::{self, Mutex};
use crate::{export, klog, modules};

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
        major @ 1..=254 => Major::Fixed(major),
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
        let file: Arc<dyn RawFile> = OpenFile::open(self.operations, major << 8 | (minor.0 & 0xff), flags)?;
        Ok(file)
    }
}
