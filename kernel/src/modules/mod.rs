//! Modules: what insmod attaches, and rmmod detaches.
#![forbid(unsafe_code)]

mod entry;
mod linked;
mod registry;

use core::fmt::{self, Write};

use drivers::QUOTA;
use kapi::{Errno, Param};

pub use entry::{Entry, Load, load};
pub use linked::{FAMILY, all};
pub use registry::{Pinned, pin, pin_as, users, write_modules};

use crate::mm::bigphysarea;
use crate::mm::bootmem::BootDriver;
use crate::startup;

/// The drivers that take memory at boot: one is a line here.
pub static BOOT_DRIVERS: [BootDriver; 1] = [bigphysarea::BOOT_DRIVER];

/// The module of the kernel's own that is called `name`; `ENOENT`.
pub fn find(name: &str) -> Result<&'static Entry, Errno> {
    all().find(|entry| entry.name == name).ok_or(Errno::ENOENT)
}

/// Attaches what is attached from boot on, with default parameters; what fails is logged and left out.
pub fn attach_all() {
    for entry in FAMILY.iter().chain(linked::AT_BOOT) {
        startup::check(format_args!("{}", entry.name), insmod(entry.name, &[]));
    }
}

/// Attaches a module: its devices appear in /dev, its text in /proc. `ENOENT` for an unknown module, `EEXIST` when it
/// is attached already, `EINVAL` for a bad parameter, `ENOMEM`.
pub fn insmod(name: &str, params: &[Param<'_>]) -> Result<(), Errno> {
    registry::attach(find(name)?, params)
}

/// Detaches a module. `ENOENT` when it is not attached, `EBUSY` when somebody uses it.
pub fn rmmod(name: &str) -> Result<(), Errno> {
    registry::detach(name)
}

/// Writes /proc/scull_limit: how many bytes all scull devices together hold and may hold.
pub fn write_scull_limit(out: &mut dyn Write) -> fmt::Result {
    write!(out, "{QUOTA}")
}
