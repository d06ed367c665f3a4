//! The chapter's interface for drivers in C.
//!
//! It is what the headers in include/ declare. Each function stands under its own name in the file of its subject, is
//! offered by [`export!`](crate::export), and calls what drivers in Rust call too. What a caller gets wrong is refused
//! and reported, with the function of the module that called ([`mod@crate::debug::caller`]). Nothing of C's is on a
//! list of the kernel's, which knows its timers, tasks, sleepers and files by their addresses. So a module that goes
//! leaves nothing behind that leads into it (`take_back`). Files, each naming those before it only:
//!
//! - `layout`: structures that both sides know; `hooks`: what the loader asks of this
//! - `strings`, `text`: the library's texts; printk
//! - `memory`, `pages`, `slab`: the allocators
//! - `lock`, `sleep`: spinlocks; semaphores and wait queues
//! - `current`: the thread that runs, and copies to and from its program
//! - `fasync`, `mapping`, `opened`, `device`: files, and who is told of them
//! - `procfs`, `later`, `interrupt`: files in /proc, timers and tasks, handlers

mod current;
mod device;
mod fasync;
mod hooks;
mod interrupt;
mod later;
mod layout;
mod lock;
mod mapping;
mod memory;
mod opened;
mod pages;
mod procfs;
mod slab;
mod sleep;
mod strings;
mod text;

use core::fmt;
use core::ops::Range;

use kapi::Errno;
use mm::VirtAddr;

use crate::modules::{self, Interface};
use hooks::Gone;

/// What the loader knows of it.
struct ForModules;

/// Has the loader ask this interface. Once, before modules are loaded.
pub fn init() {
    modules::set_interface(&ForModules);
}

impl Interface for ForModules {
    fn prepare(&self, names: &mut dyn Iterator<Item = &str>) -> Result<(), Errno> {
        for name in names {
            if later::WANT_THREAD.contains(&name) {
                return later::prepare();
            }
        }
        Ok(())
    }

    fn take_back(&self, ranges: &[Range<VirtAddr>], tell: &mut dyn FnMut(fmt::Arguments<'_>)) {
        let mut gone = Gone::new(ranges, tell);
        interrupt::take_back(&mut gone);
        later::take_back(&mut gone);
        procfs::take_back(&mut gone);
        device::take_back(&mut gone);
        slab::take_back(&mut gone);
    }
}
