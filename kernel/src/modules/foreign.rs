//! A module that is no Rust of this build: two functions of the C ABI.
//!
//! One in C also has a structure in which it counts users, and variables that insmod may set (`variables.rs`).

use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicI32, Ordering::Relaxed};

use kapi::{CharDriver, Errno};
use mm::VirtAddr;
use spin::Once;

use super::called::called;
use super::refused::Refused;
use crate::chrdev::Driver;

/// The structure in which a module counts its users, in C.
pub(super) const THIS_MODULE: &str = "__this_module";
/// Where the count is in it (include/layout.inc), and how long that is.
const COUNT_AT: u64 = 16;
pub(super) const THIS_BYTES: u64 = 24;

/// What modules of the C ABI call: asked to be ready before one begins, and to let go of one that goes.
pub trait Interface: Sync {
    /// A module is about to begin that calls what these names stand for. Process context; may sleep.
    ///
    /// # Errors
    /// No memory.
    fn prepare(&self, names: &mut dyn Iterator<Item = &str>) -> Result<(), Errno>;

    /// A module goes whose memory is in `ranges`: nothing may lead there afterwards. `tell` is called with what it has
    /// forgotten. Process context; may sleep.
    fn take_back(&self, ranges: &[Range<VirtAddr>], tell: &mut dyn FnMut(fmt::Arguments<'_>));
}

static INTERFACE: Once<&'static dyn Interface> = Once::new();

/// Says who that is. Once, before modules are loaded.
pub fn set_interface(interface: &'static dyn Interface) {
    INTERFACE.call_once(|| interface);
}

/// See [`Interface::prepare`].
pub(super) fn prepare(names: &mut dyn Iterator<Item = &str>) -> Result<(), Errno> {
    INTERFACE.get().map_or(Ok(()), |interface| interface.prepare(names))
}

/// See [`Interface::take_back`].
pub(super) fn take_back(ranges: &[Range<VirtAddr>], tell: &mut dyn FnMut(fmt::Arguments<'_>)) {
    if let Some(interface) = INTERFACE.get() {
        interface.take_back(ranges, tell);
    }
}

/// Its functions, and where it counts its users.
pub(super) struct Foreign {
    init: extern "C" fn() -> i32,
    exit: Option<extern "C" fn()>,
    count: Option<&'static AtomicI32>,
}

/// It has begun; the drop ends it.
struct Begun {
    exit: Option<extern "C" fn()>,
    count: Option<&'static AtomicI32>,
}

impl Foreign {
    /// The functions at these addresses, and the structure.
    ///
    /// # Safety
    /// They are functions without parameters: the first returns an int, the other nothing. The structure is one of
    /// include/linux/module.h. All stay where they are as long as the value or what it began.
    pub(super) unsafe fn new(init: u64, exit: Option<u64>, this: Option<u64>) -> Self {
        // SAFETY: the caller says that it is one.
        let init = unsafe { core::mem::transmute::<*const (), extern "C" fn() -> i32>(code(init)) };
        // SAFETY: as above.
        let exit = exit.map(|exit| unsafe { core::mem::transmute::<*const (), extern "C" fn()>(code(exit)) });
        // SAFETY: as above.
        let count = this.map(|this| unsafe { &*code(this + COUNT_AT).cast::<AtomicI32>() });
        Self { init, exit, count }
    }

    /// Has it begin. What it returns but 0 is an error, as errno says it.
    pub(super) fn begin(&self) -> Result<Arc<dyn Driver>, Refused> {
        match called(self.init as *const (), || (self.init)()) {
            0 => {
                let begun = Begun { exit: self.exit, count: self.count };
                Ok(Arc::try_new(begun).map_err(|_| self.end(Errno::ENOMEM))?)
            }
            code => {
                let errno = Errno::of_number(code.wrapping_neg()).unwrap_or(Errno::EIO);
                Err(Refused::said(errno, format_args!("init_module returned {code}")))
            }
        }
    }

    fn end(&self, errno: Errno) -> Errno {
        if let Some(exit) = self.exit {
            called(exit as *const (), || exit());
        }
        errno
    }
}

fn code(address: u64) -> *const () {
    core::ptr::with_exposed_provenance(address as usize)
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(exit) = self.exit {
            called(exit as *const (), || exit());
        }
    }
}

impl CharDriver for Begun {}

impl Driver for Begun {
    fn devices(&self) -> u16 {
        0
    }

    /// A count below 0 holds nobody up: who resets it while files are open gets there.
    fn is_busy(&self) -> bool {
        self.count.is_some_and(|count| count.load(Relaxed) > 0)
    }

    fn own_users(&self) -> usize {
        self.count.map_or(0, |count| usize::try_from(count.load(Relaxed)).unwrap_or(0))
    }

    fn footprint(&self) -> usize {
        0
    }

    fn proc_text(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}
