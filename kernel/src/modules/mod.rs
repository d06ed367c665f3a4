//! Modules: what insmod attaches, and rmmod detaches.
//!
//! Some are part of the kernel (`linked.rs`), others come from files (`file.rs`): an object is linked, by what
//! `linker.rs` knows, into areas of its own (`image.rs`, `text.rs`), and begins by its entry (`entry.rs`) or as C does
//! (`foreign.rs`, with the parameters of `variables.rs`; `called.rs` looks at how its functions return). From there on
//! all are alike (`registry.rs`).

mod called;
mod disks;
mod entry;
mod file;
mod foreign;
mod image;
mod info;
mod linked;
mod linker;
mod listing;
mod refused;
mod registry;
mod text;
mod variables;

use core::fmt::{self, Write};

use drivers::QUOTA;
use kapi::{Errno, Param};

pub use called::{Function, called};
pub use disks::attach_disks;
pub use entry::{Entry, Load, load};
pub use foreign::{Interface, set_interface};
pub use info::Info;
pub use linked::{FAMILY, all};
pub use listing::{write_ksyms, write_modules};
pub use loader::MAX_BYTES;
pub use refused::Refused;
pub use registry::{Pinned, State, pin, pin_as, users_of};

use registry::Newcomer;

use crate::klog;
use crate::mm::bootmem::BootDriver;
use crate::mm::{KVec, bigphysarea};
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
        startup::check(format_args!("{}", entry.name), attach(entry.name, &[]));
    }
}

/// Attaches a module: its devices appear in /dev, its text in /proc. `word` is its name, for one that is part of the
/// kernel or lies in /lib/modules, or the path of its file. Process context; the module's load runs in here.
///
/// # Errors
/// `ENOENT` for an unknown module, `EEXIST` when it is attached already, `EINVAL` for a bad parameter, `ENOEXEC` for a
/// file that cannot be linked, `ENOMEM`.
pub fn attach(word: &str, params: &[Param<'_>]) -> Result<(), Refused> {
    if file::is_path(word) {
        return file::attach(word, params);
    }
    let Ok(entry) = find(word) else { return file::attach(&file::path_of(word)?, params) };
    entry.check(params)?;
    let newcomer = Newcomer { name: entry.name, build: "", entry: Some(entry), image: None, lenders: KVec::new() };
    registry::attach(newcomer, &mut || Ok((entry.load)(params)?))
}

/// [`attach`], with the reason in the log.
pub fn insmod(word: &str, params: &[Param<'_>]) -> Result<(), Errno> {
    Ok(attach(word, params).inspect_err(|why| klog!("insmod: {word}: {why}"))?)
}

/// Attaches the module whose object `bytes` are, which names itself; the reason is in the log if that fails. Errors as
/// [`attach`].
pub fn init_module(bytes: &[u8], params: &[Param<'_>]) -> Result<(), Errno> {
    Ok(file::attach_object(bytes, "", params).inspect_err(|why| klog!("init_module: {why}"))?)
}

/// Calls `show` with what is known of the module that `word` stands for, as for [`attach`]. Process context.
///
/// # Errors
/// `ENOENT` for an unknown module, `ENOEXEC` for a file that is none.
pub fn describe(word: &str, show: &mut dyn FnMut(&Info<'_>)) -> Result<(), Refused> {
    if file::is_path(word) {
        return file::describe(word, show);
    }
    let Ok(entry) = find(word) else { return file::describe(&file::path_of(word)?, show) };
    let Entry { name, about, params, .. } = *entry;
    show(&Info { name, about, params, variables: &[], state: registry::state_of(name) });
    Ok(())
}

/// Calls `visit` with the names that [`attach`] knows: those of the kernel's own, then those in /lib/modules. Process
/// context.
pub fn each_known(visit: &mut dyn FnMut(&str)) {
    all().for_each(|entry| visit(entry.name));
    file::each(&mut |name| {
        // By its name alone it is the kernel's own that comes.
        if find(name).is_err() {
            visit(name);
        }
    });
}

/// Calls `visit` with the names of the modules that are there now. Process context.
pub fn each_attached(visit: &mut dyn FnMut(&str)) {
    if let Ok(modules) = registry::all() {
        modules.iter().for_each(|module| visit(module.name()));
    }
}

/// Detaches a module.
///
/// # Errors
/// `ENOENT` when it is not attached, `EBUSY` when somebody uses it.
pub fn detach(name: &str) -> Result<(), Refused> {
    registry::detach(name)
}

/// [`detach`], for those who want the word alone.
pub fn rmmod(name: &str) -> Result<(), Errno> {
    Ok(detach(name)?)
}

/// Writes /proc/scull_limit: how many bytes all scull devices together hold and may hold.
pub fn write_scull_limit(out: &mut dyn Write) -> fmt::Result {
    write!(out, "{QUOTA}")
}
