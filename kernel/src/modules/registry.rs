//! The modules that are attached: which, and who uses them.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt::{self, Write};
use core::marker::PhantomData;
use core::ops::Deref;

use kapi::{Errno, Param};
use mm::GfpFlags;

use super::entry::Entry;
use crate::chrdev::{self, Driver, Major, Nodes, User, Users};
use crate::fs::procfs::{self, Source};
use crate::klog;
use crate::mm::{KString, KVec};
use crate::sched::Mutex;

/// A module that is attached.
pub(super) struct Attached {
    pub(super) entry: &'static Entry,
    driver: Arc<dyn Driver>,
    users: Arc<Users>,
}

/// All of them, in the order in which they came.
static ATTACHED: Mutex<KVec<Attached>> = Mutex::new(KVec::new());

/// Held while a module comes or goes.
static CHANGE: Mutex<()> = Mutex::new(());

/// A module that stays attached as long as this lives.
pub struct Pinned<M: ?Sized = dyn Driver> {
    driver: Arc<dyn Driver>,
    entry: &'static Entry,
    _user: User,
    kind: PhantomData<M>,
}

/// Attaches the module of `entry`. `EEXIST` when it is attached already.
pub(super) fn attach(entry: &'static Entry, params: &[Param<'_>]) -> Result<(), Errno> {
    let _alone = CHANGE.lock()?;
    if is_attached(entry.name)? {
        return Err(Errno::EEXIST);
    }
    let driver = (entry.load)(params)?;
    let attached = Attached { entry, driver, users: Users::new()? };
    ATTACHED.lock_uninterruptible()?.push(attached, GfpFlags::KERNEL)?;
    let published = with(entry.name, Attached::publish)?;
    published.inspect_err(|_| {
        if let Err(error) = leave(entry.name) {
            klog!("{}: not detached: {error}", entry.name);
        }
    })
}

/// Detaches the module called `name`. `ENOENT` when there is none, `EBUSY` while somebody uses it.
pub(super) fn detach(name: &str) -> Result<(), Errno> {
    let _alone = CHANGE.lock()?;
    leave(name)
}

/// The names go first, then the value.
fn leave(name: &str) -> Result<(), Errno> {
    let (driver, users) = with(name, |attached| (attached.driver.clone(), attached.users.clone()))?;
    users.close()?;
    if driver.is_busy() {
        users.reopen();
        return Err(Errno::EBUSY);
    }
    chrdev::unregister(name)?;
    procfs::unregister_module(&users)?;
    drop(driver);
    let mut attached = ATTACHED.lock_uninterruptible()?;
    let place = attached.iter().position(|attached| attached.entry.name == name).ok_or(Errno::ENOENT)?;
    let gone = attached.remove(place);
    drop(attached);
    drop(gone);
    Ok(())
}

impl Attached {
    /// Makes its names known.
    fn publish(&self) -> Result<(), Errno> {
        let Entry { name, proc_suffix, .. } = *self.entry;
        let devices = self.driver.devices();
        if devices > 0 {
            chrdev::register_for(&self.users, name, Major::Any, Nodes::Numbered(devices), self.driver.clone())?;
        }
        let Some(suffix) = proc_suffix else { return Ok(()) };
        let file = KString::try_format(format_args!("{name}{suffix}"))?;
        procfs::register(&file, Source::Module(self.driver.clone(), self.users.clone()))
    }
}

fn is_attached(name: &str) -> Result<bool, Errno> {
    Ok(ATTACHED.lock()?.iter().any(|attached| attached.entry.name == name))
}

/// Calls `f` with the module called `name`, under the lock of them all. `ENOENT` when it is not attached.
fn with<R>(name: &str, f: impl FnOnce(&Attached) -> R) -> Result<R, Errno> {
    let attached = ATTACHED.lock_uninterruptible()?;
    attached.iter().find(|attached| attached.entry.name == name).map(f).ok_or(Errno::ENOENT)
}

/// How many use the module called `name`; `None` when it is not attached.
pub fn users(name: &str) -> Option<usize> {
    with(name, |attached| attached.users.count()).ok()
}

/// The module called `name`, which stays attached meanwhile.
///
/// # Errors
/// `ENOENT` when it is not attached, `ENODEV` when it is about to go.
pub fn pin(name: &str) -> Result<Pinned, Errno> {
    with(name, |attached| {
        let user = attached.users.enter()?;
        Ok(Pinned { driver: attached.driver.clone(), entry: attached.entry, _user: user, kind: PhantomData })
    })?
}

/// [`pin`], of the type `M`.
///
/// # Errors
/// As there; `ENODEV` also when it is of another type.
pub fn pin_as<M: Driver>(name: &str) -> Result<Pinned<M>, Errno> {
    let Pinned { driver, entry, _user, .. } = pin(name)?;
    let known: &dyn Any = &*driver;
    if known.is::<M>() { Ok(Pinned { driver, entry, _user, kind: PhantomData }) } else { Err(Errno::ENODEV) }
}

impl<M: ?Sized> Pinned<M> {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.entry.name
    }
}

impl<M: Driver> Deref for Pinned<M> {
    type Target = M;

    fn deref(&self) -> &M {
        let known: &dyn Any = &*self.driver;
        match known.downcast_ref() {
            Some(module) => module,
            None => unreachable!("its type was looked at when it was pinned"),
        }
    }
}

impl Deref for Pinned {
    type Target = dyn Driver;

    fn deref(&self) -> &dyn Driver {
        &*self.driver
    }
}

/// Writes /proc/modules.
pub fn write_modules(out: &mut dyn Write) -> fmt::Result {
    let attached = ATTACHED.lock().map_err(|_| fmt::Error)?;
    for Attached { entry, driver, users } in attached.iter() {
        let users = users.count();
        let unused = if users == 0 { " (unused)" } else { "" };
        writeln!(out, "{:20}{:8}{users:4}{unused}", entry.name, driver.footprint())?;
    }
    Ok(())
}
