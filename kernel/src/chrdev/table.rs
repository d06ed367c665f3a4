//! The table of character drivers: who is behind a name in /dev, by number.

use alloc::sync::Arc;
use core::fmt::{self, Write};

use kapi::{CharDriver, Errno, Events, Minor, OpenDevice};
use mm::GfpFlags;

use super::driver::{User, Users};
use super::raw::RawDriver;
use crate::mm::{KString, KVec};
use crate::sched::{Mutex, PollTable};

/// The first number that is given to a driver that asks for any; the next ones go down from here.
const LAST_MAJOR: u16 = 254;

/// Which number a driver wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Major {
    /// This one.
    Fixed(u16),
    /// Any that is free.
    Any,
}

/// Under which names a driver's devices appear in /dev.
#[derive(Clone, Copy)]
pub enum Nodes {
    /// The driver's name with the minor behind it, for this many minors from 0 on.
    Numbered(u16),
    /// These names.
    Named(&'static [(&'static str, Minor)]),
}

/// A driver, and what it is besides.
struct Behind {
    driver: Arc<dyn CharDriver>,
    raw: Option<Arc<dyn RawDriver>>,
}

/// A driver in the table.
struct Registration {
    name: KString,
    major: u16,
    nodes: Nodes,
    driver: Arc<dyn CharDriver>,
    users: Arc<Users>,
    polled: Option<&'static dyn Polled>,
    /// The driver, if it opens files of its own.
    raw: Option<Arc<dyn RawDriver>>,
}

/// Devices that make readers or writers wait, and say when they would not.
pub trait Polled: Sync {
    /// What can be done with the open device at once; queues are entered in `table` before the look, as by
    /// [`File::poll`](crate::fs::File::poll).
    fn poll(&'static self, file: &OpenDevice, table: &mut PollTable<'_>) -> Events;
}

/// A device that a name stands for, and its driver, which stays meanwhile.
pub struct Device {
    driver: Arc<dyn CharDriver>,
    polled: Option<&'static dyn Polled>,
    raw: Option<Arc<dyn RawDriver>>,
    /// The driver's number.
    pub major: u16,
    /// The device's number.
    pub minor: Minor,
    // Last: what the driver's end needs is there until the end.
    _user: User,
}

/// All drivers, by major number.
static TABLE: Mutex<KVec<Registration>> = Mutex::new(KVec::new());

/// Registers a driver that stays for good and returns its major number; see [`register_for`].
///
/// # Errors
/// As there.
pub fn register(name: &str, major: Major, nodes: Nodes, driver: impl CharDriver + 'static) -> Result<u16, Errno> {
    let driver = Arc::try_new(driver).map_err(|_| Errno::ENOMEM)?;
    register_for(&Users::new()?, name, major, nodes, driver)
}

/// Registers `driver`, whose `users` are counted, and returns its major number.
///
/// # Errors
/// `EBUSY` when the number is taken or none is free, `ENOMEM`.
pub fn register_for(
    users: &Arc<Users>,
    name: &str,
    major: Major,
    nodes: Nodes,
    driver: Arc<dyn CharDriver>,
) -> Result<u16, Errno> {
    add(users, name, major, nodes, Behind { driver, raw: None })
}

/// Registers a driver with files of its own, whose devices go by no names here, and returns its number.
///
/// # Errors
/// As [`register_for`].
pub fn register_raw<D: RawDriver>(users: &Arc<Users>, name: &str, major: Major, driver: Arc<D>) -> Result<u16, Errno> {
    add(users, name, major, Nodes::Named(&[]), Behind { driver: driver.clone(), raw: Some(driver) })
}

fn add(users: &Arc<Users>, name: &str, major: Major, nodes: Nodes, behind: Behind) -> Result<u16, Errno> {
    let name = KString::from_str(name, GfpFlags::KERNEL)?;
    let mut table = TABLE.lock_uninterruptible()?;
    let is_free = |major: &u16| table.iter().all(|other| other.major != *major);
    let major = match major {
        Major::Fixed(major) => Some(major).filter(is_free),
        Major::Any => (1..=LAST_MAJOR).rev().find(is_free),
    };
    let major = major.ok_or(Errno::EBUSY)?;
    let index = table.partition_point(|other| other.major < major);
    let Behind { driver, raw } = behind;
    let registration = Registration { name, major, nodes, driver, users: users.clone(), polled: None, raw };
    table.insert(index, registration, GfpFlags::KERNEL)?;
    Ok(major)
}

/// Has `polled` say what can be done at once with the devices of the driver with this number.
pub fn set_polled(major: u16, polled: &'static dyn Polled) -> Result<(), Errno> {
    let mut table = TABLE.lock_uninterruptible()?;
    for registration in table.iter_mut().filter(|registration| registration.major == major) {
        registration.polled = Some(polled);
    }
    Ok(())
}

/// Takes the driver with these users out. Files that are open stay so.
pub fn unregister(users: &Arc<Users>) -> Result<(), Errno> {
    TABLE.lock_uninterruptible()?.retain(|registration| !Arc::ptr_eq(&registration.users, users));
    Ok(())
}

/// Takes the driver with this number and these users out; whether there was one of this name. Files that are open stay
/// so.
///
/// # Errors
/// `EAGAIN` where the caller may not sleep.
pub fn unregister_number(users: &Arc<Users>, major: u16, name: &str) -> Result<bool, Errno> {
    let mut table = TABLE.lock_uninterruptible()?;
    let is_it = |it: &Registration| it.major == major && it.name.as_str() == name && Arc::ptr_eq(&it.users, users);
    let found = table.iter().any(is_it);
    table.retain(|registration| !is_it(registration));
    Ok(found)
}

impl Registration {
    fn device(&self, minor: Minor) -> Result<Device, Errno> {
        let (driver, polled, raw) = (self.driver.clone(), self.polled, self.raw.clone());
        Ok(Device { driver, polled, raw, major: self.major, minor, _user: self.users.enter()? })
    }

    /// The number of the device that is called `node`.
    fn find(&self, node: &str) -> Option<Minor> {
        let minor = match self.nodes {
            Nodes::Named(names) => names.iter().find(|(name, _)| *name == node)?.1,
            Nodes::Numbered(count) => {
                let digits = node.strip_prefix(self.name.as_str())?;
                let number = digits.parse().ok().filter(|&number: &u16| number < count)?;
                // Only the usual way to write the number is a name.
                if digits.starts_with('+') || (digits.len() > 1 && digits.starts_with('0')) {
                    return None;
                }
                Minor(number)
            }
        };
        Some(minor)
    }

    /// Calls `show` with the driver's first name from the `index`-th on, and the place behind it. One that lets nobody
    /// in has none.
    fn next<R>(&self, index: u16, show: Show<'_, R>) -> Result<Option<R>, Errno> {
        let Ok(_user) = self.users.enter() else { return Ok(None) };
        let place = |index: u16| u64::from(self.major) << 16 | u64::from(index + 1);
        match self.nodes {
            Nodes::Named(names) => {
                let Some((name, minor)) = names.get(usize::from(index)) else { return Ok(None) };
                show(name, &self.device(*minor)?, place(index)).map(Some)
            }
            Nodes::Numbered(count) if index < count => {
                let name = KString::try_format(format_args!("{}{index}", self.name))?;
                show(&name, &self.device(Minor(index))?, place(index)).map(Some)
            }
            Nodes::Numbered(_) => Ok(None),
        }
    }
}

/// What is done with a name, its device and the place behind it.
type Show<'a, R> = &'a mut dyn FnMut(&str, &Device, u64) -> Result<R, Errno>;

impl Device {
    /// Its driver.
    pub fn driver(&self) -> &dyn CharDriver {
        &*self.driver
    }

    /// Its driver, if that opens files of its own.
    pub fn raw(&self) -> Option<&Arc<dyn RawDriver>> {
        self.raw.as_ref()
    }

    /// What can be done with the open device at once. One that says nothing makes nobody wait.
    pub fn poll(&self, file: &OpenDevice, table: &mut PollTable<'_>) -> Events {
        self.polled.map_or(Events::READABLE | Events::WRITABLE, |polled| polled.poll(file, table))
    }
}

/// The device that is called `node`, for example `scull0`. It counts as a user of its driver.
///
/// # Errors
/// `ENODEV` when the driver is about to go, `EINTR` when the wait was interrupted.
pub fn find(node: &str) -> Result<Option<Device>, Errno> {
    let table = TABLE.lock()?;
    let found = table.iter().find_map(|registration| Some((registration, registration.find(node)?)));
    found.map(|(registration, minor)| registration.device(minor)).transpose()
}

/// The device with these numbers, if there is such a driver. It counts as a user of its driver, which knows whether it
/// has such a device.
///
/// # Errors
/// `ENODEV` when the driver is about to go.
pub fn find_number(major: u16, minor: u16) -> Result<Option<Device>, Errno> {
    let table = TABLE.lock_uninterruptible()?;
    let found = table.iter().find(|registration| registration.major == major);
    found.map(|registration| registration.device(Minor(minor))).transpose()
}

/// Calls `show` with the first name of a device from `place` on, the device, and the place behind it; under the table's
/// lock. The first place is 0, and a name keeps its place as long as it is there.
///
/// # Errors
/// Those of `show`, `ENOMEM`.
pub fn next<R>(place: u64, show: Show<'_, R>) -> Result<Option<R>, Errno> {
    let (major, index) = ((place >> 16) as u16, place as u16);
    let table = TABLE.lock_uninterruptible()?;
    for registration in table.iter().filter(|registration| registration.major >= major) {
        let from = if registration.major == major { index } else { 0 };
        if let Some(shown) = registration.next(from, show)? {
            return Ok(Some(shown));
        }
    }
    Ok(None)
}

/// Writes the first half of /proc/devices.
pub fn write_devices(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "Character devices:")?;
    let table = TABLE.lock().map_err(|_| fmt::Error)?;
    for registration in table.iter() {
        writeln!(out, "{:3} {}", registration.major, registration.name.as_str())?;
    }
    Ok(())
}
