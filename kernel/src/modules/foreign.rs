//! A module that is no Rust of this build: two functions of the C ABI.

use alloc::sync::Arc;
use core::fmt;

use kapi::{CharDriver, Errno};

use super::refused::Refused;
use crate::chrdev::Driver;

/// Its functions.
pub(super) struct Foreign {
    init: extern "C" fn() -> i32,
    exit: Option<extern "C" fn()>,
}

/// It has begun; the drop ends it.
struct Begun {
    exit: Option<extern "C" fn()>,
}

impl Foreign {
    /// The functions at these addresses.
    ///
    /// # Safety
    /// They are functions without parameters: the first returns an int, the other nothing. They stay where they are as
    /// long as the value or what it began.
    pub(super) unsafe fn new(init: u64, exit: Option<u64>) -> Self {
        // SAFETY: the caller says that it is one.
        let init = unsafe { core::mem::transmute::<*const (), extern "C" fn() -> i32>(code(init)) };
        // SAFETY: as above.
        let exit = exit.map(|exit| unsafe { core::mem::transmute::<*const (), extern "C" fn()>(code(exit)) });
        Self { init, exit }
    }

    /// Has it begin. What it returns but 0 is an error, as errno says it.
    pub(super) fn begin(&self) -> Result<Arc<dyn Driver>, Refused> {
        match (self.init)() {
            0 => Ok(Arc::try_new(Begun { exit: self.exit }).map_err(|_| self.end(Errno::ENOMEM))?),
            code => Err(Refused::said(Errno::EIO, format_args!("init_module returned {code}"))),
        }
    }

    fn end(&self, errno: Errno) -> Errno {
        if let Some(exit) = self.exit {
            exit();
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
            exit();
        }
    }
}

impl CharDriver for Begun {}

impl Driver for Begun {
    fn devices(&self) -> u16 {
        0
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn footprint(&self) -> usize {
        0
    }

    fn proc_text(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}
