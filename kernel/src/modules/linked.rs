//! The modules that are part of the kernel: one is a line here.

use drivers::{Allocator, Cache, Floppy, Kmalloc, NullDisk, Pages, RamDisk, Scull, Vmalloc};
use kapi::Module;

use super::entry::{Entry, load};
use crate::mm::Kernel;

/// The scull family, attached from boot on: where each one's quanta come from.
pub static FAMILY: &[Entry] = &[
    linked::<Scull<Kernel, Kmalloc>>(),
    linked::<Scull<Kernel, Cache<Kernel>>>(),
    linked::<Scull<Kernel, Pages>>(),
    linked::<Scull<Kernel, Vmalloc>>(),
];

/// The others that are attached from boot on.
pub static AT_BOOT: &[Entry] = &[linked::<Floppy<Kernel>>()];

/// Those that are attached when a command asks for them, or a kernel option.
static ON_REQUEST: &[Entry] =
    &[linked::<Allocator<Kernel>>(), linked::<RamDisk<Kernel>>(), linked::<NullDisk<Kernel>>()];

const fn linked<M: Module<Kernel>>() -> Entry {
    Entry::of::<M>(load::<M>)
}

/// Every one.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    FAMILY.iter().chain(AT_BOOT).chain(ON_REQUEST)
}
