//! The drivers that come with the kernel: insmod, rmmod, lsmod.
//!
//! A driver of the scull family is a line in `family!`; another one is a static and a line in one of the tables below.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use drivers::{Allocator, Cache, Floppy, Grabber, Kmalloc, MAX_DEVICES, Pages, Quota, Scull, Vmalloc};
use kapi::{Errno, Kernel as _, Module, Param};

use crate::chrdev::{self, Major, Nodes};
use crate::fs::procfs::{self, Source};
use crate::mm::bootmem::BootDriver;
use crate::mm::{KString, Kernel, bigphysarea};
use crate::sched::Mutex;
use crate::startup;

/// The memory that all scull devices hold together.
static QUOTA: Quota = Quota::new();

/// A static for each driver, and the list of all.
macro_rules! family {
    ($($name:ident: $store:ty,)+) => {
        $(static $name: Scull<Kernel, $store> =
            Scull::new(Mutex::new(None), [const { Mutex::new(None) }; MAX_DEVICES], &QUOTA);)+

        /// The scull family, attached from boot on.
        pub static FAMILY: &[&dyn Module] = &[$(&$name),+];
    };
}

// Where each one's quanta come from.
family! {
    SCULL: Kmalloc,
    SCULLC: Cache<Kernel>,
    SCULLP: Pages,
    SCULLV: Vmalloc,
}

/// The driver `allocator`, whose calls other drivers use.
pub static ALLOCATOR: Allocator<Kernel> = Allocator::new(Mutex::new(None));
static FLOPPY: Floppy<Kernel> = Floppy::new(Mutex::new(None));
static GRABBER: Grabber<Kernel> = Grabber::new(Mutex::new(None));

/// The others that are attached from boot on.
static AT_BOOT: [&dyn Module; 1] = [&FLOPPY];
/// The modules that are attached when a command asks for them.
static ON_REQUEST: [&dyn Module; 2] = [&ALLOCATOR, &GRABBER];

/// The drivers that take memory at boot: one is a line here.
pub static BOOT_DRIVERS: [BootDriver; 1] = [bigphysarea::BOOT_DRIVER];

/// Held while a module comes or goes.
static CHANGE: Mutex<()> = Mutex::new(());

/// Every module there is.
pub fn all() -> impl Iterator<Item = &'static dyn Module> {
    FAMILY.iter().copied().chain(AT_BOOT).chain(ON_REQUEST)
}

/// The module called `name`; `ENOENT`.
pub fn find(name: &str) -> Result<&'static dyn Module, Errno> {
    all().find(|module| module.name() == name).ok_or(Errno::ENOENT)
}

/// Attaches what is attached from boot on, with default parameters; what fails is logged and left out.
pub fn attach_all() {
    for module in FAMILY.iter().copied().chain(AT_BOOT) {
        startup::check(format_args!("{}", module.name()), insmod(module.name(), &[]));
    }
}

/// Attaches a module: its devices appear in /dev, its text in /proc. `ENOENT` for an unknown module, `EEXIST` when it
/// is attached already, `EINVAL` for a bad parameter, `ENOMEM`.
pub fn insmod(name: &str, params: &[Param<'_>]) -> Result<(), Errno> {
    let module = find(name)?;
    let _alone = CHANGE.lock()?;
    let devices = module.insmod(params)?;
    publish(module, devices).inspect_err(|_| {
        if let Err(error) = withdraw(module).and_then(|()| module.rmmod()) {
            Kernel::log(format_args!("{name}: not detached: {error}"));
        }
    })
}

/// Detaches a module. `ENOENT` when it is not attached, `EBUSY` when a device of it is open.
pub fn rmmod(name: &str) -> Result<(), Errno> {
    let module = find(name)?;
    let _alone = CHANGE.lock()?;
    module.rmmod()?;
    withdraw(module)
}

fn publish(module: &'static dyn Module, devices: u16) -> Result<(), Errno> {
    chrdev::register(module.name(), Major::Any, Nodes::Numbered(devices), module)?;
    procfs::register(&proc_name(module)?, Source::Module(module))
}

fn withdraw(module: &'static dyn Module) -> Result<(), Errno> {
    chrdev::unregister(module.name())?;
    procfs::unregister_module(module.name())
}

/// The name of a module's file in /proc.
fn proc_name(module: &'static dyn Module) -> Result<KString, Errno> {
    Ok(KString::try_format(format_args!("{}mem", module.name()))?)
}

/// Writes /proc/modules: name, size in bytes, open files.
pub fn write_modules(out: &mut dyn Write) -> fmt::Result {
    for module in all() {
        let Some(users) = module.users() else { continue };
        let unused = if users == 0 { " (unused)" } else { "" };
        writeln!(out, "{:20}{:8}{users:4}{unused}", module.name(), module.footprint())?;
    }
    Ok(())
}

/// Writes /proc/scull_limit: how many bytes all scull devices together hold and may hold.
pub fn write_scull_limit(out: &mut dyn Write) -> fmt::Result {
    write!(out, "{QUOTA}")
}
